"""Which searches can be compared, and over which ranges of interest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from nas.errors import NasError
from nas.results.front_comparison import Comparison
from nas.tuning.search import Search


def compare(searches: Sequence[Search]) -> Comparison:
    """Several searches side by side, over ranges of interest that hold those of all.

    Raises:
        NasError: there are fewer than two, one is named twice, or they differ in data, objectives or, for measured
            costs, the machine.
    """
    first, names = searches[0], [search.name for search in searches]
    if len(set(names)) < len(names):
        raise NasError(f"a comparison names each search once; received {', '.join(names)}")
    if len({(search.facts.dataset, search.facts.input_shape) for search in searches}) > 1:
        told = ", ".join(f"{search.name}: {search.facts.dataset}" for search in searches)
        raise NasError(f"only searches on the same images can be compared; received {told}")
    if len({search.experiment.objectives for search in searches}) > 1:
        told = "; ".join(f"{search.name}: {', '.join(search.experiment.objectives)}" for search in searches)
        raise NasError(f"only searches with the same objectives can be compared; received {told}")
    measured = [cost.name for cost in first.objectives.costs if cost.measured]
    if measured and len({search.facts.machine for search in searches}) > 1:
        told = "; ".join(f"{search.name}: {search.facts.machine}" for search in searches)
        raise NasError(f"only searches that measured {measured[0]} on one machine can be compared; received {told}")
    each = [search.objectives for search in searches]
    ranges = {
        cost: (min(of.interest[cost][0] for of in each), max(of.interest[cost][1] for of in each))
        for cost in first.objectives.costs
    }
    shared = replace(
        first.objectives, interest=ranges, floor=min(of.floor for of in each), finest=min(of.finest for of in each)
    )
    return Comparison.of({search.name: search.trials for search in searches}, shared)
