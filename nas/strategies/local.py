"""Pareto local search: the neighbors of the front."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import final

from nas.results.pareto import ParetoFront
from nas.space.protocol import AnyCandidate
from nas.strategies.base import Strategy, Tried, register
from nas.strategies.learning_curve import expected
from nas.strategies.proposals import collect, first_new

START = 10
"""Trials before the first neighbor."""

NEIGHBORS = 20
"""Known neighbors in a row before something fresh is proposed."""


@final
@register("local")
class LocalStrategy(Strategy[AnyCandidate]):
    """Pareto local search: one decision of one network on the front is changed at a time."""

    def propose(self, history: Sequence[Tried[AnyCandidate]], count: int, rng: random.Random) -> list[AnyCandidate]:
        front = ParetoFront.of(expected(history), self.costs).points

        def neighbor() -> AnyCandidate:
            return self.space.mutate(rng.choice(front).architecture, rng, self.budget)

        def idea(proposals: Sequence[AnyCandidate], seen: set[str]) -> AnyCandidate | None:
            if len(history) + len(proposals) < START or not front:
                return None
            return first_new(neighbor, seen, NEIGHBORS)

        return collect(self.space, self.budget, history, count, rng, idea)
