"""How to search: the contract of strategies and their registry."""

from __future__ import annotations

import random
from abc import ABC, abstractmethod
from typing import Any, ClassVar, Generic

from nas.architecture import Budget
from nas.errors import NasError
from nas.objectives import Cost, Objectives
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
        objectives: what the search wants, and where.
    """

    name: ClassVar[str]
    learns: ClassVar[bool] = False
    """Whether it begins where networks were good that are known of the space, if there are any."""

    def __init__(self, space: Space[AnyCandidate], budget: Budget, objectives: Objectives) -> None:
        space.check(budget)
        self.space, self.budget, self.objectives = space, budget, objectives

    @property
    def costs(self) -> tuple[Cost, ...]:
        """To be low."""
        return self.objectives.costs

    @abstractmethod
    def propose(self, history: History[AnyCandidate], rng: random.Random) -> AnyCandidate | None:
        """What to try next: an architecture inside the budget that is not in the history.

        None only when the space has no more.

        Args:
            history: every trial so far, running and failed ones included.
            rng: the only source of randomness.
        """

    def expected_gain(self, history: History[AnyCandidate], rng: random.Random) -> float | None:
        """By how much the next proposal is expected to raise the hypervolume; None: the strategy has no idea."""
        del history, rng
        return None


STRATEGIES: Registry[type[Strategy[Any]]] = Registry("strategy", StrategyError)
"""Every strategy by its name in experiment files."""

register = STRATEGIES.register


def make_strategy(
    name: str, space: Space[AnyCandidate], budget: Budget, objectives: Objectives
) -> Strategy[AnyCandidate]:
    """A strategy by name.

    Raises:
        StrategyError: there is none of that name, or what it needs is not installed.
        BudgetError: nothing in the space meets the budget.
    """
    return STRATEGIES.find(name)(space, budget, objectives)
