"""What a search adds to its trials: proposal, oracle, journal, MLflow, transfer to a worker and back.

    python benchmarks/overhead.py                  # 40 trials, strategy ehvi
    python benchmarks/overhead.py --trials 10

A real search with one worker. The overhead of a trial is the time from the end of the trial before to its own end, less
the training time by the worker's own clock. Start-up and the first trials, which warm up the worker, do not count. The
parts are timed in the search's own thread. MLflow's thread runs beside it; without it, trials would have its processor
time. On a machine that is busy with other work, only the processor times mean anything.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import threading
import time
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")

import nas
from nas.results.trial import TrialRecord
from nas.tuning.observer import Observer

TRIAL_SECONDS = 2.0
WARM_UP = 3


class Watch(Observer):
    """When each trial began and ended, how long it trained, and the processor time of this process by then."""

    def __init__(self) -> None:
        self.begun = 0.0
        self.trials: list[tuple[float, float, float, float]] = []

    def on_trial_begin(self, record: TrialRecord) -> None:
        self.begun = time.perf_counter()

    def on_trial_end(self, record: TrialRecord) -> None:
        self.trials.append((self.begun, time.perf_counter(), record.duration_seconds, time.process_time()))


class Timed:
    """How long the calls of a method take, on the wall and of this thread's processor time."""

    def __init__(self, owner: type, name: str) -> None:
        self.wall: list[float] = []
        self.processor: list[float] = []
        original = getattr(owner, name)

        def timed(*arguments: Any, **keywords: Any) -> Any:
            wall, processor = time.perf_counter(), time.thread_time()
            try:
                return original(*arguments, **keywords)
            finally:
                if threading.current_thread() is threading.main_thread():
                    self.wall.append(time.perf_counter() - wall)
                    self.processor.append(time.thread_time() - processor)

        setattr(owner, name, timed)

    def line(self, name: str, trials: int) -> str:
        wall, processor = (sum(values[-trials:]) / trials for values in (self.wall, self.processor))
        return f"  {name:44}{1e3 * wall:8.1f}{1e3 * processor:12.1f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=40)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--strategy", default="ehvi")
    arguments = parser.parse_args()
    if arguments.trials < WARM_UP + 2:
        parser.error(f"--trials: at least {WARM_UP + 2}, as the first {WARM_UP} are not counted")

    from nas.devices import import_tensorflow

    import_tensorflow()
    from nas.strategies import STRATEGIES
    from nas.tuning.journal import Journal
    from nas.tuning.tuner import ArchitectureTuner

    timed = {
        "proposal": Timed(STRATEGIES.find(arguments.strategy), "propose"),
        "journal, before": Timed(Journal, "start"),
        "journal, after": Timed(Journal, "end"),
        "end of a trial: front, weights, journal": Timed(ArchitectureTuner, "on_trial_end"),
    }
    watch = Watch()
    with tempfile.TemporaryDirectory() as folder:
        nas.search(
            "digits",
            strategy=arguments.strategy,
            trials=arguments.trials,
            epochs=arguments.epochs,
            settings={"final.seeds": 0, "workers": 1},
            runs_dir=folder,
            observers=(watch,),
        )
    trials = watch.trials[WARM_UP:]
    ends = [end for _, end, _, _ in trials]
    trained = [seconds for _, _, seconds, _ in trials[1:]]
    added = [after - before - seconds for before, after, seconds in zip(ends, ends[1:], trained, strict=False)]
    way = [end - begun - seconds for begun, end, seconds, _ in trials[1:]]
    count = len(added)
    processor = (trials[-1][3] - trials[0][3]) / count
    print(f"{count} trials of {statistics.mean(trained):.2f} s, {arguments.epochs} epochs, one worker, ", end="")
    print(f"strategy {arguments.strategy}, {os.cpu_count()} cores")
    print(f"{'ms a trial':46}{'wall':>8}{'processor':>12}")
    for name, times in timed.items():
        print(times.line(name, count))
    print(f"  {'transfer to the worker and back, and its end':44}{1e3 * statistics.mean(way):8.1f}")
    print(f"  {'the whole parent, MLflow thread included':44}{'':8}{1e3 * processor:12.1f}")
    ways = {
        "median of the wall": statistics.median(added),
        "mean of the wall": statistics.mean(added),
        "processor time": processor,
    }
    for name, seconds in ways.items():
        share = seconds / (seconds + TRIAL_SECONDS)
        print(f"not training, {name}: {1e3 * seconds:.0f} ms, {share:.1%} of a trial that trains {TRIAL_SECONDS:g} s")


if __name__ == "__main__":
    main()
