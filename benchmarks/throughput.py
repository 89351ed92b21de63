"""Trials per hour: Keras Tuner's stock RandomSearch and ours, on the same architectures.

    python benchmarks/throughput.py                 # 24 architectures, 10 epochs, one trial after the other
    python benchmarks/throughput.py --searches      # whole searches: Keras Tuner's, ours with one and two workers
    python benchmarks/throughput.py --trials 4      # a quick look

Each contender is a process of its own and trains every architecture once. They take turns, one architecture at a time
and in an order that rotates, so that other work on the machine slows all of them alike. A trial lasts from the moment
the contender may start until it asks for the next one; start-up and one trial to warm up do not count.

* Keras Tuner: a HyperModel that builds exactly these architectures, compiled and fitted as its guides show it.
* nas, fit: Keras' own `fit`, which nas uses for several devices and for data that do not fit.
* nas: the compiled loop, on all cores, and on one thread, which is how a search runs it in each of its workers.

The overhead of a search of ours (proposal, journal, MLflow) is in `benchmarks/overhead.py`; Keras Tuner's times include
its own.

With `--searches` each contender is a whole search from its first trial to its last, journal and MLflow included. They
take turns of a few seconds; meanwhile all processes of the others are stopped (SIGSTOP). Only the contender's own turns
count. Start-up, with the first trial, is shown separately.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import random
import resource
import select
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, cast

from nas.tuning.observer import Observer

if TYPE_CHECKING:
    from nas.architecture import Architecture
    from nas.datasets import DatasetSpec
    from nas.results.trial import TrialRecord

BATCH_SIZE, LEARNING_RATE = 64, 1e-2
MAX_PARAMETERS = 20_000

CONTENDERS = {
    "keras_tuner": "Keras Tuner RandomSearch, stock",
    "fit": "nas, fit",
    "compiled": "nas",
    "one_thread": "nas, one thread",
}


SEARCHES = {
    "keras_tuner": "Keras Tuner RandomSearch, stock",
    "1": "nas search, 1 worker",
    "2": "nas search, 2 workers",
}
SLICE_SECONDS = 5.0


def sample(count: int) -> list[Architecture]:
    """Architectures of `mixed` for the digits, as our random search proposes them."""
    from nas.architecture import Budget
    from nas.results.trial import TrialRecord, TrialStatus
    from nas.space import load_space
    from nas.space.interest import objectives_of
    from nas.strategies import History, make_strategy
    from nas.tasks import DEFAULT_TASK

    space = load_space("mixed", input_shape=(8, 8, 1), classes=10)
    budget = Budget(max_parameters=MAX_PARAMETERS)
    strategy = make_strategy("random", space, budget, objectives_of(space, budget, score=DEFAULT_TASK.score))
    records: list[TrialRecord] = []
    while len(records) < count:
        found = strategy.propose(History.of(records), random.Random(f"0/{len(records)}"))
        if found is None:
            raise SystemExit(f"there are only {len(records)} architectures; give fewer --trials")
        records.append(TrialRecord(number=len(records), architecture=found, status=TrialStatus.RUNNING))
    return [record.architecture for record in records]


class Turns:
    """A contender's side: asks for its next turn, and reports what the last one took."""

    def __init__(self, out: IO[str]) -> None:
        self._out = out
        self._last: tuple[float, float] | None = None

    def next(self) -> None:
        """Ends the trial before, waits for the turn, and starts the next trial."""
        self.end()
        sys.stdin.readline()
        self._last = time.perf_counter(), cpu_seconds()

    def end(self) -> None:
        took = None
        if self._last is not None:
            took = time.perf_counter() - self._last[0], cpu_seconds() - self._last[1]
        self._out.write(json.dumps({"took": took, "megabytes": megabytes()}) + "\n")
        self._out.flush()


def cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def megabytes() -> float:
    """Resident memory of this process."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def contend(name: str, trials: int, epochs: int) -> None:
    """The whole life of one contender."""
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # the parent must not read what Keras Tuner prints
    from nas.config import DatasetConfig, TrainingConfig
    from nas.datasets import load
    from nas.devices import import_tensorflow
    from nas.training import clear_session, train

    import_tensorflow()
    import tensorflow as tf

    if name == "one_thread":
        tf.config.threading.set_intra_op_parallelism_threads(1)
        tf.config.threading.set_inter_op_parallelism_threads(1)
    data = load(DatasetConfig(name="digits"))
    first, *architectures = sample(trials + 1)
    turns = Turns(out)
    if name == "keras_tuner":
        keras_tuner_search(itertools.chain([first, first], architectures), trials + 1, data, epochs, turns)
    else:
        config = TrainingConfig(epochs=epochs, batch_size=BATCH_SIZE, learning_rate=LEARNING_RATE)
        for number, architecture in enumerate([first, *architectures]):
            turns.next()
            train(architecture, data, config, seed=number, loop="fit" if name == "fit" else "compiled")
            clear_session()
    turns.end()


def keras_tuner_search(
    architectures: Iterator[Architecture], trials: int, data: DatasetSpec, epochs: int, turns: Turns | EachTrial
) -> None:
    """A search as in Keras Tuner's guides, over a space in which trial n is architecture n."""
    import keras
    import keras_tuner

    started = False

    class Given(keras_tuner.HyperModel):  # type: ignore[misc]
        def build(self, hp: Any) -> Any:
            nonlocal started
            hp.Int("number", 0, 10**9)
            if started:
                turns.next()
            started = True  # the first call only reads the space
            model = next(architectures).build()
            model.compile(
                optimizer=keras.optimizers.Adam(LEARNING_RATE),
                loss="sparse_categorical_crossentropy",
                metrics=["accuracy"],
            )
            return model

    with tempfile.TemporaryDirectory() as folder:
        tuner = keras_tuner.RandomSearch(Given(), "val_accuracy", max_trials=trials, directory=folder)
        tuner.search(
            data.train.images.astype("float32") / 255,
            data.train.targets,
            validation_data=(data.validation.images.astype("float32") / 255, data.validation.targets),
            epochs=epochs,
            batch_size=BATCH_SIZE,
            verbose=0,
        )


class EachTrial(Observer):
    """Writes a line for each trial that has ended."""

    def __init__(self, out: IO[str]) -> None:
        self._out, self._begun = out, False

    def next(self) -> None:
        """The one before has ended, and another one begins."""
        if self._begun:
            self.end()
        self._begun = True

    def end(self) -> None:
        self._out.write("ended\n")
        self._out.flush()

    def on_trial_end(self, record: TrialRecord) -> None:
        self.end()


def search(name: str, trials: int, epochs: int) -> None:
    """The whole life of a search; a line when a trial has ended."""
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    each = EachTrial(out)
    if name == "keras_tuner":
        from nas.config import DatasetConfig
        from nas.datasets import load
        from nas.devices import import_tensorflow

        import_tensorflow()
        data = load(DatasetConfig(name="digits"))
        first, *architectures = sample(trials)
        keras_tuner_search(itertools.chain([first, first], architectures), trials, data, epochs, each)
        each.end()
        return
    import nas

    with tempfile.TemporaryDirectory() as folder:
        nas.search(
            "digits",
            strategy="random",
            max_parameters=MAX_PARAMETERS,
            trials=trials,
            epochs=epochs,
            settings={"final.seeds": 0, "workers": int(name), "training.learning_rate": LEARNING_RATE},
            runs_dir=folder,
            observers=(each,),
        )


