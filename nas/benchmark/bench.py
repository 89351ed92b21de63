"""Several strategies on several tables, each many times, on several processes."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from multiprocessing import active_children, get_context
from statistics import fmean, stdev
from typing import final

from nas.architecture import Budget
from nas.benchmark.peers import PEERS, PEERS_THAT_STOP, make_contestant
from nas.benchmark.replay import Run, replay
from nas.benchmark.table_space import TableSpace
from nas.benchmark.tables import load_table
from nas.benchmark.truth import Truth
from nas.devices.child_processes import end_with_parent, interrupts_for_parent_only
from nas.errors import NasError
from nas.strategies import History
from nas.strategies.early_stopping import EARLY_STOPPING, make_early_stopping

NONE = "none"
"""No early stopping."""


class BenchError(NasError):
    """A benchmark that did not finish."""


@final
@dataclass(frozen=True, kw_only=True, slots=True)
class Result:
    """A strategy on a table, or on several of equal weight.

    Attributes:
        table: its name.
        strategy: its name.
        early_stopping: its name.
        trials: counts at which the share was taken; with early stopping, in full trainings' worth of epochs.
        runs: for each repeat, by seed, the shares of the true front's hypervolume at these counts.
        tried: trials that were started, mean of a run.
        trainings: epochs that were spent in all, in full trainings, mean of a run.
        repeats: trials on a network that had been tried, mean of a run.
        infeasible: trials on a network outside the budget, mean of a run.
        seconds: for one proposal, mean.
        whole_table: share that a run would reach with all networks, one observation of each; mean of the runs.
        exhausted: architectures tried if the table had no more, else None.
    """

    table: str
    strategy: str
    early_stopping: str
    trials: tuple[int, ...]
    runs: tuple[tuple[float, ...], ...]
    tried: float
    trainings: float
    repeats: float
    infeasible: float
    seconds: float
    whole_table: float
    exhausted: int | None = None

    @property
    def shares(self) -> tuple[float, ...]:
        """Mean over the repeats, one a count."""
        return tuple(fmean(shares) for shares in zip(*self.runs, strict=True))

    @property
    def errors(self) -> tuple[float | None, ...]:
        """Standard errors of these means; None for a single run, of which nothing is known."""
        many = len(self.runs) > 1
        return tuple(
            stdev(shares) / math.sqrt(len(shares)) if many else None for shares in zip(*self.runs, strict=True)
        )

    @property
    def name(self) -> str:
        """Of the strategy, with its early stopping if it has any."""
        return self.strategy if self.early_stopping == NONE else f"{self.strategy}, {self.early_stopping}"


@final
@dataclass(frozen=True, kw_only=True, slots=True)
class Replay:
    """One replay."""

    table: str
    strategy: str
    early_stopping: str
    budget: Budget
    trials: tuple[int, ...]
    seed: int


@lru_cache(maxsize=4)
def _prepared(table: str, budget: Budget) -> tuple[TableSpace, Truth]:
    loaded = load_table(table)
    space = TableSpace(loaded)
    space.check(budget)
    return space, Truth(space, budget)


@cache
def _warm_up(strategy: str, table: str, budget: Budget) -> None:
    """Import a strategy's libraries, so that the first proposal is not charged for it."""
    space, truth = _prepared(table, budget)
    contestant, _ = make_contestant(strategy, space, budget, truth.objectives)
    contestant.propose(History(), random.Random(0))


def run_replay(task: Replay) -> Run:
    """The replay that a task describes."""
    space, truth = _prepared(task.table, task.budget)
    _warm_up(task.strategy, task.table, task.budget)
    objectives = truth.objectives
    strategy, own = make_contestant(task.strategy, space, task.budget, objectives)
    return replay(
        strategy,
        own
        or make_early_stopping(
            task.early_stopping, 1 if task.early_stopping == NONE else space.table.epochs, objectives
        ),
        truth=truth,
        budget=task.budget,
        trials=task.trials,
        # One with early stopping of its own also decides how many it starts.
        most=None if own else task.trials[-1],
        seed=task.seed,
    )


