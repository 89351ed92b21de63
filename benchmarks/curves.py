"""How much of a front a third of each curve tells when all other curves are known.

    python benchmarks/curves.py           # naap440 and digits-mixed: three minutes on two cores

First a search makes 100 full trainings. Then all its networks are cut back to a third of their epochs, and those with
the best chances of being on the front are trained in full, as many as half, 60 % or 75 % of the epochs allow. Chances
come from the regression that `pareto-asha` uses. Here it knows what no search knows: all curves of the table's other
networks, from the first epoch to the last. A search must learn from the few networks that it has trained in full, and
propose new ones before it knows how the others end.
"""

from __future__ import annotations

import argparse
import os
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from itertools import product
from statistics import fmean, stdev
from typing import Any

from noise import Watched, load

from nas.architecture import Budget
from nas.benchmark.replay import Replayed, replay
from nas.benchmark.table import Table
from nas.benchmark.table_space import TableSpace
from nas.benchmark.truth import Truth
from nas.results.pareto import ParetoFront
from nas.results.trial import TrialStatus
from nas.strategies import History, make_strategy
from nas.strategies.early_stopping import make_early_stopping
from nas.strategies.learning_curve import FLOOR, expected

TABLES = ("naap440", "digits-mixed")
STRATEGIES = ("random", "evolution", "ehvi")
TRIALS = 100
"""The last count at which `Watched` looks."""

SPENT = (0.5, 0.6, 0.75)
"""Of the epochs of the full trainings."""

DRAWS = 300
"""Of all final scores, from which chances are counted."""


def run(name: str, strategy: str, seed: int) -> list[float]:
    """Shares of the true front's hypervolume: with all trainings, then with those that `SPENT` allows."""
    table = load(name)
    truth = Truth(table, Budget())
    watched = Watched(make_strategy(strategy, TableSpace(table), Budget()))
    none = make_early_stopping("none", 1)
    done = replay(watched, none, truth=truth, budget=Budget(), trials=[TRIALS], most=None, seed=seed)
    tried: tuple[Any, ...] = watched.tried[TRIALS]
    third = table.epochs // 3
    likely = likeliest(table, tried, third, seed)
    shares = [*done.shares]
    for spent in SPENT:
        count = round((spent * table.epochs - third) / (table.epochs - third) * TRIALS)
        chosen = ParetoFront.of(tried[place] for place in likely[:count])
        shares.append(truth.share(point.architecture for point in chosen))
    return shares


def likeliest(table: Table, tried: tuple[Any, ...], third: int, seed: int) -> list[int]:
    """Places of trials by their chance to be on the front, told from the first third of their curves."""
    import numpy as np

    own = {trial.architecture.number for trial in tried}
    others = [
        Replayed(number=TRIALS + number, architecture=row, score=score, curve=tuple(curve.values()))
        for number, row in enumerate(table.rows)
        if row.number not in own
        for score, curve in zip(row.observations, row.curves, strict=True)
    ]
    cut = [
        replace(trial, curve=trial.curve[:third], score=max(trial.curve[:third]), status=TrialStatus.STOPPED)
        for trial in tried
    ]
    known = expected(History.of([*others, *cut]))[-len(cut) :]
    errors = 1 + FLOOR - np.array([each.score for each in known])
    deviations = np.array([each.deviation for each in known]) / errors
    found: Counter[int] = Counter()
    for draw in np.random.default_rng(seed).standard_normal((DRAWS, len(cut))):
        scores = 1 - errors * np.exp(deviations * draw)
        drawn = (replace(each, score=float(score)) for each, score in zip(known, scores, strict=True))
        found.update(point.number for point in ParetoFront.of(drawn))
    return sorted(range(len(tried)), key=lambda place: -found[tried[place].number])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=20)
    repeats = parser.parse_args().repeats
    columns = ("all epochs", *(f"{spent:.0%}" for spent in SPENT))
    print("| table | strategy | " + " | ".join(columns) + " |\n|---|---|" + "---|" * len(columns))
    os.environ["OMP_NUM_THREADS"] = "1"
    with ProcessPoolExecutor() as pool:
        for name, strategy in product(TABLES, STRATEGIES):
            runs = pool.map(run, [name] * repeats, [strategy] * repeats, range(repeats))
            cells = [f"{fmean(each):.3f} ± {stdev(each) / repeats**0.5:.3f}" for each in zip(*runs, strict=True)]
            print(f"| `{name}` | `{strategy}` | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
