"""Aging evolution: children of recent trials only."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from typing import final

from nas.space.protocol import AnyCandidate
from nas.strategies.base import Strategy, Tried, register
from nas.strategies.learning_curve import expected
from nas.strategies.proposals import collect, first_new

POPULATION = 40
"""Latest trials that may have children."""

START = 20
"""Trials before the first child."""

TOURNAMENT = 8
"""Drawn from the population; the best of them has a child."""

CHILDREN = 20
"""Known children in a row before something fresh is proposed."""


@final
@register("aging")
class AgingStrategy(Strategy[AnyCandidate]):
    """Aging evolution: only the latest trials have children, so that a lucky one does not stay forever.

    Each tournament weighs accuracy against log-parameters anew (a random Chebyshev scalarization), which spreads the
    search over the front.
    """

    def propose(self, history: Sequence[Tried[AnyCandidate]], count: int, rng: random.Random) -> list[AnyCandidate]:
        population = expected(history)[-POPULATION:]

        def child() -> AnyCandidate:
            entrants = rng.sample(population, min(TOURNAMENT, len(population)))
            winner = min(entrants, key=_badness(population, rng.random()))
            return self.space.mutate(winner.architecture, rng, self.budget)

        def idea(proposals: Sequence[AnyCandidate], seen: set[str]) -> AnyCandidate | None:
            if len(history) + len(proposals) < START or not population:
                return None
            return first_new(child, seen, CHILDREN)

        return collect(self.space, self.budget, history, count, rng, idea)


def _badness(population: Sequence[Tried[AnyCandidate]], weight: float) -> Callable[[Tried[AnyCandidate]], float]:
    """The larger of both weighted distances from the best accuracy and the fewest log-parameters, each as a share."""
    sizes = [math.log(max(trial.parameters, 1)) for trial in population]
    accuracies = [trial.val_accuracy for trial in population]
    small, width = min(sizes), (max(sizes) - min(sizes)) or 1.0
    good, height = max(accuracies), (max(accuracies) - min(accuracies)) or 1.0

    def badness(trial: Tried[AnyCandidate]) -> float:
        size = (math.log(max(trial.parameters, 1)) - small) / width
        return max(weight * size, (1 - weight) * (good - trial.val_accuracy) / height)

    return badness
