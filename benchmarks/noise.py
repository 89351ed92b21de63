"""What noise costs a search: the best of what it tried, against what it chose by one training of each network.

    python benchmarks/noise.py                                # the table digits-mixed: ten minutes on two cores
    python benchmarks/noise.py --table nasbench201/cifar10    # pip install 'keras-nas[bench]'

Shares of the true front's hypervolume, as `nas bench` has them, of

* the front by the observations, which is what a search keeps;
* the front at the mean of a Gaussian process over genes, fitted to the same observations;
* the best front that can be made of what was tried, by mean scores that no search knows.

In an unchanged table, each run is told one of the few trainings of each network, always from the same few. "Fresh
noise" is of the same size, but different in every run: a deviation of one of the networks with the closest scores.
"""

from __future__ import annotations

import argparse
import os
import random
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import cache
from itertools import pairwise, product
from statistics import fmean, median, stdev
from typing import final

from nas.architecture import Budget
from nas.benchmark import load_table
from nas.benchmark.replay import Replayed, replay
from nas.benchmark.table import Row, Table
from nas.benchmark.table_space import TableSpace
from nas.benchmark.truth import Truth
from nas.results.pareto import ParetoFront
from nas.strategies import History, Strategy, Tried, make_strategy
from nas.strategies.early_stopping import make_early_stopping
from nas.strategies.ehvi import EhviStrategy, observed
from nas.strategies.learning_curve import Expected, expected
from nas.strategies.score_model import ScoreModel

STRATEGIES = ("ehvi", "local", "aging", "evolution")
TRIALS = (25, 50, 100)
NEIGHBORS = 20
"""Networks among which deviations are exchanged."""


@final
class Watched(Strategy[Row]):
    """Remembers what was tried at each count of trials."""

    def __init__(self, strategy: Strategy[Row]) -> None:
        super().__init__(strategy.space, strategy.budget, strategy.objectives)
        self.strategy = strategy
        self.tried: dict[int, tuple[Tried[Row], ...]] = {}

    def propose(self, history: History[Row], rng: random.Random) -> Row | None:
        if len(history) in TRIALS:
            self.tried[len(history)] = history.trials
        return self.strategy.propose(history, rng)


def run(name: str, strategy: str, fresh: bool, seed: int) -> list[tuple[float, float, float]]:
    """One run: at each count of trials the three shares of the module's description."""
    table = with_fresh_noise(load(name), seed) if fresh else load(name)
    space = TableSpace(table)
    truth = Truth(space, Budget())
    watched = Watched(make_strategy(strategy, space, Budget(), truth.objectives))
    none = make_early_stopping("none", 1, truth.objectives)
    done = replay(watched, none, truth=truth, budget=Budget(), trials=TRIALS, most=None, seed=seed)
    model = EhviStrategy(space, Budget(), truth.objectives)
    shares = []
    for count, share in zip(TRIALS, done.shares, strict=True):
        tried = watched.tried[count]
        known = expected(History.of(tried))
        believed = ScoreModel(model.encoder, *observed(model, known), model.fitted(known)).believed
        front = ParetoFront.of(Expected(trial, float(mean)) for trial, mean in zip(tried, believed, strict=True))
        best = truth.share(trial.architecture for trial in tried)
        shares.append((share, truth.share(point.architecture for point in front), best))
    return shares


@cache
def load(name: str) -> Table:
    """A table, read once a process."""
    return load_table(name)


def with_fresh_noise(table: Table, seed: int) -> Table:
    """The same means; each network's only observation is its mean and a deviation of a network of a close score."""
    rng = random.Random(f"{seed}/noise")
    rows = sorted(table.rows, key=lambda row: row.score)
    drawn = {}
    for place, row in enumerate(rows):
        first = min(max(0, place - NEIGHBORS // 2), max(0, len(rows) - NEIGHBORS))
        other = rng.choice(rows[first : first + NEIGHBORS])
        score = row.score + rng.choice((-1, 1)) * rng.choice(deviations(other))
        drawn[row.number] = replace(row, observations=(min(1.0, score),), curves=())
    return replace(table, rows=tuple(drawn[row.number] for row in table.rows))


def deviations(row: Row) -> list[float]:
    """Of single trainings from the mean of many; scaled up, because the mean of a few is nearer to them."""
    count = len(row.observations)
    return [abs(each - row.score) * (count / max(count - 1, 1)) ** 0.5 for each in row.observations]


def describe(table: Table) -> str:
    """How large noise is, and how small the differences are that it hides."""
    rows = sorted(table.rows, key=lambda row: row.score)
    front = ParetoFront.of(Replayed(number=row.number, architecture=row, score=row.score) for row in rows)
    upper = front.points[len(front) // 2 :]
    steps = [high.score - low.score for low, high in pairwise(upper)]
    everywhere, best = (
        fmean(each**2 for row in those for each in deviations(row)) ** 0.5 for those in (rows, rows[-len(rows) // 5 :])
    )
    return (
        f"{table.name}: a training deviates by {everywhere:.3f} (standard deviation; {best:.3f} among the best fifth); "
        f"the steps of the upper half of the true front are {median(steps):.3f} high (median)"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--table", default="digits-mixed")
    parser.add_argument("--repeats", type=int, default=50)
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    given = parser.parse_args()
    if given.repeats < 2:
        parser.error("--repeats must be 2 or more: an error needs two runs")
    rows = load(given.table).rows
    if len(rows) <= TRIALS[-1] or not any(len(row.observations) > 1 for row in rows):
        parser.error(f"--table needs more than {TRIALS[-1]} networks that were trained twice; {given.table} has not")
    print(describe(load(given.table)))
    print(f"share after {', '.join(map(str, TRIALS))} trials, mean and standard error over {given.repeats} runs")
    with ProcessPoolExecutor(given.processes) as processes:
        for fresh, strategy in product((False, True), STRATEGIES):
            arguments = [(given.table, strategy, fresh, seed) for seed in range(given.repeats)]
            runs = list(processes.map(run, *zip(*arguments, strict=True)))
            print(f"\n{strategy}, {'fresh noise' if fresh else 'the trainings of the table'}")
            for place, label in enumerate(("by observation", "at the model's mean", "best of what was tried")):
                columns = [[shares[count][place] for shares in runs] for count in range(len(TRIALS))]
                cells = (f"{fmean(each):.3f} ± {stdev(each) / len(each) ** 0.5:.3f}" for each in columns)
                print(f"  {label:24}{'  '.join(cells)}")
            gains = [shares[-1][1] - shares[-1][0] for shares in runs]
            print(f"  {'gain of the model, end':24}{fmean(gains):+.3f} ± {stdev(gains) / len(gains) ** 0.5:.3f}")


if __name__ == "__main__":
    main()
