"""What a strategy and early stopping are given: every trial so far."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Generic, Protocol, TypeVar, final

from nas.objectives import Cost
from nas.results.pareto import Scored
from nas.results.trial import TrialStatus
from nas.space.protocol import AnyCandidate, Candidate

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
