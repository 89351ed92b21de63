"""Which points of a front are there by luck, judged by the trainings of the final stage."""

from __future__ import annotations

import math
import statistics
from typing import TYPE_CHECKING

from nas.results.pareto import ParetoFront

if TYPE_CHECKING:
    from nas.results.trial import TrialRecord


def without_noise(front: ParetoFront[TrialRecord]) -> ParetoFront[TrialRecord]:
    """The points that noise does not explain: what a search recommends. Before the final stage that is all of them."""
    noise = explained_by_noise(front)
    return ParetoFront(tuple(point for point in front if point.number not in noise), front.costs)


def left_out(front: ParetoFront[TrialRecord]) -> str:
    """A sentence on the points that noise explains; "" if there are none."""
    noise = sorted(explained_by_noise(front))
    if not noise:
        return ""
    trials = f"trial{'s' * (len(noise) > 1)} {', '.join(map(str, noise))}"
    return f"Left out: {trials}; trained again, no better than a cheaper network on the front, within training noise."


def not_above_guessing(front: ParetoFront[TrialRecord], *, chance: float, finest: float) -> tuple[int, ...]:
    """Numbers of the points that guessing could explain: within two standard errors of it, or below.

    Args:
        front: of the search.
        chance: the score of guessing, in [0, 1].
        finest: one validation image, as a share of them; 0 where luck plays no part.
    """
    most = chance + 2 * math.sqrt(chance * (1 - chance) * finest)
    return tuple(point.number for point in front if point.observed <= most)


def explained_by_noise(front: ParetoFront[TrialRecord]) -> frozenset[int]:
    """Numbers of the points that are no better than a cheaper one, given how far trainings of one network differ.

    A point stays if its mean validation score over the final trainings exceeds that of every cheaper point that
    stays by more than one standard error of their difference (after the one-standard-error rule of Breiman et al.,
    1984). That keeps what is probably better, not only what surely is: of two equal networks that were trained three
    times each, the dearer one stays one time in five (Student's t with 4 degrees of freedom exceeds 1 in 19 % of
    cases). Each point has its own variance, as trainings of tiny networks differ many times as much as those of good
    ones. Test scores have no say, so that they stay untouched by any choice. Points with fewer than two final
    trainings are not judged.

    Args:
        front: of the search.
    """
    noise: set[int] = set()
    kept: list[tuple[float, float, tuple[float, ...]]] = []  # mean, the square of its standard error, costs
    for point in front:
        costs = tuple(point.cost(cost) for cost in front.costs)
        scores = [training.val_score for training in point.finals]
        if len(scores) < 2:
            continue
        mean, square = statistics.fmean(scores), statistics.variance(scores) / len(scores)
        if all(
            mean - other > math.sqrt(square + other_square)
            for other, other_square, other_costs in kept
            if all(a <= b for a, b in zip(other_costs, costs, strict=True))
        ):
            kept.append((mean, square, costs))
        else:
            noise.add(point.number)
    return frozenset(noise)
