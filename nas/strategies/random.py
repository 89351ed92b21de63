"""Random search that wastes nothing: inside the budget, never twice, evenly over the sizes."""

from __future__ import annotations

import random
from typing import final

from nas.space.protocol import AnyCandidate
from nas.strategies.base import Strategy, register
from nas.strategies.history import History
from nas.strategies.proposals import fresh


@final
@register("random")
class RandomStrategy(Strategy[AnyCandidate]):
    """Random search, each proposal of a size far from those before it.

    The sizes follow the van der Corput sequence over the logarithm of the parameter count, so that any number of
    trials covers the budget evenly: the baseline that every other strategy has to beat.
    """

    def propose(self, history: History[AnyCandidate], rng: random.Random) -> AnyCandidate | None:
        return fresh(self, history, rng)
