"""One registry for everything that has a name in files."""

import pytest

from nas.architecture.blocks import BLOCKS
from nas.datasets.sources import SOURCES
from nas.errors import NasError
from nas.export import FORMATS
from nas.objectives import COSTS, SCORES
from nas.registry import Registry
from nas.strategies import STRATEGIES
from nas.strategies.early_stopping import EARLY_STOPPING
from nas.tasks import TASKS

ALL = (BLOCKS, COSTS, EARLY_STOPPING, FORMATS, SCORES, SOURCES, STRATEGIES, TASKS)


@pytest.mark.parametrize("registry", ALL, ids=lambda registry: registry.what)
def test_a_duplicate_name_is_refused_and_an_unknown_one_is_told(registry):
    assert isinstance(registry, Registry)
    name = next(iter(registry))
    with pytest.raises(TypeError, match=rf"there is a {registry.what} '{name}' already"):
        registry.add(name, registry[name])
    with pytest.raises(NasError, match=rf"^there is no {registry.what} '{name}x' \(did you mean '.+'\?\); use one of"):
        registry.find(f"{name}x")
