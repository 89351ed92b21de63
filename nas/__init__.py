"""Find small, accurate convolutional networks: Keras architecture search under an exact parameter budget.

In short:

    import nas

    space = nas.load_space("mixed", input_shape=(28, 28, 1), classes=10)
    network = space.sample(random.Random(0), nas.Budget(max_parameters=20_000))
    print(network.summary())

    search = nas.search("digits", trials=20)
    search.export("model", max_parameters=10_000)
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.2.0"

if TYPE_CHECKING:
    from nas.api import search
    from nas.architecture import Architecture, Budget
    from nas.errors import NasError
    from nas.hypermodel import make_hypermodel
    from nas.results.pareto import ParetoFront
    from nas.results.trial import TrialRecord
    from nas.space import SearchSpace, load_space
    from nas.tuning import Search

_HOMES = {
    "Architecture": "nas.architecture",
    "Budget": "nas.architecture",
    "NasError": "nas.errors",
    "ParetoFront": "nas.results.pareto",
    "Search": "nas.tuning",
    "SearchSpace": "nas.space",
    "TrialRecord": "nas.results.trial",
    "load_space": "nas.space",
    "make_hypermodel": "nas.hypermodel",
    "search": "nas.api",
}

__all__ = [
    "Architecture",
    "Budget",
    "NasError",
    "ParetoFront",
    "Search",
    "SearchSpace",
    "TrialRecord",
    "load_space",
    "make_hypermodel",
    "search",
]


def __getattr__(name: str) -> Any:
    """Public names are imported when they are first used, so that `import nas` costs nothing."""
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'nas' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES])
