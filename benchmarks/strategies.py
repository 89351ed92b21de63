"""Every strategy and its peers on every table: the numbers behind docs/strategies.md, in one table.

    pip install 'keras-nas[bench,peers]'
    python benchmarks/strategies.py                              # all of it: two hours on two cores
    python benchmarks/strategies.py --table naap440 --repeats 5  # a quick look

* Our strategies, Optuna's samplers behind our gate and as they come, Keras Tuner's random and Bayesian oracles.
* The same under a budget that 14 % of NAS-Bench-201 meets: what is trained in vain.
* Early stopping on the tables that have the accuracy after each epoch, with Keras Tuner's Hyperband as the peer.

Two runs print the same shares; only the seconds differ.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from nas.architecture import Budget
from nas.benchmark import Result, as_csv, load_table, plot, resolve, run_bench, table_names, with_means
from nas.cli.bench import print_results

OURS = ("random", "local", "evolution", "aging", "ehvi")
PEERS = ("optuna-tpe", "optuna-nsga2", "optuna-tpe-ungated", "optuna-nsga2-ungated", "keras-tuner-random")
SLOW = "keras-tuner-bayesian"
"""Takes a second a proposal: it has fewer repeats."""

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
    parser.add_argument("--csv", type=Path, help="write the numbers there too")
    parser.add_argument("--plot", type=Path)
    return parser.parse_args()


def everything(given: argparse.Namespace) -> list[Result]:
    """A result a table and contestant, tables in the order of their names."""
    groups = {name: resolve(name) for name in given.table or sorted(table_names())}
    singles = list(dict.fromkeys(single for group in groups.values() for single in group))
    curves = [single for single in singles if any(load_table(single).rows[0].curves)]
    small = [single for single in singles if single.startswith("nasbench201/")]
    trials = [int(count) for count in given.trials.split(",")]

    def run(
        tables: Sequence[str],
        strategies: Sequence[str],
        most: int,
        stopping: str = "none",
        budget: Budget | None = None,
    ) -> list[Result]:
        def on_run(done: int, total: int) -> None:
            print(f"{', '.join(tables)}, {stopping}: {done} of {total} runs", end="\r", file=sys.stderr, flush=True)

        return run_bench(
            tables,
            strategies,
            trials=trials,
            repeats=min(most, given.repeats),
            early_stopping=[stopping],
            budget=budget,
            processes=given.processes,
            on_run=on_run,
        )

    results = run(singles, [*OURS, *PEERS], given.repeats) + run(singles, [SLOW], FEW)
    if curves:
        for stopping in EARLY_STOPPING:
            results += run(curves, STOPPED, given.repeats, stopping)
        results += run(curves, [HYPERBAND], given.repeats)
    results = with_means(sorted(results, key=lambda result: singles.index(result.table)), groups)
    if small:
        limited = run(small, [*OURS, *PEERS], FEW, budget=SMALL)
        mean = with_means(limited, {"nasbench201": small})[len(limited) :] or limited
        results += [replace(result, table="nasbench201, at most 118k") for result in mean]
    return results


def main() -> None:
    given = arguments()
    results = everything(given)
    print(file=sys.stderr)
    print_results(results)
    if given.csv is not None:
        given.csv.write_text(as_csv(results))
    if given.plot is not None:
        plot(results, given.plot)


if __name__ == "__main__":
    main()
