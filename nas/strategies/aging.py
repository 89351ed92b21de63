"""Aging evolution: children of recent trials only."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from typing import final

from nas.objectives import Objectives, log_cost
from nas.results.pareto import Scored
from nas.space.protocol import AnyCandidate
from nas.strategies.base import Strategy, register
from nas.strategies.history import History
from nas.strategies.learning_curve import expected
from nas.strategies.proposals import first_new, fresh

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

    Each tournament draws new weights of the score and the log-costs (a random Chebyshev scalarization), which spreads
    the search over the front.
    """

    def propose(self, history: History[AnyCandidate], rng: random.Random) -> AnyCandidate | None:
        population = expected(history)[-POPULATION:]

        def child() -> AnyCandidate:
            entrants = rng.sample(population, min(TOURNAMENT, len(population)))
            winner = min(entrants, key=_badness(population, self._weights(rng), self.objectives))
            return self.space.mutate(winner.architecture, rng, self.budget)

        found = first_new(child, history.ids, CHILDREN) if population and len(history) >= START else None
        return fresh(self, history, rng) if found is None else found

    def _weights(self, rng: random.Random) -> list[float]:
        """Of each cost, then of the score: uniform among those that add up to 1."""
        cuts = [0.0, *sorted(rng.random() for _ in self.costs), 1.0]
        return [right - left for left, right in pairwise(cuts)]


def _badness(
    population: Sequence[Scored], weights: Sequence[float], objectives: Objectives
) -> Callable[[Scored], float]:
    """The largest of the weighted distances from the lowest log-costs and the best worth, each as a share."""

    def values(trial: Scored) -> list[float]:
        costs = (log_cost(max(trial.cost(cost), low)) for cost, (low, _) in objectives.interest.items())
        return [*costs, -objectives.worth(trial.score)]

    columns = list(zip(*map(values, population), strict=True))
    lowest = [min(column) for column in columns]
    widths = [max(column) - min(column) or 1.0 for column in columns]

    def badness(trial: Scored) -> float:
        found: Iterable[float] = (
            weight * (value - low) / width
            for weight, value, low, width in zip(weights, values(trial), lowest, widths, strict=True)
        )
        return max(found)

    return badness
