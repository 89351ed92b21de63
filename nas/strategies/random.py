"""Random search that wastes nothing: inside the budget, never twice, evenly over the sizes."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import final

from nas.architecture import Architecture
from nas.strategies.base import Strategy, register
from nas.trial import TrialRecord

_DRAWS = 50
"""Repeats in a row before the rest of the space is listed."""


@final
@register("random")
class RandomStrategy(Strategy):
    """Each proposal aims at the size that has been looked at least.

    The sizes follow the van der Corput sequence over the logarithm of the parameter count, so that any number of
    trials covers the budget evenly: the baseline that every other strategy has to beat.
    """

    def propose(self, history: Sequence[TrialRecord], count: int, rng: random.Random) -> list[Architecture]:
        seen = {trial.architecture.id for trial in history}
        proposals: list[Architecture] = []
        while len(proposals) < count:
            fresh = self._fresh(seen, van_der_corput(len(history) + len(proposals)), rng)
            if fresh is None:
                break
            seen.add(fresh.id)
            proposals.append(fresh)
        return proposals

    def _fresh(self, seen: set[str], quantile: float, rng: random.Random) -> Architecture | None:
        for _ in range(_DRAWS):
            found = self.space.sample(rng, self.budget, quantile=quantile)
            if found.id not in seen:
                return found
            quantile = rng.random()
        return next((found for found in self.space.architectures(self.budget) if found.id not in seen), None)


def van_der_corput(number: int) -> float:
    """The binary digits of `number + 1` mirrored at the point: in [0, 1), each far from those before it.

    >>> [van_der_corput(n) for n in range(5)]
    [0.5, 0.25, 0.75, 0.125, 0.625]
    """
    digits = format(number + 1, "b")[::-1]
    return int(digits, 2) / float(1 << len(digits))
