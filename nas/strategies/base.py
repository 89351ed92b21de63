"""How to search: the contract of strategies and their registry."""

from __future__ import annotations

import random
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from difflib import get_close_matches
from typing import Any, ClassVar, Generic, Protocol, TypeVar

from nas.architecture import Budget
from nas.errors import NasError
from nas.objectives import PARAMETERS
from nas.results.trial import TrialStatus
from nas.space.protocol import AnyCandidate, Candidate, Space


class StrategyError(NasError):
    """A strategy that does not exist or cannot work on the space."""


CandidateOut = TypeVar("CandidateOut", bound=Candidate, covariant=True)


class Tried(Protocol[CandidateOut]):
    """What a strategy reads of a trial; `nas.results.trial.TrialRecord` has all of it."""

    @property
    def number(self) -> int: ...
    @property
    def architecture(self) -> CandidateOut: ...
    @property
    def status(self) -> TrialStatus: ...
    @property
    def completed(self) -> bool: ...
    @property
    def parameters(self) -> int: ...
    @property
    def macs(self) -> int: ...
    @property
    def val_accuracy(self) -> float:
        """In [0, 1]; only asked of a completed trial."""
        ...

    def cost(self, name: str) -> float:
        """One of `nas.objectives.COSTS`.

        Raises:
            KeyError: it was not measured.
        """
        ...

    @property
    def curve(self) -> Sequence[float]:
        """Validation accuracy after each epoch so far."""
        ...


class Strategy(ABC, Generic[AnyCandidate]):
    """Ask and tell over a space: what to try next, given everything that was tried.

    A strategy keeps nothing between calls that would change a proposal: the same history and the same random numbers
    give the same proposals, so that a search that was killed goes on as if it had not been.

    Args:
        space: what may be proposed.
        budget: what every proposal is inside of.
        costs: what shall be low while accuracy is high; see `nas.objectives.COSTS`.
    """

    name: ClassVar[str]

    def __init__(self, space: Space[AnyCandidate], budget: Budget, costs: tuple[str, ...] = PARAMETERS) -> None:
        space.check(budget)
        self.space, self.budget, self.costs = space, budget, costs

    @abstractmethod
    def propose(self, history: Sequence[Tried[AnyCandidate]], count: int, rng: random.Random) -> list[AnyCandidate]:
        """What to try next.

        Args:
            history: every trial so far in order, running and failed ones included.
            count: how many proposals are wanted.
            rng: the only source of randomness.

        Returns:
            At most `count` architectures, inside the budget, different from each other and from all in the history;
            fewer, or none, only when the space has no more.
        """


STRATEGIES: dict[str, type[Strategy[Any]]] = {}
"""Every strategy by its name in experiment files."""

AnyStrategy = TypeVar("AnyStrategy", bound=type[Strategy[Any]])


def register(name: str) -> Callable[[AnyStrategy], AnyStrategy]:
    """Make a strategy known under its name in experiment files."""

    def add(cls: AnyStrategy) -> AnyStrategy:
        cls.name = name
        STRATEGIES[name] = cls
        return cls

    return add


def make_strategy(
    name: str, space: Space[AnyCandidate], budget: Budget, costs: tuple[str, ...] = PARAMETERS
) -> Strategy[AnyCandidate]:
    """A strategy by name.

    Raises:
        StrategyError: there is none of that name, or what it needs is not installed.
        BudgetError: nothing in the space meets the budget.
    """
    if name not in STRATEGIES:
        close = get_close_matches(name, STRATEGIES, n=1)
        hint = f" (did you mean {close[0]!r}?)" if close else ""
        raise StrategyError(f"there is no strategy {name!r}{hint}; there are {', '.join(sorted(STRATEGIES))}")
    return STRATEGIES[name](space, budget, costs)
