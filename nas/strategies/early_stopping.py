"""Which trials are worth their full training: rungs at which a trial stops, and who may go on."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from difflib import get_close_matches
from typing import Any, ClassVar, final

from nas.objectives import PARAMETERS
from nas.results.pareto import ParetoFront
from nas.results.trial import TrialStatus
from nas.strategies.base import StrategyError, Tried
from nas.strategies.evolution import survivors
from nas.strategies.learning_curve import Expected, expected

REDUCTION = 3
"""Of the trials that reach a rung at least one in this many goes on; the next rung is this many times as far."""

RUNGS = 3
"""At most, the full training included: more of them earn little."""


class EarlyStopping(ABC):
    """Decides at rungs. It keeps no state: the same trials give the same decisions.

    Args:
        epochs: of a full training.
        costs: what shall be low while accuracy is high; see `nas.objectives.COSTS`.
    """

    name: ClassVar[str]

    def __init__(self, epochs: int, costs: tuple[str, ...] = PARAMETERS) -> None:
        self.epochs, self.costs = epochs, costs

    @property
    @abstractmethod
    def rungs(self) -> tuple[int, ...]:
        """Epochs after which a trial stops; the last is the full training."""

    @abstractmethod
    def promote(self, trials: Sequence[Tried[Any]], *, more: bool) -> int | None:
        """The number of the stopped trial that shall go on to its next rung now, or None.

        Args:
            trials: all of them.
            more: whether new trials may still come.
        """

    def target(self, trained: int) -> int:
        """Up to which epoch a trial goes on that was trained for `trained` epochs, fewer than a full training has."""
        return next(rung for rung in self.rungs if rung > trained)


@final
class NoEarlyStopping(EarlyStopping):
    """Every trial is trained in full."""

    name = "none"

    @property
    def rungs(self) -> tuple[int, ...]:
        return (self.epochs,)

    def promote(self, trials: Sequence[Tried[Any]], *, more: bool) -> int | None:
        return None


@final
class ParetoAsha(EarlyStopping):
    """Asynchronous successive halving (Li et al., 2020), ranked by non-dominated sorting (Schmucker et al., 2021).

    Costs are known, so a small network is never compared with a large one for accuracy alone: it goes on if no network
    of at most its costs was better at the same epoch. Then whatever may still belong to the search's front goes on, the
    most promising first: a trial whose accuracy, as its curve lets expect it and one standard deviation higher, would
    be above what trainings that were not stopped, of at most its costs, came to. Ranks at a rung are noisy, and a front
    is made of the few that they are wrong about. That is not put off until no new trials come: a strategy learns most
    from full trainings.
    """

    name = "pareto-asha"

    @property
    def rungs(self) -> tuple[int, ...]:
        epochs = [self.epochs]
        while len(epochs) < RUNGS and epochs[-1] > 1:
            epochs.append(max(1, epochs[-1] // REDUCTION))
        return tuple(reversed(epochs))

    def promote(self, trials: Sequence[Tried[Any]], *, more: bool) -> int | None:
        for rung in reversed(self.rungs[:-1]):
            there = reached(trials, rung)
            best = survivors(there, len(there) // REDUCTION, self.costs)
            if (found := _first_waiting(best, trials, rung)) is not None:
                return found
        return _most_promising(trials, self.costs)


@final
class OneEpochThenTopK(EarlyStopping):
    """All trials get one epoch, then the best third is trained in full: the simplest rule that others have to beat."""

    name = "one-epoch-then-top-k"

    @property
    def rungs(self) -> tuple[int, ...]:
        return (1, self.epochs) if self.epochs > 1 else (1,)

    def promote(self, trials: Sequence[Tried[Any]], *, more: bool) -> int | None:
        first = any(trial.status is TrialStatus.RUNNING and not trial.curve for trial in trials)
        if more or first:
            return None
        there = reached(trials, 1)
        return _first_waiting(survivors(there, math.ceil(len(there) / REDUCTION), self.costs), trials, 1)


EARLY_STOPPING = {kind.name: kind for kind in (NoEarlyStopping, ParetoAsha, OneEpochThenTopK)}
"""Every kind of early stopping by its name in experiment files."""


def make_early_stopping(name: str, epochs: int, costs: tuple[str, ...] = PARAMETERS) -> EarlyStopping:
    """By name.

    Raises:
        StrategyError: there is none of that name.
    """
    if name not in EARLY_STOPPING:
        close = get_close_matches(name, EARLY_STOPPING, n=1)
        hint = f" (did you mean {close[0]!r}?)" if close else ""
        raise StrategyError(f"there is no early stopping {name!r}{hint}; there are {', '.join(EARLY_STOPPING)}")
    return EARLY_STOPPING[name](epochs, costs)


def reached(trials: Sequence[Tried[Any]], rung: int) -> list[Expected[Any]]:
    """The trials that were trained for at least `rung` epochs, with the best accuracy that they had then."""
    return [Expected(trial, max(trial.curve[:rung])) for trial in trials if len(trial.curve) >= rung]


def _most_promising(trials: Sequence[Tried[Any]], costs: tuple[str, ...]) -> int | None:
    """The stopped trial that may exceed the front by most, or None."""
    import numpy as np

    known = expected(trials)
    numbers = {trial.number for trial in trials if trial.status is TrialStatus.STOPPED}
    stopped = [trial for trial in known if trial.number in numbers]
    if not stopped:
        return None
    # Those that go on now count as if they had ended as expected, so that many workers do not all go on at once.
    front = ParetoFront.of((trial for trial in known if trial.number not in numbers), costs)
    front_costs, own_costs = (
        np.array([[trial.cost(name) for name in costs] for trial in those]).reshape(-1, 1, len(costs))
        for those in (front, stopped)
    )
    is_cheaper = (front_costs <= own_costs.transpose(1, 0, 2)).all(axis=2)
    accuracies = np.array([trial.val_accuracy for trial in front]).reshape(-1, 1)
    to_exceed = np.where(is_cheaper, accuracies, 0.0).max(axis=0, initial=0.0)
    gains = np.array([trial.val_accuracy + trial.deviation for trial in stopped]) - to_exceed
    best = int(gains.argmax())
    return stopped[best].number if gains[best] > 0 else None


def _first_waiting(best: Sequence[Tried[Any]], trials: Sequence[Tried[Any]], rung: int) -> int | None:
    waiting = {trial.number for trial in trials if trial.status is TrialStatus.STOPPED and len(trial.curve) == rung}
    return next((trial.number for trial in best if trial.number in waiting), None)
