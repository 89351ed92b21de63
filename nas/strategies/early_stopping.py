"""Which trials are worth their full training: rungs at which a trial stops, and which one goes on."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, final

from nas.objectives import DEFAULT_COSTS, Cost
from nas.registry import Registry
from nas.results.pareto import ParetoFront, Scored
from nas.strategies.base import StrategyError
from nas.strategies.evolution import survivors
from nas.strategies.history import History
from nas.strategies.learning_curve import Expected, expected

REDUCTION = 3
"""Of the trials that reach a rung at least one in this many goes on; the next rung is this many times as far."""

RUNGS = 3
"""At most, the full training included; more of them save little."""


class EarlyStopping(ABC):
    """Decides at rungs. It keeps no state: the same history gives the same decision.

    Args:
        epochs: of a full training.
        costs: to be low while the score is high.
    """

    def __init__(self, epochs: int, costs: tuple[Cost, ...] = DEFAULT_COSTS) -> None:
        self.epochs, self.costs = epochs, costs

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
    """Asynchronous successive halving (Li et al., 2020), ranked by non-dominated sorting (Schmucker et al., 2021).

    Costs are known, so a small network is never compared with a large one by score alone: it goes on if no network of
    equal or lower cost was better at the same epoch. Then every trial that may still reach the front goes on, the most
    promising first: one whose predicted score plus one standard deviation beats every full training of equal or lower
    cost. Ranks at a rung are noisy, and a front consists of the few trials that they misjudge. These trials do not wait
    until no new ones come, because a strategy learns most from full trainings.
    """

    @property
    def rungs(self) -> tuple[int, ...]:
        epochs = [self.epochs]
        while len(epochs) < RUNGS and epochs[-1] > 1:
            epochs.append(max(1, epochs[-1] // REDUCTION))
        return tuple(reversed(epochs))

    def promote(self, history: History[Any], *, more: bool) -> int | None:
        for rung in reversed(self.rungs[:-1]):
            there = reached(history, rung)
            best = survivors(there, len(there) // REDUCTION, self.costs)
            if (found := _first_waiting(best, history, rung)) is not None:
                return found
        return _most_promising(history, self.costs)


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
        return _first_waiting(survivors(there, math.ceil(len(there) / REDUCTION), self.costs), history, 1)


def make_early_stopping(name: str, epochs: int, costs: tuple[Cost, ...] = DEFAULT_COSTS) -> EarlyStopping:
    """By name.

    Raises:
        StrategyError: there is none of that name.
    """
    return EARLY_STOPPING.find(name)(epochs, costs)


def reached(history: History[Any], rung: int) -> list[Expected[Any]]:
    """The trials that were trained for at least `rung` epochs, at the best score that they had then."""
    return [Expected(trial, max(trial.curve[:rung])) for trial in history.trials if len(trial.curve) >= rung]


def _most_promising(history: History[Any], costs: tuple[Cost, ...]) -> int | None:
    """The stopped trial that may exceed the front by most, or None."""
    import numpy as np

    known = expected(history)
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
    gains = np.array([trial.score + trial.deviation for trial in stopped]) - to_exceed
    best = int(gains.argmax())
    return stopped[best].number if gains[best] > 0 else None


def _first_waiting(best: Sequence[Scored], history: History[Any], rung: int) -> int | None:
    waiting = {trial.number for trial in history.stopped if len(trial.curve) == rung}
    return next((trial.number for trial in best if trial.number in waiting), None)