class Sliced:
    """The parent's side of a search that is stopped while the others have their turn."""

    def __init__(self, name: str, options: list[str]) -> None:
        self.name = name
        self.active = 0.0
        self.ends: list[float] = []
        self.done = False
        self._began = 0.0
        self._process = subprocess.Popen(
            [sys.executable, __file__, "--search", name, *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        self._stdout = cast("IO[bytes]", self._process.stdout)
        os.set_blocking(self._stdout.fileno(), False)
        os.killpg(self._process.pid, signal.SIGSTOP)

    def turn(self, trials: int) -> None:
        os.killpg(self._process.pid, signal.SIGCONT)
        self._began = time.perf_counter()
        while not self.done and time.perf_counter() - self._began < SLICE_SECONDS:
            select.select([self._stdout], [], [], 0.05)
            now = self.active + time.perf_counter() - self._began
            lines = (self._stdout.read() or b"").count(b"\n")
            self.ends += [now] * lines
            self.done = len(self.ends) >= trials
            if not self.done and self._process.poll() is not None:
                raise SystemExit(f"the search {self.name} ended with {self._process.returncode}")
        self.active += time.perf_counter() - self._began
        os.killpg(self._process.pid, signal.SIGKILL if self.done else signal.SIGSTOP)


def searches(trials: int, epochs: int) -> None:
    options = ["--trials", str(trials), "--epochs", str(epochs)]
    running = {name: Sliced(name, options) for name in SEARCHES}
    while not all(one.done for one in running.values()):
        for one in running.values():
            if not one.done:
                one.turn(trials)
        print(", ".join(f"{name}: {len(one.ends)}" for name, one in running.items()), file=sys.stderr, flush=True)
    print(f"{trials} architectures of `mixed` on digits, at most {MAX_PARAMETERS:,} parameters; ", end="")
    print(f"{epochs} epochs, batches of {BATCH_SIZE}; {os.cpu_count()} cores; whole searches")
    print(f"{'':34}trials/hour  ratio  start-up and first trial s")
    rates = {name: 3600 * (trials - 1) / (one.ends[-1] - one.ends[0]) for name, one in running.items()}
    for name, one in running.items():
        print(f"{SEARCHES[name]:34}{rates[name]:11.0f}{rates[name] / rates['keras_tuner']:7.1f}{one.ends[0]:28.1f}")


class Contender:
    """The parent's side of a contender."""

    def __init__(self, name: str, options: list[str]) -> None:
        self.name = name
        self.wall: list[float] = []
        self.cpu: list[float] = []
        self.megabytes: list[float] = []
        self._log = tempfile.TemporaryFile("w+")  # noqa: SIM115 - read when the contender ends
        self._process = subprocess.Popen(
            [sys.executable, __file__, "--contend", name, *options],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
        )
        self._stdin, self._stdout = cast("IO[str]", self._process.stdin), cast("IO[str]", self._process.stdout)
        self._read()

    def turn(self) -> None:
        """One trial."""
        self._stdin.write("\n")
        self._stdin.flush()
        answer = self._read()
        self.wall.append(answer["took"][0])
        self.cpu.append(answer["took"][1])
        self.megabytes.append(answer["megabytes"])

    def close(self) -> None:
        self._stdin.close()
        self._process.wait()

    def _read(self) -> dict[str, Any]:
        line = self._stdout.readline()
        if not line:
            self._log.seek(0)
            raise SystemExit(f"{self.name} ended with {self._process.wait()}:\n{self._log.read()[-2000:]}")
        answer: dict[str, Any] = json.loads(line)
        return answer


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=24)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--searches", action="store_true", help="whole searches, with workers")
    parser.add_argument("--contend", choices=CONTENDERS, help=argparse.SUPPRESS)
    parser.add_argument("--search", choices=SEARCHES, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.search:
        search(arguments.search, arguments.trials, arguments.epochs)
        return
    if arguments.searches:
        searches(arguments.trials, arguments.epochs)
        return
    if arguments.contend:
        contend(arguments.contend, arguments.trials, arguments.epochs)
        return
    options = ["--trials", str(arguments.trials), "--epochs", str(arguments.epochs)]
    contenders = {name: Contender(name, options) for name in CONTENDERS}
    names = list(contenders)
    for number in range(arguments.trials + 1):
        for name in names[number % len(names) :] + names[: number % len(names)]:
            contenders[name].turn()
        seconds = ", ".join(f"{name} {contender.wall[-1]:.1f}" for name, contender in contenders.items())
        print(f"trial {number}: {seconds} s", file=sys.stderr, flush=True)
    for contender in contenders.values():
        contender.close()

    print(f"{arguments.trials} architectures of `mixed` on digits, at most {MAX_PARAMETERS:,} parameters; ", end="")
    print(f"{arguments.epochs} epochs, batches of {BATCH_SIZE}; {os.cpu_count()} cores")
    print(f"{'':34}trials/hour  median s  ratio   CPU s  ratio  MB a trial")
    base = contenders["keras_tuner"]
    for name, contender in contenders.items():
        wall, cpu = contender.wall[1:], contender.cpu[1:]  # without the one that warms up
        wall_ratio = statistics.median(base.wall[1:]) / statistics.median(wall)
        cpu_ratio = statistics.median(base.cpu[1:]) / statistics.median(cpu)
        growth = (contender.megabytes[-1] - contender.megabytes[0]) / len(wall)
        print(
            f"{CONTENDERS[name]:34}{3600 * len(wall) / sum(wall):11.0f}{statistics.median(wall):10.2f}{wall_ratio:7.1f}"
            f"{statistics.median(cpu):8.2f}{cpu_ratio:7.1f}{growth:12.1f}"
        )


if __name__ == "__main__":
    main()
