"""What all strategies share: proposals that no trial has had, at the start and when ideas run out."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

from nas.architecture import Budget
from nas.space.protocol import AnyCandidate, Space
from nas.strategies.base import Tried

DRAWS = 50
"""Repeats in a row before the rest of the space is listed."""

Idea = Callable[[Sequence[AnyCandidate], set[str]], AnyCandidate | None]
"""From the proposals so far and the ids of everything known: the next proposal, or None without one."""


def no_idea(proposals: Sequence[AnyCandidate], seen: set[str]) -> AnyCandidate | None:  # noqa: ARG001 - an `Idea`
    """Leave it to chance."""
    return None


def collect(
    space: Space[AnyCandidate],
    budget: Budget,
    history: Sequence[Tried[AnyCandidate]],
    count: int,
    rng: random.Random,
    idea: Idea[AnyCandidate] = no_idea,
) -> list[AnyCandidate]:
    """Up to `count` new architectures; where `idea` has none, something fresh, of a size far from those before it."""
    seen = {trial.architecture.id for trial in history}
    proposals: list[AnyCandidate] = []
    for tried in range(len(history), len(history) + count):
        found = idea(proposals, seen)
        if found is None or found.id in seen:
            found = fresh(space, budget, seen, van_der_corput(tried), rng)
        if found is None:
            break
        seen.add(found.id)
        proposals.append(found)
    return proposals


def fresh(
    space: Space[AnyCandidate], budget: Budget, seen: set[str], quantile: float, rng: random.Random
) -> AnyCandidate | None:
    """An architecture of about the size at `quantile` whose id is not in `seen`; None: all are."""
    for _ in range(DRAWS):
        found = space.sample(rng, budget, quantile=quantile)
        if found.id not in seen:
            return found
        quantile = rng.random()
    return next((found for found in space.architectures(budget) if found.id not in seen), None)


def first_new(idea: Callable[[], AnyCandidate], seen: set[str], tries: int) -> AnyCandidate | None:
    """The first architecture that is not known, of up to `tries`."""
    return next((found for found in (idea() for _ in range(tries)) if found.id not in seen), None)


def van_der_corput(number: int) -> float:
    """The binary digits of `number + 1` mirrored at the point: in [0, 1), each far from those before it.

    >>> [van_der_corput(n) for n in range(5)]
    [0.5, 0.25, 0.75, 0.125, 0.625]
    """
    digits = format(number + 1, "b")[::-1]
    return int(digits, 2) / float(1 << len(digits))
