"""What a strategy and early stopping are given: every trial so far."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Generic, Protocol, TypeVar, final

from nas.objectives import Cost
from nas.results.pareto import Scored
from nas.results.trial import TrialRecord, TrialStatus
from nas.space.protocol import AnyCandidate, Candidate
from nas.space.recipe_space import Proposal

CandidateOut = TypeVar("CandidateOut", bound=Candidate, covariant=True)


class Tried(Scored, Protocol[CandidateOut]):
    """What is read of a trial; `nas.results.trial.TrialRecord` has all of it."""

    @property
    def architecture(self) -> CandidateOut: ...
    @property
    def status(self) -> TrialStatus: ...
    @property
    def curve(self) -> Sequence[float]:
        """Validation score after each epoch so far."""
        ...

    def has_cost(self, cost: Cost) -> bool:
        """Whether that cost is known."""
        ...


@final
@dataclass(frozen=True, slots=True)
class Proposed:
    """A trial of a search as strategies see it: its network and its recipe are one candidate."""

    record: TrialRecord

    @property
    def architecture(self) -> Proposal:
        return Proposal(self.record.architecture, self.record.recipe)

    @property
    def number(self) -> int:
        return self.record.number

    @property
    def status(self) -> TrialStatus:
        return self.record.status

    @property
    def completed(self) -> bool:
        return self.record.completed

    @property
    def score(self) -> float:
        return self.record.score

    @property
    def curve(self) -> Sequence[float]:
        return self.record.curve

    def cost(self, cost: Cost) -> float:
        return self.record.cost(cost)

    def has_cost(self, cost: Cost) -> bool:
        return self.record.has_cost(cost)


def history_of(records: Iterable[TrialRecord]) -> History[Proposal]:
    """Of a search's trials, in order of their numbers."""
    return History.of(map(Proposed, records))


@final
@dataclass(frozen=True)
class History(Generic[AnyCandidate]):
    """Every trial of a search so far, also by what became of it.

    Attributes:
        trials: all of them, in order of their numbers.
    """

    trials: tuple[Tried[AnyCandidate], ...] = ()

    @classmethod
    def of(cls, trials: Iterable[Tried[AnyCandidate]]) -> History[AnyCandidate]:
        """Of trials in order of their numbers."""
        return cls(tuple(trials))

    def __len__(self) -> int:
        return len(self.trials)

    @cached_property
    def ids(self) -> frozenset[str]:
        """Of all architectures that were tried."""
        return frozenset(trial.architecture.id for trial in self.trials)

    @cached_property
    def completed(self) -> tuple[Tried[AnyCandidate], ...]:
        """Trained in full."""
        return self._in(TrialStatus.COMPLETED)

    @cached_property
    def stopped(self) -> tuple[Tried[AnyCandidate], ...]:
        """At a rung of early stopping."""
        return self._in(TrialStatus.STOPPED)

    @cached_property
    def running(self) -> tuple[Tried[AnyCandidate], ...]:
        """In training now, for the first time or after a stop."""
        return self._in(TrialStatus.RUNNING)

    @cached_property
    def refused(self) -> tuple[Tried[AnyCandidate], ...]:
        """Over a limit that only a measurement shows; not trained."""
        return self._in(TrialStatus.REFUSED)

    @cached_property
    def failed(self) -> tuple[Tried[AnyCandidate], ...]:
        """Ended by an error."""
        return self._in(TrialStatus.FAILED)

    def _in(self, status: TrialStatus) -> tuple[Tried[AnyCandidate], ...]:
        return tuple(trial for trial in self.trials if trial.status is status)
