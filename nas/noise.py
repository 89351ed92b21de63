"""Which points of a front are there by luck: told from the trainings of the final stage."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nas.trial import TrialRecord


def explained_by_noise(front: Iterable[TrialRecord]) -> frozenset[int]:
    """Numbers of the points that are no better than a smaller one, given how far trainings of one network differ.

    A point stays if its mean validation accuracy over the final trainings exceeds that of every smaller point that
    stays by more than one standard error of their difference (the one-standard-error rule of Breiman et al., 1984).
    Each point has its own variance, as trainings of tiny networks differ many times as much as those of good ones.
    Test accuracies have no say, so that they stay untouched by any choice. Points with fewer than two final trainings
    are left out.

    Args:
        front: of the search, in any order.
    """
    noise: set[int] = set()
    kept: list[tuple[float, float]] = []  # mean, and the square of its standard error
    for point in sorted(front, key=lambda point: point.parameters):
        accuracies = [training.val_accuracy for training in point.finals]
        if len(accuracies) < 2:
            continue
        mean, square = statistics.fmean(accuracies), statistics.variance(accuracies) / len(accuracies)
        if all(mean - other > math.sqrt(square + other_square) for other, other_square in kept):
            kept.append((mean, square))
        else:
            noise.add(point.number)
    return frozenset(noise)
