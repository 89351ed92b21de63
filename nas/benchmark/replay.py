"""One strategy on one table: what it would have found without training anything."""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

from nas.architecture import Budget
from nas.benchmark.score import Truth
from nas.benchmark.table import Row
from nas.pareto import ParetoFront
from nas.strategies import Strategy
from nas.trial import TrialStatus


@final
@dataclass(frozen=True, kw_only=True, slots=True)
class Replayed:
    """A trial on a table, as a strategy reads it."""

    number: int
    architecture: Row
    val_accuracy: float
    status: TrialStatus = TrialStatus.COMPLETED
    curve: tuple[float, ...] = ()

    @property
    def completed(self) -> bool:
        return self.status is TrialStatus.COMPLETED

    @property
    def parameters(self) -> int:
        return self.architecture.parameters

    @property
    def macs(self) -> int:
        return 0


@final
@dataclass(frozen=True, kw_only=True, slots=True)
class Run:
    """What one replay came to.

    Attributes:
        shares: of the true front's hypervolume after each of the trial counts that were asked for.
        trials: that were made; fewer than asked for if there were no more architectures.
        repeats: trials on a network that had been tried already.
        infeasible: trials on a network outside the budget.
        seconds: for one proposal, mean.
        exhausted: whether the strategy had no more proposals.
    """

    shares: tuple[float, ...]
    trials: int
    repeats: int
    infeasible: int
    seconds: float
    exhausted: bool


def replay(strategy: Strategy[Row], *, truth: Truth, budget: Budget, trials: Sequence[int], seed: int) -> Run:
    """Run a strategy on a table.

    The strategy is told one noisy observation of each row, always the same in one run. What is scored is what the run
    would have kept: the front of its observations, with the mean accuracies of these rows.

    Args:
        strategy: over a table's space, inside `budget`.
        truth: of the same table and budget.
        budget: limits; a proposal outside costs a trial and counts as infeasible.
        trials: counts at which to score, ascending.
        seed: of the run's observations and of the strategy's randomness.
    """
    history: list[Replayed] = []
    shares: list[float] = []
    seen: set[int] = set()
    repeats = infeasible = 0
    exhausted, spent = False, 0.0
    for wanted in trials:
        while len(history) < wanted and not exhausted:
            number = len(history)
            started = time.perf_counter()
            proposals = strategy.propose(history, 1, random.Random(f"{seed}/{number}"))
            spent += time.perf_counter() - started
            exhausted = not proposals
            for row in proposals:
                repeats += row.number in seen
                inside = budget.admits(row.count)
                infeasible += not inside
                seen.add(row.number)
                status = TrialStatus.COMPLETED if inside else TrialStatus.FAILED
                history.append(
                    Replayed(number=number, architecture=row, val_accuracy=observed(row, seed), status=status)
                )
        believed = ParetoFront.of(history).points
        shares.append(truth.share(trial.architecture for trial in believed))
    return Run(
        shares=tuple(shares),
        trials=len(history),
        repeats=repeats,
        infeasible=infeasible,
        seconds=spent / max(len(history), 1),
        exhausted=exhausted,
    )


def observed(row: Row, seed: int) -> float:
    """What a run is told of a row: the accuracy of one of its trainings."""
    return random.Random(f"{seed}/{row.number}/observation").choice(row.observations)
