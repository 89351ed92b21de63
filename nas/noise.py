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
    stays by more than one standard error of their difference (the one-standard-error rule of Breiman et al., 1984),
    with one variance for all points, because each has few trainings. Test accuracies have no say, so that they stay
    untouched by any choice. Points without final trainings are left out, and nothing is said if no point has two.

    Args:
        front: of the search, in any order.
    """
    tested = sorted((point for point in front if point.finals), key=lambda point: point.parameters)
    freedom = sum(len(point.finals) - 1 for point in tested)
    if not freedom:
        return frozenset()
    accuracies = {point.number: [training.val_accuracy for training in point.finals] for point in tested}
    means = {number: statistics.fmean(values) for number, values in accuracies.items()}
    squares = sum((value - means[number]) ** 2 for number, values in accuracies.items() for value in values)
    variance = squares / freedom
    noise: set[int] = set()
    kept: list[TrialRecord] = []
    for point in tested:
        count = len(point.finals)
        if all(
            means[point.number] - means[other.number] > math.sqrt(variance * (1 / count + 1 / len(other.finals)))
            for other in kept
        ):
            kept.append(point)
        else:
            noise.add(point.number)
    return frozenset(noise)
