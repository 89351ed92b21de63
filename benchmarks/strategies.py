"""Every strategy and its peers on every table: the numbers behind docs/benchmarks.md, in one table.

    pip install 'keras-nas[bench,peers]'
    python benchmarks/strategies.py                              # all of it: an hour on two cores; resumable
    python benchmarks/strategies.py --table naap440 --repeats 5  # a quick look

* Our strategies, Optuna's samplers behind our gate and without it, Keras Tuner's random and Bayesian oracles.
* The same under a budget that 14 % of NAS-Bench-201 meets, to count the trials outside it.
* Early stopping on the tables that have the score after each epoch, with Keras Tuner's Hyperband as the peer; then
  `pareto-asha` with up to twice as many trials in the same epochs.

Two runs print the same shares; only the seconds differ. Results in the log are not computed again: remove it when the
strategies have changed.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterable
from dataclasses import asdict, replace
from itertools import product
from pathlib import Path
from typing import Any, final

from nas.architecture import Budget
from nas.benchmark import Result, as_csv, load_table, plot, resolve, run_bench, table_names, with_means
from nas.cli.bench import print_results

OURS = ("random", "local", "evolution", "aging", "ehvi")
PEERS = ("optuna-tpe", "optuna-nsga2", "optuna-tpe-ungated", "optuna-nsga2-ungated", "keras-tuner-random")
SLOW, SLOW_TRIALS = "keras-tuner-bayesian", 50
"""Takes seconds per proposal, and more with every trial, so it has fewer repeats and no more trials than that."""

STOPPED = ("random", "evolution", "ehvi")
EARLY_STOPPING = ("pareto-asha", "one-epoch-then-top-k")
HYPERBAND = "keras-tuner-hyperband"

FEW = 5
"""Repeats where few are enough."""

SMALL = Budget(max_parameters=118_000)
"""14 % of NAS-Bench-201."""


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--table", action="append", help="default: every table that comes with the package or an extra")
    parser.add_argument("--trials", default="25,50,100")
    parser.add_argument("--repeats", type=int, default=20)
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--log", type=Path, default=Path("runs/strategies.jsonl"), help="what was run so far")
    parser.add_argument("--csv", type=Path, help="write the numbers there too")
    parser.add_argument("--plot", type=Path)
    return parser.parse_args()


@final
class Runner:
    """Runs one contestant on one table at a time, and remembers it."""

    def __init__(self, given: argparse.Namespace) -> None:
        self.given, self.log = given, given.log
        self.trials = [int(count) for count in given.trials.split(",")]
        lines = self.log.read_text().splitlines() if self.log.exists() else []
        self.known = {line["key"]: line["result"] for line in map(json.loads, lines)}

    def __call__(
        self,
        tables: Iterable[str],
        strategies: Iterable[str],
        *,
        repeats: int | None = None,
        stopping: str = "none",
        budget: Budget | None = None,
        trials: list[int] | None = None,
    ) -> list[Result]:
        """A result per table and strategy, with at most `repeats`, and with `trials` instead of the usual ones."""
        count = min(repeats or self.given.repeats, self.given.repeats)
        trials = trials or self.trials
        return [self._result(*pair, trials, count, stopping, budget) for pair in product(tables, strategies)]

    def _result(
        self, table: str, strategy: str, trials: list[int], repeats: int, stopping: str, budget: Budget | None
    ) -> Result:
        key = f"{table} {strategy} {stopping} {trials} {repeats} {budget}"
        if key not in self.known:
            print(key, file=sys.stderr, flush=True)
            (result,) = run_bench(
                [table],
                [strategy],
                trials=trials,
                repeats=repeats,
                early_stopping=[stopping],
                budget=budget,
                processes=self.given.processes,
            )
            self.known[key] = asdict(result)
            self.log.parent.mkdir(parents=True, exist_ok=True)
            with self.log.open("a") as file:
                file.write(json.dumps({"key": key, "result": self.known[key]}) + "\n")
        return from_json(self.known[key])


def from_json(values: dict[str, Any]) -> Result:
    runs = tuple(tuple(shares) for shares in values["runs"])
    return Result(**(values | {"trials": tuple(values["trials"]), "runs": runs}))


def everything(given: argparse.Namespace) -> list[Result]:
    """A result per table and contestant."""
    groups = {name: resolve(name) for name in given.table or sorted(table_names())}
    run = Runner(given)
    singles = list(dict.fromkeys(single for group in groups.values() for single in group))
    curves = [single for single in singles if any(load_table(single).rows[0].curves)]
    small = [single for single in singles if single.startswith("nasbench201/")]
    results = run(singles, [*OURS, *PEERS])
    for stopping in EARLY_STOPPING:
        results += run(curves, STOPPED, stopping=stopping)
    results += run(curves, [HYPERBAND])
    twice = [*run.trials, 2 * run.trials[-1]]
    longer = run(curves, STOPPED, stopping=EARLY_STOPPING[0], trials=twice)
    limited = run(small, [*OURS, *PEERS], repeats=FEW, budget=SMALL)
    fewer = [count for count in run.trials if count <= SLOW_TRIALS] or run.trials[:1]
    results += run(singles, [SLOW], repeats=FEW, trials=fewer)
    results = with_means(sorted(results, key=lambda result: singles.index(result.table)), groups)
    means = with_means(limited, {"nasbench201": small})[len(limited) :] or limited
    longer = [replace(result, table=f"{result.table}, {twice[-1]} trials") for result in longer]
    return results + longer + [replace(result, table="nasbench201, at most 118k") for result in means]


def main() -> None:
    given = arguments()
    results = everything(given)
    print_results(results)
    if given.csv is not None:
        given.csv.write_text(as_csv(results))
    if given.plot is not None:
        plot(results, given.plot)


if __name__ == "__main__":
    main()
