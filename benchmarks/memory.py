"""Memory of a long search with short real trials: that of the parent and of its worker processes.

    python benchmarks/memory.py                                  # 200 trials, 2 workers
    python benchmarks/memory.py --recycle 1000000 --workers 1    # how large a worker gets that is never replaced

Of each process only its own memory counts (USS): what it shares with others, such as the data set, would count twice.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from contextlib import suppress

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")

import psutil

import nas
from nas.results.trial import TrialRecord
from nas.tuning import workers
from nas.tuning.observer import Observer


class Watch(Observer):
    """Prints a line every so many trials."""

    def __init__(self, every: int) -> None:
        self.every, self.ended = every, 0
        self.started = time.monotonic()
        self.parent: list[float] = []
        self.workers: list[float] = []
        self.processes: set[int] = set()

    def on_trial_end(self, record: TrialRecord) -> None:
        self.ended += 1
        if self.ended % self.every:
            return
        children = {}
        for child in psutil.Process().children():
            # A worker that is being replaced has no memory any more.
            with suppress(psutil.NoSuchProcess):
                if "resource_tracker" not in " ".join(child.cmdline()):
                    children[child.pid] = megabytes(child)
        self.processes |= set(children)
        self.parent.append(megabytes(psutil.Process()))
        self.workers += children.values()
        each = ", ".join(f"{size:.0f}" for size in children.values())
        seconds = time.monotonic() - self.started
        print(
            f"{self.ended:>6} trials {seconds:>7.0f} s: parent {self.parent[-1]:.0f} MB, workers {each} MB", flush=True
        )


def megabytes(process: psutil.Process) -> float:
    return process.memory_full_info().uss / 2**20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=200)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--every", type=int, default=20)
    parser.add_argument("--recycle", type=int, default=workers.TRIALS_A_PROCESS, help="trials a process")
    arguments = parser.parse_args()
    workers.TRIALS_A_PROCESS = arguments.recycle
    watch = Watch(arguments.every)
    print(f"{arguments.trials} trials of `mixed` on digits, 1 epoch; {arguments.workers} workers, ", end="")
    print(f"each replaced after {arguments.recycle} trials", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        nas.search(
            "digits",
            strategy="random",
            trials=arguments.trials,
            epochs=1,
            settings={"final.seeds": 0, "workers": arguments.workers},
            runs_dir=folder,
            observers=(watch,),
        )
    half = len(watch.parent) // 2
    print(f"parent: {max(watch.parent[:half]):.0f} MB at most in the first half, ", end="")
    print(f"{max(watch.parent[half:]):.0f} MB in the second")
    print(f"workers: {min(watch.workers):.0f} to {max(watch.workers):.0f} MB in {len(watch.processes)} processes")


if __name__ == "__main__":
    main()
