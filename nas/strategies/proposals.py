"""What all strategies share: proposals that no trial has had, at the start and when ideas run out."""

from __future__ import annotations

import random
from collections.abc import Callable, Set

from nas.architecture import Budget
from nas.space.protocol import AnyCandidate, Space
from nas.strategies.history import History

DRAWS = 50
"""Repeats in a row before the rest of the space is listed."""


def fresh(
    space: Space[AnyCandidate], budget: Budget, history: History[AnyCandidate], rng: random.Random
) -> AnyCandidate | None:
    """A new architecture of a size far from those before it; None: all were tried."""
    quantile = van_der_corput(len(history))
    for _ in range(DRAWS):
        found = space.sample(rng, budget, quantile=quantile)
        if found.id not in history.ids:
            return found
        quantile = rng.random()
    return next((found for found in space.architectures(budget) if found.id not in history.ids), None)


def first_new(idea: Callable[[], AnyCandidate], known: Set[str], tries: int) -> AnyCandidate | None:
    """The first architecture whose id is not known, of up to `tries`."""
    return next((found for found in (idea() for _ in range(tries)) if found.id not in known), None)


def van_der_corput(number: int) -> float:
    """The binary digits of `number + 1` mirrored at the point: in [0, 1), each far from those before it.

    >>> [van_der_corput(n) for n in range(5)]
    [0.5, 0.25, 0.75, 0.125, 0.625]
    """
    digits = format(number + 1, "b")[::-1]
    return int(digits, 2) / float(1 << len(digits))
