"""Which trials are worth their full training: rungs at which a trial stops, and which one goes on."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, final

from nas.objectives import Objectives, log_cost
from nas.quantity import counted
from nas.registry import Registry
from nas.results.pareto import ParetoFront, Scored
from nas.strategies.base import StrategyError
from nas.strategies.evolution import survivors
from nas.strategies.history import History, Tried
from nas.strategies.learning_curve import Expected, expected
from nas.strategies.rank_correlation import rank_correlation

REDUCTION = 3
"""Of the trials that reach a rung at least one in this many goes on; the next rung is this many times as far."""

RUNGS = 3
"""At most, the full training included; more of them save little."""

BAND = 2.0
"""Trials whose costs differ by up to this factor are of similar size: only those are compared at a rung."""

ENOUGH = 2
"""Full trainings among the trials of similar size, before any of them is stopped."""

INFORMATIVE, INFORMED = 0.3, 10
"""Rank correlation at equal size of scores at a rung with those at the end, below which nobody is stopped there; and
how many full trainings it takes to tell."""


class EarlyStopping(ABC):
    """Decides at rungs. It keeps no state: the same history gives the same decision.

    Args:
        epochs: of a full training.
        objectives: what the search wants, and where.
    """

    def __init__(self, epochs: int, objectives: Objectives) -> None:
        self.epochs, self.objectives = epochs, objectives

    @property
    @abstractmethod
    def rungs(self) -> tuple[int, ...]:
        """Epochs after which a trial stops; the last is the full training."""

    @abstractmethod
    def promote(self, history: History[Any], *, more: bool) -> int | None:
        """The number of the stopped trial that goes on to its next rung now, or None.

        Args:
            history: every trial so far.
            more: whether new trials may still come.
        """

    def note(self, history: History[Any]) -> str:
        """What the user should know about how it goes, in a line; "" if there is nothing."""
        return ""

    def target(self, trained: int) -> int:
        """The epoch at which a trial stops next that was trained for `trained` epochs, fewer than in full."""
        return next(rung for rung in self.rungs if rung > trained)


EARLY_STOPPING: Registry[type[EarlyStopping]] = Registry("early stopping", StrategyError)
"""Every kind of early stopping by its name in experiment files."""

register = EARLY_STOPPING.register


@final
@register("none")
class NoEarlyStopping(EarlyStopping):
    """Every trial is trained in full."""

    @property
    def rungs(self) -> tuple[int, ...]:
        return (self.epochs,)

    def promote(self, history: History[Any], *, more: bool) -> int | None:
        return None


@final
@register("pareto-asha")
class ParetoAsha(EarlyStopping):
    """Asynchronous successive halving (Li et al., 2020) within bands of similar size.

    A trial is compared only with trials of similar costs, never with much smaller or larger ones, and nobody in a band
    is stopped before `ENOUGH` of it were trained in full. Then the best third at a rung goes on, and so does every
    trial that is expected to reach the front: one whose predicted score beats every full training of equal or lower
    cost. Ranks at a rung are noisy, and a front consists of the few trials that they misjudge. These trials do not wait
    until no new ones come, because a strategy learns most from full trainings.

    Where scores at a rung say little of those at the end, every trial goes on to the next. So does one whose score is
    still 0 below the last rung, as that of detection is for some epochs: all that are there tie.
    """

    @property
    def rungs(self) -> tuple[int, ...]:
        epochs = [self.epochs]
        while len(epochs) < RUNGS and epochs[-1] > 1:
            epochs.append(max(1, epochs[-1] // REDUCTION))
        return tuple(reversed(epochs))

    def promote(self, history: History[Any], *, more: bool) -> int | None:
        waiting = sorted(history.stopped, key=lambda trial: (-len(trial.curve), trial.number))
        if not waiting:
            return None
        silent = self._uninformative(history)
        for trial in waiting:
            if len(trial.curve) in silent or (not any(trial.curve) and len(trial.curve) < self.rungs[-2]):
                return trial.number
            if self._is_among_few(trial, history) or self._is_among_the_best(trial, history):
                return trial.number
        return _most_promising(history, self.objectives)

    def note(self, history: History[Any]) -> str:
        silent = self._uninformative(history)
        if not silent:
            return ""
        told = " and ".join(
            f"{counted(rung, 'epoch')} (rank correlation {value:.2f})" for rung, value in silent.items()
        )
        off = len(silent) == len(self.rungs) - 1
        return (
            f"among networks of one size, scores after {told} hardly tell those after {self.epochs:,}: "
            f"{'early stopping is off, and all are trained in full' if off else 'no trial is stopped there'}"
        )

    def _uninformative(self, history: History[Any]) -> dict[int, float]:
        """Rungs whose scores tell little, and the rank correlation; none while too little is known."""
        full = [trial for trial in history.completed if len(trial.curve) >= self.epochs]
        if len(full) < INFORMED:
            return {}
        sizes = [trial.cost(self.objectives.axis) for trial in full]
        ends = [trial.score for trial in full]
        found = {
            rung: rank_correlation([max(trial.curve[:rung]) for trial in full], ends, given=sizes)
            for rung in self.rungs[:-1]
        }
        return {rung: value for rung, value in found.items() if value < INFORMATIVE}

    def _is_among_few(self, trial: Tried[Any], history: History[Any]) -> bool:
        """Whether too few of similar size were trained in full, or are about to be."""
        going_on = [each for each in history.running if each.curve]
        return sum(self._are_similar(trial, each) for each in (*history.completed, *going_on)) < ENOUGH

    def _is_among_the_best(self, trial: Tried[Any], history: History[Any]) -> bool:
        """Whether it is in the best third of those of similar size at its rung."""
        rung = len(trial.curve)
        there = [each for each in reached(history, rung) if self._are_similar(trial, each)]
        better = sum(each.score > max(trial.curve) for each in there)
        return better < len(there) // REDUCTION

    def _are_similar(self, trial: Scored, other: Scored) -> bool:
        return all(
            abs(log_cost(trial.cost(cost)) - log_cost(other.cost(cost))) <= math.log(BAND) + 1e-9
            for cost in self.objectives.costs
        )


@final
@register("one-epoch-then-top-k")
class OneEpochThenTopK(EarlyStopping):
    """All trials get one epoch, then the best third is trained in full: the simplest rule that others have to beat."""

    @property
    def rungs(self) -> tuple[int, ...]:
        return (1, self.epochs) if self.epochs > 1 else (1,)

    def promote(self, history: History[Any], *, more: bool) -> int | None:
        if more or any(not trial.curve for trial in history.running):
            return None
        there = reached(history, 1)
        return _first_waiting(survivors(there, math.ceil(len(there) / REDUCTION), self.objectives), history, 1)


def make_early_stopping(name: str, epochs: int, objectives: Objectives) -> EarlyStopping:
    """By name.

    Raises:
        StrategyError: there is none of that name.
    """
    return EARLY_STOPPING.find(name)(epochs, objectives)


def reached(history: History[Any], rung: int) -> list[Expected[Any]]:
    """The trials that were trained for at least `rung` epochs, at the best score that they had then."""
    return [Expected(trial, max(trial.curve[:rung])) for trial in history.trials if len(trial.curve) >= rung]


def _most_promising(history: History[Any], objectives: Objectives) -> int | None:
    """The stopped trial that is expected to exceed the front by most, or None."""
    import numpy as np

    known, costs = expected(history), objectives.costs
    numbers = {trial.number for trial in history.stopped}
    stopped = [trial for trial in known if trial.number in numbers]
    if not stopped:
        return None
    # A trial that goes on already counts as if it had ended as expected, so that many workers do not all pick alike.
    front = ParetoFront.of((trial for trial in known if trial.number not in numbers), costs)
    front_costs, own_costs = (
        np.array([[trial.cost(cost) for cost in costs] for trial in those]).reshape(-1, 1, len(costs))
        for those in (front, stopped)
    )
    is_cheaper = (front_costs <= own_costs.transpose(1, 0, 2)).all(axis=2)
    scores = np.array([trial.score for trial in front]).reshape(-1, 1)
    to_exceed = np.where(is_cheaper, scores, 0.0).max(axis=0, initial=0.0)
    gains = np.array([trial.score for trial in stopped]) - to_exceed
    best = int(gains.argmax())
    return stopped[best].number if gains[best] > 0 else None


def _first_waiting(best: Sequence[Scored], history: History[Any], rung: int) -> int | None:
    waiting = {trial.number for trial in history.stopped if len(trial.curve) == rung}
    return next((trial.number for trial in best if trial.number in waiting), None)
