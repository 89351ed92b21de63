"""Whose weights a new trial starts with."""

from __future__ import annotations

from collections.abc import Iterable

from nas.architecture import Architecture
from nas.objectives import Cost
from nas.results.pareto import ParetoFront
from nas.results.trial import TrialRecord
from nas.space import SearchSpace
from nas.space.protocol import Genes


def nearest(
    space: SearchSpace, costs: tuple[Cost, ...], architecture: Architecture, trials: Iterable[TrialRecord]
) -> int | None:
    """The trial on the front, whose weights are kept, with the fewest decisions that differ; None on an empty front.

    Of several, the one with the highest score. A network that is not of the space has no decisions to compare, and one
    for images of another shape no weights to give.
    """
    if architecture not in space:
        return None
    genes = space.encode(architecture)
    distances = [
        (_differences(genes, space.encode(point.architecture)), -point.score, point.number)
        for point in ParetoFront.of(trials, costs)
        if point.architecture.input_shape == architecture.input_shape and point.architecture in space
    ]
    return min(distances)[2] if distances else None


def _differences(first: Genes, second: Genes) -> int:
    return sum(first.get(name) != second.get(name) for name in first.keys() | second.keys())
