"""Aging evolution: children of recent trials only."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from typing import final

from nas.objectives import log_cost
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

    Each tournament weighs accuracy against log-costs anew (a random Chebyshev scalarization), which spreads the search
    over the front.
    """

    def propose(self, history: Sequence[Tried[AnyCandidate]], count: int, rng: random.Random) -> list[AnyCandidate]:
        population = expected(history)[-POPULATION:]

        def child() -> AnyCandidate:
            entrants = rng.sample(population, min(TOURNAMENT, len(population)))
            winner = min(entrants, key=_badness(population, self._weights(rng), self.costs))
            return self.space.mutate(winner.architecture, rng, self.budget)

        def idea(proposals: Sequence[AnyCandidate], seen: set[str]) -> AnyCandidate | None:
            if len(history) + len(proposals) < START or not population:
                return None
            return first_new(child, seen, CHILDREN)

        return collect(self.space, self.budget, history, count, rng, idea)

    def _weights(self, rng: random.Random) -> list[float]:
        """Of each cost, then of accuracy: uniform among those that add up to 1."""
        cuts = [0.0, *sorted(rng.random() for _ in self.costs), 1.0]
        return [right - left for left, right in pairwise(cuts)]


def _badness(
    population: Sequence[Tried[AnyCandidate]], weights: Sequence[float], costs: tuple[str, ...]
) -> Callable[[Tried[AnyCandidate]], float]:
    """The largest of the weighted distances from the lowest log-costs and the best accuracy, each as a share."""

    def values(trial: Tried[AnyCandidate]) -> list[float]:
        return [*(log_cost(trial.cost(name)) for name in costs), -trial.val_accuracy]

    columns = list(zip(*map(values, population), strict=True))
    lowest = [min(column) for column in columns]
    widths = [max(column) - min(column) or 1.0 for column in columns]

    def badness(trial: Tried[AnyCandidate]) -> float:
        found: Iterable[float] = (
            weight * (value - low) / width
            for weight, value, low, width in zip(weights, values(trial), lowest, widths, strict=True)
        )
        return max(found)

    return badness
