"""How a search's cost grows with trials, workers and data, and where the next limit is.

    python benchmarks/scale.py                                  # 10,000 trials, 1,000 workers: some minutes
    python benchmarks/scale.py --trials 1000 --workers 50       # a quick look

* Proposals: each strategy is asked for one architecture after histories of several lengths. Early stopping is asked
  which trial goes on when a third of the trials is at each of its rungs.
* The search: the real oracle, tuner and journal drive simulated workers. Their clock is simulated: a trial takes about
  a minute of it, and the search's own work takes the processor time that it takes here. A worker is idle while it waits
  for a search that is busy with others; the share of time that workers train is what is left.
* MLflow: how fast the background thread writes runs to SQLite.
* Data: how long it takes to share a data set with the workers of a machine, and how long a worker takes to map it.

All times are processor time, so that other work on the machine does not show; only the time until a line of the journal
is durable is wall time.
"""

from __future__ import annotations

import argparse
import heapq
import os
import random
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import tracking  # benchmarks/tracking.py

from nas.architecture import Architecture, Budget
from nas.results.trial import TrialRecord, TrialStatus
from nas.space import load_space
from nas.space.interest import objectives_of
from nas.strategies import STRATEGIES, History, make_strategy
from nas.strategies.early_stopping import make_early_stopping
from nas.tasks import DEFAULT_TASK
from nas.tuning.execution import Epoch, Executor, Job, Outcome, Trained
from nas.tuning.observer import Observer

if TYPE_CHECKING:
    from nas.training import TrainingResult

TRIAL_SECONDS = 60.0
EPOCHS = tracking.EPOCHS
PATIENCE_SECONDS = 20.0
"""A strategy that takes longer for one proposal is not asked again after longer histories."""

LENGTHS = (100, 300, 1_000, 3_000, 10_000)
BUDGET = Budget(max_parameters=100_000)


def result_of(architecture: Architecture) -> TrainingResult:
    import numpy as np

    from nas.training import TrainingResult

    metrics, curves = tracking.made_up(architecture)
    return TrainingResult(
        metrics=metrics,
        curves=curves,
        weights=[np.zeros(architecture.count.parameters, np.float32)],
        best_epoch=EPOCHS,
        epochs=EPOCHS,
        duration_seconds=TRIAL_SECONDS,
    )


class Simulated(Executor):
    """Workers under a simulated clock, which the real time of the search between calls is added to."""

    def __init__(self, slots: int) -> None:
        self.slots = slots
        self.now = self.trained = 0.0
        self._ends: list[tuple[float, int, Job]] = []
        self._rng = random.Random(0)
        self._left = time.process_time()

    def submit(self, slot: int, job: Job) -> None:
        self._tick()
        seconds = TRIAL_SECONDS * self._rng.lognormvariate(0, 0.3)
        self.trained += seconds
        heapq.heappush(self._ends, (self.now + seconds, slot, job))

    def next_outcome(self, timeout_seconds: float, on_epoch: Callable[[Epoch], None]) -> Outcome | None:
        self._tick()
        end, slot, job = heapq.heappop(self._ends)
        self.now = max(self.now, end)
        result = result_of(Architecture.from_json(job.architecture))
        self._left = time.process_time()  # making the result was not the search's work
        return Trained(slot=slot, number=job.number, result=result)

    def close(self) -> None:
        pass

    def _tick(self) -> None:
        now = time.process_time()
        self.now += now - self._left
        self._left = now


