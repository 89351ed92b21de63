"""What all strategies share: proposals that no trial has had, at the start and when ideas run out."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Set

from nas.architecture import Budget, BudgetError
from nas.objectives import PARAMETERS
from nas.space.protocol import AnyCandidate
from nas.space.sampling import BAND
from nas.strategies.base import Strategy
from nas.strategies.history import History

DRAWS = 50
"""Repeats in a row before the rest of the space is listed."""


def fresh(strategy: Strategy[AnyCandidate], history: History[AnyCandidate], rng: random.Random) -> AnyCandidate | None:
    """A new architecture of interest, of a size far from those before it; None: all of the space were tried."""
    space, budget = strategy.space, of_interest(strategy)
    quantile = place(len(history))
    for _ in range(DRAWS):
        found = space.sample(rng, budget, quantile=quantile)
        if found.id not in history.ids:
            return found
        quantile = rng.random()
    return next((found for found in space.architectures(strategy.budget) if found.id not in history.ids), None)


def between(
    strategy: Strategy[AnyCandidate], low: float, high: float, history: History[AnyCandidate], rng: random.Random
) -> AnyCandidate | None:
    """A new architecture with a number of parameters between two; None: none was found."""
    try:
        budget = strategy.budget.at_least(math.ceil(low)).at_most(math.floor(high))
        return first_new(lambda: strategy.space.sample(rng, budget), history.ids, DRAWS)
    except BudgetError:
        return None  # the space has none of that size


def of_interest(strategy: Strategy[AnyCandidate]) -> Budget:
    """The strategy's budget, without sizes outside of the range of interest.

    It begins a little below, because a network for the lower end has to fit in there.
    """
    if PARAMETERS not in strategy.objectives.interest:
        return strategy.budget
    low, high = strategy.objectives.interest[PARAMETERS]
    found = strategy.budget.at_least(math.floor(low / BAND)).at_most(math.ceil(high))
    try:
        strategy.space.check(found)
    except BudgetError:
        return strategy.budget  # nothing there has such a size
    return found


def first_new(idea: Callable[[], AnyCandidate], known: Set[str], tries: int) -> AnyCandidate | None:
    """The first architecture whose id is not known, of up to `tries`."""
    return next((found for found in (idea() for _ in range(tries)) if found.id not in known), None)


def place(number: int) -> float:
    """Where in the range of sizes a trial looks: at its upper end, at its lower end, then far from those before it.

    >>> [place(n) for n in range(6)]
    [1.0, 0.0, 0.5, 0.25, 0.75, 0.125]
    """
    return 1.0 - number if number < 2 else van_der_corput(number - 2)


def van_der_corput(number: int) -> float:
    """The binary digits of `number + 1` mirrored at the point: in [0, 1), each far from those before it.

    >>> [van_der_corput(n) for n in range(5)]
    [0.5, 0.25, 0.75, 0.125, 0.625]
    """
    digits = format(number + 1, "b")[::-1]
    return int(digits, 2) / float(1 << len(digits))