def bench(
    tables: Sequence[str],
    strategies: Sequence[str],
    *,
    trials: Sequence[int],
    repeats: int,
    early_stopping: Sequence[str] = (NONE,),
    budget: Budget | None = None,
    processes: int = 0,
    on_run: Callable[[int, int], None] | None = None,
) -> list[Result]:
    """Replay every strategy on every table.

    Args:
        tables: names of single tables, or paths of CSV files.
        strategies: names.
        trials: counts at which to score.
        repeats: runs of each, with the seeds 0, 1, ...
        early_stopping: names, each with every strategy. All but `none` need the tables' score after each epoch.
        budget: the same limits for all.
        processes: to run on; 0 for this one. Only the seconds depend on how many there are.
        on_run: told after every replay how many of how many are done.

    Raises:
        TableError: a table cannot be read, or lacks scores by epoch that are needed.
        StrategyError: there is no strategy or early stopping of a name.
        BudgetError: no row of a table is inside the budget.
    """
    counts = tuple(sorted(set(trials)))
    limits = budget or Budget()
    pairs = list(dict.fromkeys(pair for name in strategies for pair in _pairs(name, early_stopping)))
    # Mistakes are reported at once, by this process.
    for stopping in early_stopping:
        EARLY_STOPPING.find(stopping)
    for table in tables:
        space, truth = _prepared(table, limits)
        for strategy, stopping in pairs:
            make_contestant(strategy, space, limits, truth.objectives)
            if stopping != NONE:
                _ = space.table.epochs
    tasks = {
        (table, *pair): [
            Replay(table=table, strategy=pair[0], early_stopping=pair[1], budget=limits, trials=counts, seed=seed)
            for seed in range(repeats)
        ]
        for table in tables
        for pair in pairs
    }
    runs = iter(_run_all([task for group in tasks.values() for task in group], processes, on_run))
    return [_result(group[0], [next(runs) for _ in group]) for group in tasks.values()]


def _pairs(strategy: str, early_stopping: Sequence[str]) -> list[tuple[str, str]]:
    """A strategy with each kind of early stopping; a peer, which is told of a trial once, with its own or none."""
    if strategy in PEERS_THAT_STOP:
        return [(strategy, PEERS_THAT_STOP[strategy])]
    if strategy in PEERS:
        return [(strategy, NONE)]
    return [(strategy, stopping) for stopping in early_stopping]


def with_means(results: Sequence[Result], groups: Mapping[str, Sequence[str]]) -> list[Result]:
    """The results, and after them those of each group of several tables: for each contestant the mean of the means.

    Args:
        results: of single tables.
        groups: the tables by the name of their group.
    """
    means = []
    for name, tables in groups.items():
        members: dict[str, list[Result]] = {}
        for result in results:
            if result.table in tables:
                members.setdefault(result.name, []).append(result)
        if len(tables) > 1:
            means += [_mean(each, f"{name} (mean)") for each in members.values()]
    return [*results, *means]


def _mean(results: Sequence[Result], table: str) -> Result:
    # Seed by seed: on tables of the same networks runs of one seed try much the same, so that their luck is one.
    by_seed = zip(*(result.runs for result in results), strict=True)
    return replace(
        results[0],
        table=table,
        runs=tuple(tuple(fmean(shares) for shares in zip(*runs, strict=True)) for runs in by_seed),
        tried=fmean(result.tried for result in results),
        trainings=fmean(result.trainings for result in results),
        repeats=fmean(result.repeats for result in results),
        infeasible=fmean(result.infeasible for result in results),
        seconds=fmean(result.seconds for result in results),
        exhausted=None,
        whole_table=fmean(result.whole_table for result in results),
    )


def _run_all(tasks: Sequence[Replay], processes: int, on_run: Callable[[int, int], None] | None) -> list[Run]:
    runs = []
    if processes == 0:
        for task in tasks:
            runs.append(run_replay(task))
            if on_run is not None:
                on_run(len(runs), len(tasks))
        return runs
    others, spawn = set(active_children()), get_context("spawn")
    try:
        with ProcessPoolExecutor(processes, mp_context=spawn, initializer=end_with_parent) as pool:
            try:
                with interrupts_for_parent_only():
                    futures = [pool.submit(run_replay, task) for task in tasks]
                for future in futures:
                    runs.append(future.result())
                    if on_run is not None:
                        on_run(len(runs), len(tasks))
            except KeyboardInterrupt:
                for process in set(active_children()) - others:
                    process.kill()  # otherwise what runs would be waited for
                raise
    except BrokenProcessPool:
        raise BenchError(
            f"a process of the benchmark was killed after {len(runs)} of {len(tasks)} runs; run it again, with fewer "
            f"--processes if memory was short"
        ) from None
    return runs


def _result(task: Replay, runs: Sequence[Run]) -> Result:
    ended = [run.trials for run in runs if run.exhausted]
    return Result(
        table=task.table,
        strategy=task.strategy,
        early_stopping=task.early_stopping,
        trials=task.trials,
        runs=tuple(run.shares for run in runs),
        tried=fmean(run.trials for run in runs),
        trainings=fmean(run.trainings for run in runs),
        repeats=fmean(run.repeats for run in runs),
        infeasible=fmean(run.infeasible for run in runs),
        seconds=fmean(run.seconds for run in runs),
        exhausted=max(ended) if ended else None,
        whole_table=fmean(run.whole_table for run in runs),
    )
