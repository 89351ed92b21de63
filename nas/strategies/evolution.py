"""NSGA-II: children of the best, by non-dominated sorting with crowding."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar, final

from nas.objectives import Cost, Objectives, log_cost
from nas.results.pareto import Scored, pareto_rank
from nas.space.protocol import AnyCandidate
from nas.strategies.base import Strategy, register
from nas.strategies.history import History
from nas.strategies.learning_curve import expected
from nas.strategies.proposals import first_new, fresh

POPULATION = 20
"""Survivors that may have children, and trials before the first child. Larger populations learn too slowly."""

CROSSED = 0.5
"""Share of children with two parents."""

CHILDREN = 20
"""Known children in a row before something fresh is proposed."""


@final
@register("evolution")
class EvolutionStrategy(Strategy[AnyCandidate]):
    """NSGA-II, one child at a time: parents win a tournament by rank, then by crowding distance.

    The population is the best of all completed trials, so nothing has to be remembered between calls.
    """

    def propose(self, history: History[AnyCandidate], rng: random.Random) -> AnyCandidate | None:
        population = survivors(expected(history), POPULATION, self.objectives)
        space, budget = self.space, self.budget

        def parent() -> AnyCandidate:
            # The population is sorted: of two, the one that comes first is better.
            return population[min(rng.randrange(len(population)) for _ in range(2))].architecture

        def child() -> AnyCandidate:
            found = parent()
            if rng.random() < CROSSED:
                found = space.cross(found, parent(), rng, budget)
            return space.mutate(found, rng, budget)

        found = first_new(child, history.ids, CHILDREN) if population and len(history) >= POPULATION else None
        return fresh(self, history, rng) if found is None else found


AnyTrial = TypeVar("AnyTrial", bound=Scored)


def survivors(trials: Sequence[AnyTrial], count: int, objectives: Objectives) -> list[AnyTrial]:
    """The best trials by rank, then by crowding distance: the farther from its neighbors on its front, the better.

    What costs less than the range of interest begins at, or scores less than the floor, is ranked as if it were there.
    """
    ranks = pareto_rank((_OfInterest(trial, objectives) for trial in trials), objectives.costs)
    fronts: dict[int, list[AnyTrial]] = {}
    for trial in trials:
        fronts.setdefault(ranks[trial.number], []).append(trial)
    chosen: list[AnyTrial] = []
    for rank in sorted(fronts):
        if len(chosen) >= count:
            break
        distances = crowding(fronts[rank], objectives)
        chosen += sorted(fronts[rank], key=lambda trial: -distances[trial.number])
    return chosen[:count]


@final
@dataclass(frozen=True, slots=True)
class _OfInterest:
    """A trial as far as it is of interest."""

    trial: Scored
    objectives: Objectives
    completed: bool = True

    @property
    def number(self) -> int:
        return self.trial.number

    @property
    def score(self) -> float:
        return max(self.trial.score, self.objectives.floor)

    def cost(self, cost: Cost) -> float:
        low, _ = self.objectives.interest.get(cost, (0.0, 0.0))
        return max(self.trial.cost(cost), low)


def crowding(front: Sequence[AnyTrial], objectives: Objectives) -> dict[int, float]:
    """By trial number the distance between both neighbors, summed over log-costs and worth; infinite at the ends."""
    distances = dict.fromkeys((trial.number for trial in front), 0.0)
    axes = [[log_cost(trial.cost(cost)) for trial in front] for cost in objectives.costs]
    for values in (*axes, [objectives.worth(trial.score) for trial in front]):
        points = sorted(zip(values, front, strict=True), key=lambda point: (point[0], point[1].number))
        width = points[-1][0] - points[0][0] or 1.0
        for _, trial in (points[0], points[-1]):
            distances[trial.number] = math.inf
        for (before, _), (_, trial), (after, _) in zip(points, points[1:], points[2:], strict=False):
            distances[trial.number] += (after - before) / width
    return distances
