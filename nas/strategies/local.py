"""Pareto local search: the neighbors of the front."""

from __future__ import annotations

import random
from typing import final

from nas.results.pareto import ParetoFront
from nas.space.protocol import AnyCandidate
from nas.strategies.base import Strategy, register
from nas.strategies.history import History
from nas.strategies.learning_curve import expected
from nas.strategies.proposals import first_new, fresh

START = 10
"""Trials before the first neighbor."""

NEIGHBORS = 20
"""Known neighbors in a row before something fresh is proposed."""


@final
@register("local")
class LocalStrategy(Strategy[AnyCandidate]):
    """Pareto local search: one decision of one network on the front is changed at a time."""

    def propose(self, history: History[AnyCandidate], rng: random.Random) -> AnyCandidate | None:
        front = ParetoFront.of(expected(history), self.costs).points

        def neighbor() -> AnyCandidate:
            return self.space.mutate(rng.choice(front).architecture, rng, self.budget)

        found = first_new(neighbor, history.ids, NEIGHBORS) if front and len(history) >= START else None
        return fresh(self, history, rng) if found is None else found
