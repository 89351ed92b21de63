"""Several strategies on several tables, each many times, on several processes."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from functools import lru_cache
from multiprocessing import get_context
from statistics import fmean, stdev
from typing import final

from nas.architecture import Budget
from nas.benchmark.peers import make_contestant
from nas.benchmark.replay import Run, replay
from nas.benchmark.score import Truth
from nas.benchmark.table_space import TableSpace
from nas.benchmark.tables import load_table
from nas.errors import NasError


class BenchError(NasError):
    """A benchmark that did not come to its end."""


@final
@dataclass(frozen=True, kw_only=True, slots=True)
class Result:
    """A strategy on a table, or on several of equal weight.

    Attributes:
        table: its name.
        strategy: its name.
        trials: counts at which the share was taken.
        shares: of the true front's hypervolume, mean over the repeats.
        errors: standard errors of these means.
        repeats: trials on a network that had been tried, mean of a run.
        infeasible: trials on a network outside the budget, mean of a run.
        seconds: for one proposal, mean.
        exhausted: architectures tried if the table had no more, else None.
    """

    table: str
    strategy: str
    trials: tuple[int, ...]
    shares: tuple[float, ...]
    errors: tuple[float, ...]
    repeats: float
    infeasible: float
    seconds: float
    exhausted: int | None = None


@final
@dataclass(frozen=True, kw_only=True, slots=True)
class Task:
    """One replay."""

    table: str
    strategy: str
    budget: Budget
    trials: tuple[int, ...]
    seed: int


@lru_cache(maxsize=4)
def _prepared(table: str, budget: Budget) -> tuple[TableSpace, Truth]:
    loaded = load_table(table)
    space = TableSpace(loaded)
    space.check(budget)
    return space, Truth(loaded, budget)


def run_task(task: Task) -> Run:
    """The replay that a task describes."""
    space, truth = _prepared(task.table, task.budget)
    strategy = make_contestant(task.strategy, space, task.budget)
    return replay(strategy, truth=truth, budget=task.budget, trials=task.trials, seed=task.seed)


def bench(
    tables: Sequence[str],
    strategies: Sequence[str],
    *,
    trials: Sequence[int],
    repeats: int,
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
        budget: the same limits for all.
        processes: to run on, 0: this one. The numbers do not depend on how many they are, apart from the seconds.
        on_run: told after every replay how many of how many are done.

    Raises:
        TableError: a table cannot be read.
        StrategyError: there is no strategy of a name.
        BudgetError: no row of a table is inside the budget.
    """
    counts = tuple(sorted(set(trials)))
    limits = budget or Budget()
    for table in tables:
        # What is wrong is said at once and by this process.
        space, _ = _prepared(table, limits)
        for strategy in strategies:
            make_contestant(strategy, space, limits)
    tasks = [
        Task(table=table, strategy=strategy, budget=limits, trials=counts, seed=seed)
        for table in tables
        for strategy in strategies
        for seed in range(repeats)
    ]
    runs = dict(zip(tasks, _run_all(tasks, processes, on_run), strict=True))
    return [
        _result(table, strategy, counts, [run for task, run in runs.items() if _is(task, table, strategy)])
        for table in tables
        for strategy in strategies
    ]


def mean_result(results: Sequence[Result], name: str) -> Result:
    """Several tables, one strategy: the mean of the means."""
    count = len(results)
    return Result(
        table=name,
        strategy=results[0].strategy,
        trials=results[0].trials,
        shares=tuple(fmean(each) for each in zip(*(result.shares for result in results), strict=True)),
        errors=tuple(
            math.sqrt(sum(error**2 for error in each)) / count
            for each in zip(*(result.errors for result in results), strict=True)
        ),
        repeats=fmean(result.repeats for result in results),
        infeasible=fmean(result.infeasible for result in results),
        seconds=fmean(result.seconds for result in results),
    )


def _is(task: Task, table: str, strategy: str) -> bool:
    return task.table == table and task.strategy == strategy


def _run_all(tasks: Sequence[Task], processes: int, on_run: Callable[[int, int], None] | None) -> list[Run]:
    runs = []
    if processes == 0:
        for task in tasks:
            runs.append(run_task(task))
            if on_run is not None:
                on_run(len(runs), len(tasks))
        return runs
    try:
        with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
            for run in pool.map(run_task, tasks):
                runs.append(run)
                if on_run is not None:
                    on_run(len(runs), len(tasks))
    except BrokenProcessPool:
        raise BenchError(
            f"a process of the benchmark was killed after {len(runs)} of {len(tasks)} runs; run it again, with fewer "
            f"--processes if memory was short"
        ) from None
    return runs


def _result(table: str, strategy: str, trials: tuple[int, ...], runs: Sequence[Run]) -> Result:
    by_count = list(zip(*(run.shares for run in runs), strict=True))
    ended = [run.trials for run in runs if run.exhausted]
    return Result(
        table=table,
        strategy=strategy,
        trials=trials,
        shares=tuple(fmean(shares) for shares in by_count),
        errors=tuple(stdev(shares) / math.sqrt(len(shares)) if len(shares) > 1 else 0.0 for shares in by_count),
        repeats=fmean(run.repeats for run in runs),
        infeasible=fmean(run.infeasible for run in runs),
        seconds=fmean(run.seconds for run in runs),
        exhausted=max(ended) if ended else None,
    )
