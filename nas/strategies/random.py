"""Random search that wastes nothing: inside the budget, never twice, evenly over the sizes."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import final

from nas.space.protocol import AnyCandidate
from nas.strategies.base import Strategy, Tried, register
from nas.strategies.proposals import collect


@final
@register("random")
class RandomStrategy(Strategy[AnyCandidate]):
    """Random search, each proposal of a size that little of what was tried is near to.

    The sizes follow the van der Corput sequence over the logarithm of the parameter count, so that any number of
    trials covers the budget evenly: the baseline that every other strategy has to beat.
    """

    def propose(self, history: Sequence[Tried[AnyCandidate]], count: int, rng: random.Random) -> list[AnyCandidate]:
        return collect(self.space, self.budget, history, count, rng)
