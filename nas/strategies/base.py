"""How to search: the contract of strategies and their registry."""

from __future__ import annotations

import random
from abc import ABC, abstractmethod
from typing import Any, ClassVar, Generic

from nas.architecture import Budget
from nas.errors import NasError
from nas.objectives import DEFAULT_COSTS, Cost
from nas.registry import Registry
from nas.space.protocol import AnyCandidate, Space
from nas.strategies.history import History


class StrategyError(NasError):
    """A strategy that does not exist or cannot work on the space."""


class Strategy(ABC, Generic[AnyCandidate]):
    """Proposes what to try next, given everything that was tried.

    A strategy keeps nothing between calls that would change a proposal: the same history and the same random numbers
    give the same proposal, so that a search that was killed goes on as if it had not been.

    Args:
        space: what may be proposed.
        budget: every proposal is inside it.
        costs: to be low while the score is high.
    """

    name: ClassVar[str]

    def __init__(self, space: Space[AnyCandidate], budget: Budget, costs: tuple[Cost, ...] = DEFAULT_COSTS) -> None:
        space.check(budget)
        self.space, self.budget, self.costs = space, budget, costs

    @abstractmethod
    def propose(self, history: History[AnyCandidate], rng: random.Random) -> AnyCandidate | None:
        """What to try next: an architecture inside the budget that is not in the history.

        None only when the space has no more.

        Args:
            history: every trial so far, running and failed ones included.
            rng: the only source of randomness.
        """


STRATEGIES: Registry[type[Strategy[Any]]] = Registry("strategy", StrategyError)
"""Every strategy by its name in experiment files."""

register = STRATEGIES.register


def make_strategy(
    name: str, space: Space[AnyCandidate], budget: Budget, costs: tuple[Cost, ...] = DEFAULT_COSTS
) -> Strategy[AnyCandidate]:
    """A strategy by name.

    Raises:
        StrategyError: there is none of that name, or what it needs is not installed.
        BudgetError: nothing in the space meets the budget.
    """
    return STRATEGIES.find(name)(space, budget, costs)
