"""Which points of a front are there by luck: told from the trainings of the final stage."""

from __future__ import annotations

import math
import statistics
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nas.pareto import ParetoFront
    from nas.trial import TrialRecord


def explained_by_noise(front: ParetoFront[TrialRecord]) -> frozenset[int]:
    """Numbers of the points that are no better than a cheaper one, given how far trainings of one network differ.

    A point stays if its mean validation accuracy over the final trainings exceeds that of every cheaper point that
    stays by more than one standard error of their difference (the one-standard-error rule of Breiman et al., 1984).
    Each point has its own variance, as trainings of tiny networks differ many times as much as those of good ones.
    Test accuracies have no say, so that they stay untouched by any choice. Points with fewer than two final trainings
    are left out.

    Args:
        front: of the search.
    """
    noise: set[int] = set()
    kept: list[tuple[float, float, tuple[float, ...]]] = []  # mean, the square of its standard error, costs
    for point in front:
        costs = tuple(point.cost(name) for name in front.costs)
        accuracies = [training.val_accuracy for training in point.finals]
        if len(accuracies) < 2:
            continue
        mean, square = statistics.fmean(accuracies), statistics.variance(accuracies) / len(accuracies)
        if all(
            mean - other > math.sqrt(square + other_square)
            for other, other_square, other_costs in kept
            if all(a <= b for a, b in zip(other_costs, costs, strict=True))
        ):
            kept.append((mean, square, costs))
        else:
            noise.add(point.number)
    return frozenset(noise)
