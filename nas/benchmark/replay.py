"""One strategy on one table: what it would have found without training anything."""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import final

from nas.architecture import Budget
from nas.benchmark.table import Row
from nas.benchmark.truth import Truth
from nas.objectives import Cost
from nas.results.pareto import ParetoFront
from nas.results.trial import TrialStatus
from nas.strategies import History, Strategy
from nas.strategies.early_stopping import EarlyStopping


@final
@dataclass(frozen=True, kw_only=True, slots=True)
class Replayed:
    """A trial on a table, as a strategy reads it."""

    number: int
    architecture: Row
    score: float
    status: TrialStatus = TrialStatus.COMPLETED
    curve: tuple[float, ...] = ()

    @property
    def completed(self) -> bool:
        return self.status is TrialStatus.COMPLETED

    def cost(self, cost: Cost) -> float:
        """As the table has it."""
        return float(cost.of(self.architecture.count))

    def has_cost(self, cost: Cost) -> bool:
        """Whether the table has it."""
        return cost.is_counted


@final
@dataclass(frozen=True, kw_only=True, slots=True)
class Run:
    """The outcome of one replay.

    Attributes:
        shares: of the true front's hypervolume, after the epochs of as many full trainings as were asked for.
        trials: that were made; fewer than asked for if there were no more architectures.
        trainings: epochs that were spent, in full trainings.
        repeats: trials on a network that had been tried already.
        infeasible: trials on a network outside the budget.
        seconds: for one proposal, mean.
        exhausted: whether the strategy had no more proposals.
        whole_table: the share that the run would have reached with every network inside the budget. Below 1 where its
            one observation of each is noisy; a run that reaches more was lucky.
    """

    shares: tuple[float, ...]
    trials: int
    trainings: float
    repeats: int
    infeasible: int
    seconds: float
    exhausted: bool
    whole_table: float


def replay(
    strategy: Strategy[Row],
    early_stopping: EarlyStopping,
    *,
    truth: Truth,
    budget: Budget,
    trials: Sequence[int],
    most: int | None,
    seed: int,
) -> Run:
    """Run a strategy on a table.

    The strategy is told one noisy observation of each row, always the same in one run. The share is that of what the
    run would have kept: the front of its observations, with the mean scores of these rows. Only trials that were
    trained in full are on it.

    Args:
        strategy: over a table's space, inside `budget`.
        early_stopping: which trials are worth their full training, and how long that is.
        truth: of the same table and budget.
        budget: limits; a proposal outside costs as many epochs as one inside, and counts as infeasible.
        trials: counts at which to take the share, ascending, in full trainings' worth of epochs; without early stopping
            that is in trials.
        most: trials that are started; None: as many as the epochs allow.
        seed: of the run's observations and of the strategy's randomness.
    """
    done: list[Replayed] = []
    shares: list[float] = []
    epochs, seconds, exhausted = 0, 0.0, False
    while True:
        more = not exhausted and (most is None or len(done) < most)
        history, row, trained = History.of(done), None, 0
        started = time.perf_counter()
        number = early_stopping.promote(history, more=more)
        if number is None and more:
            row = strategy.propose(history, random.Random(f"{seed}/{len(done)}"))
            exhausted = row is None
        seconds += time.perf_counter() - started
        if number is not None:
            row, trained = done[number].architecture, len(done[number].curve)
        elif row is not None:
            number = len(done)
        elif more:
            # Without new trials others may go on.
            continue
        else:
            break
        target = early_stopping.target(trained)
        trial = _trained(row, number, target, early_stopping, seed)
        if not budget.admits(row.count):
            trial = replace(trial, status=TrialStatus.FAILED)
        cost = target - trained
        # A training that ends after a count does not count there.
        reached = sum(count * early_stopping.epochs < epochs + cost for count in trials[len(shares) :])
        shares += [_share(truth, done)] * reached
        if len(shares) == len(trials):
            break
        epochs += cost
        done[trial.number : trial.number + 1] = [trial]
    shares += [_share(truth, done)] * (len(trials) - len(shares))
    tried = [trial.architecture.number for trial in done]
    return Run(
        shares=tuple(shares),
        trials=len(done),
        trainings=epochs / early_stopping.epochs,
        repeats=len(tried) - len(set(tried)),
        infeasible=sum(trial.status is TrialStatus.FAILED for trial in done),
        seconds=seconds / max(len(done), 1),
        exhausted=exhausted,
        whole_table=whole_table(truth, seed),
    )


@lru_cache(maxsize=1_000)
def whole_table(truth: Truth, seed: int) -> float:
    """See `Run`."""
    return _share(truth, [_in_full(row, number, seed) for number, row in enumerate(truth.rows)])


def _trained(row: Row, number: int, target: int, early_stopping: EarlyStopping, seed: int) -> Replayed:
    """A row after `target` epochs, in a run that is told of one of its trainings."""
    full = _in_full(row, number, seed)
    if target == early_stopping.epochs:
        return full
    curve = full.curve[:target]
    status = TrialStatus.STOPPED
    return Replayed(number=number, architecture=row, score=max(curve), curve=curve, status=status)


def _in_full(row: Row, number: int, seed: int) -> Replayed:
    """A row after all epochs."""
    training = _training(row, seed)
    curve = tuple(row.curves[training].values()) if row.curves else ()
    return Replayed(number=number, architecture=row, score=row.observations[training], curve=curve)


def _share(truth: Truth, trials: Sequence[Replayed]) -> float:
    return truth.share(trial.architecture for trial in ParetoFront.of(trials))


def observed(row: Row, seed: int) -> float:
    """What a run is told of a row: the score of one of its trainings."""
    return row.observations[_training(row, seed)]


def _training(row: Row, seed: int) -> int:
    return random.Random(f"{seed}/{row.number}/observation").choice(range(len(row.observations)))