class Watch(Observer):
    """The search's own time in each tenth of its trials."""

    def __init__(self, executor: Simulated, trials: int) -> None:
        self.executor, self.every = executor, max(1, trials // 10)
        self.ended = 0
        self.marks = [(0, time.process_time())]

    def on_trial_end(self, record: TrialRecord) -> None:
        self.ended += 1
        if self.ended % self.every == 0:
            self.marks.append((self.ended, time.process_time()))


def proposals(records: list[TrialRecord]) -> None:
    lengths = [length for length in LENGTHS if length <= len(records)]
    print(f"\nSeconds for one proposal, after so many trials\n{'':14}" + "".join(f"{n:>10,}" for n in lengths))
    space = load_space("mixed", input_shape=(28, 28, 1), classes=10)
    objectives = objectives_of(space, BUDGET, score=DEFAULT_TASK.score, floor=0.1)
    for name in sorted(STRATEGIES):
        if name.startswith("optuna"):
            continue  # Optuna's, for the bench
        strategy = make_strategy(name, space, BUDGET, objectives)
        row, last = "", 0.0
        for length in lengths:
            if last > PATIENCE_SECONDS:
                row += f"{'-':>10}"
                continue
            took = []
            for repeat in range(3):
                begin = time.process_time()
                strategy.propose(History.of(records[:length]), random.Random(repeat))
                took.append(time.process_time() - begin)
                if took[-1] > PATIENCE_SECONDS / 10:
                    break
            last = statistics.median(took)
            row += f"{last:>10.3f}"
        print(f"{name:14}{row}", flush=True)
    stopping = make_early_stopping("pareto-asha", EPOCHS, objectives)
    lengths_of_curves = [random.Random(record.number).choice(stopping.rungs) for record in records]
    stopped = [cut(record, epochs) for record, epochs in zip(records, lengths_of_curves, strict=True)]
    row = ""
    for length in lengths:
        begin = time.process_time()
        stopping.promote(History.of(stopped[:length]), more=True)
        row += f"{time.process_time() - begin:>10.3f}"
    print(f"{'who goes on':14}{row}", flush=True)


def cut(record: TrialRecord, epochs: int) -> TrialRecord:
    """A trial that stopped after so many of its epochs, which may be all of them."""
    curve = record.curve[:epochs]
    status = TrialStatus.COMPLETED if epochs == EPOCHS else TrialStatus.STOPPED
    return replace(record, status=status, metrics={"val_score": max(curve)}, curves={"val_score": curve})


def search(trials: int, workers: int, strategy: str) -> None:
    from nas.config import load_experiment
    from nas.files.shipped import find_experiment
    from nas.tuning import Plan, SearchFolder
    from nas.tuning.oracle import StrategyOracle
    from nas.tuning.tuner import ArchitectureTuner

    settings = {"strategy": strategy, "trials": trials, "budget.max_parameters": 100_000}
    settings |= {"training.epochs": EPOCHS, "early_stopping": "none"}
    plan = Plan.of(load_experiment(find_experiment("digits"), settings))
    with tempfile.TemporaryDirectory() as runs_dir:
        folder = SearchFolder(Path(runs_dir), "scale")
        folder.create(plan.experiment, plan.space_text, plan.facts())
        executor = Simulated(workers)
        watch = Watch(executor, trials)
        oracle = StrategyOracle(
            strategy=plan.strategy,
            early_stopping=plan.early_stopping,
            journal=folder.journal,
            max_trials=trials,
            seed=0,
        )
        ArchitectureTuner(
            oracle=oracle,
            executor=executor,
            folder=folder,
            observers=(watch,),
            experiment=plan.experiment,
            should_stop=lambda: False,
        ).search()
        size = folder.journal.path.stat().st_size
        begin = time.process_time()
        folder.journal.read()
        read = time.process_time() - begin
        begin = time.perf_counter()
        for record in list(oracle.records.values())[:100]:
            folder.journal.end(record)
        journal = (time.perf_counter() - begin) / 100
    print(f"\nA search of {trials:,} trials of {TRIAL_SECONDS:g} s, {workers:,} simulated workers, strategy {strategy}")
    for (before, start), (ended, end) in zip(watch.marks, watch.marks[1:], strict=False):
        rate = (ended - before) / (end - start)
        most = rate * TRIAL_SECONDS
        print(f"  trials {before:>6,} to {ended:>6,}: {1e3 / rate:7.1f} ms a trial; keeps {most:,.0f} workers busy")
    share = executor.trained / (executor.now * workers)
    print(f"  simulated time {executor.now / 3600:.2f} h; workers train {share:.0%} of it")
    print(f"  journal {size / 1e6:.1f} MB, {size / trials / 1e3:.1f} kB a trial; a line is durable in ", end="")
    print(f"{1e3 * journal:.1f} ms; read in {read:.1f} s when the search goes on", flush=True)


def mlflow(trials: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        records = tracking.make_records(trials)
        begin = time.process_time()
        tracking.ours(records, Path(folder))
        written = time.process_time() - begin
        size = tracking.folder_bytes(folder)
    rate = trials / written
    print(f"\nMLflow, SQLite, {trials:,} runs: {1e3 / rate:.0f} ms a run, in the background: ", end="")
    print(f"keeps up with {rate * TRIAL_SECONDS:,.0f} workers; {size / trials / 1e3:.1f} kB a run", flush=True)


def data(megabytes: int) -> None:
    import numpy as np

    from nas.datasets import DatasetInfo, DatasetSpec, Split
    from nas.tuning.shared_data import read_shared, write_shared

    count = megabytes * 2**20 // (32 * 32 * 3)
    split = Split(images=np.zeros((count, 32, 32, 3), np.uint8), targets=np.zeros(count, np.int64))
    few = split.take(np.arange(10))
    labels = tuple(str(number) for number in range(10))
    spec = DatasetSpec(
        info=DatasetInfo(name="x", input_shape=(32, 32, 3), labels=labels), train=split, validation=few, test=few
    )
    with tempfile.TemporaryDirectory() as folder:
        begin = time.process_time()
        write_shared({spec.info.input_shape: spec}, Path(folder))
        wrote = time.process_time() - begin
        begin = time.process_time()
        read_shared(Path(folder))
        read = time.process_time() - begin
    print(f"\nData: {megabytes} MB are shared in {wrote:.2f} s, once; a worker maps them in {1e3 * read:.0f} ms")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=10_000)
    parser.add_argument("--workers", type=int, default=1_000)
    parser.add_argument("--strategy", default="random", help="of the simulated search")
    arguments = parser.parse_args()
    print(f"{os.cpu_count()} cores")
    data(150)
    mlflow(min(200, arguments.trials))
    search(arguments.trials, arguments.workers, arguments.strategy)
    proposals(tracking.make_records(arguments.trials))


if __name__ == "__main__":
    main()
