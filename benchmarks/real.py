"""Searches that train: ours against Keras Tuner's own tuners, on the digits, at equal numbers of training epochs.

    python benchmarks/live_digits.py                 # 3 seeds each, half an hour on two cores; resumable
    python benchmarks/live_digits.py --seeds 1       # a quick look

All search `mixed` for networks of at most 20,000 parameters, with the same optimizer, learning rate and batches. What
happens within 160 epochs counts: 20 full trainings of 8. Keras Tuner's tuners are told the limit as `max_model_size`
and train with Keras' `fit`, as their guides show it. The hypervolume is that of `nas front`, of validation accuracies;
only networks that were trained in full count. The best accuracy is that of the best network within the limit, whatever
its size. A trial is wasted on a network that is too large, whether it was trained or refused, and on one that was tried
before.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

import nas
from nas.architecture import Architecture, Budget
from nas.config import DatasetConfig, TrainingConfig
from nas.objectives import PARAMETERS
from nas.results.pareto import ParetoFront, hypervolume
from nas.results.trial import TrialRecord, TrialStatus
from nas.space import SearchSpace, load_space
from nas.tuning.observer import Observer

HERE = Path(__file__).resolve().parent
MOST = 20_000
BUDGET = Budget(max_parameters=MOST)
TRAINING = TrainingConfig(epochs=8, batch_size=64, learning_rate=0.01)
TRIALS = 20
EPOCHS = TRIALS * TRAINING.epochs

OURS = {
    "nas: random": ("random", "none"),
    "nas: ehvi": ("ehvi", "none"),
    "nas: ehvi, pareto-asha": ("ehvi", "pareto-asha"),
}
"""Strategy and early stopping. The first trials of all are spread over sizes, which is all that `random` does."""

TUNERS = {
    "Keras Tuner RandomSearch": "RandomSearch",
    "Keras Tuner BayesianOptimization": "BayesianOptimization",
    "Keras Tuner Hyperband": "Hyperband",
}
STARTED = 50
"""Trials with early stopping: more than the epochs allow."""

ENOUGH = 10_000
"""Keras Tuner needs limits of its own."""


def digits_space() -> SearchSpace:
    return load_space("mixed", input_shape=(8, 8, 1), classes=10)


@dataclass
class Log:
    """What one search did within its epochs.

    Attributes:
        epochs: trained so far.
        full: (epochs so far, trial) of each network when its full training had ended.
    """

    epochs: int = 0
    full: list[tuple[int, TrialRecord]] = field(default_factory=list)
    trials: int = 0
    oversized: int = 0
    repeated: int = 0
    seen: set[str] = field(default_factory=set)

    def begin(self, architecture: Architecture) -> None:
        """A new trial."""
        if self.epochs >= EPOCHS:
            return
        self.trials += 1
        self.oversized += not BUDGET.admits(architecture.count)
        self.repeated += architecture.id in self.seen
        self.seen.add(architecture.id)

    def as_json(self) -> dict[str, Any]:
        """The counts, the hypervolume after 1, 2, ... epochs, and the best score within the limit."""
        limits = {PARAMETERS: (digits_space().fewest_parameters, MOST)}
        full = [(epochs, record) for epochs, record in self.full if epochs <= EPOCHS]
        return {
            "epochs": min(self.epochs, EPOCHS),
            "trials": self.trials,
            "oversized": self.oversized,
            "repeated": self.repeated,
            "curve": [
                hypervolume([record for epochs, record in full if epochs <= spent], limits)
                for spent in range(1, EPOCHS + 1)
            ],
            "best": ParetoFront.of(record for _, record in full).best(MOST).score,
        }


class Watch(Observer):
    """Keeps the log of a search of ours."""

    def __init__(self) -> None:
        self.log = Log()

    def on_trial_begin(self, record: TrialRecord) -> None:
        if not record.curve:
            self.log.begin(record.architecture)

    def on_epoch(self, record: TrialRecord, epoch: int, metrics: dict[str, float]) -> None:
        self.log.epochs += 1

    def on_trial_end(self, record: TrialRecord) -> None:
        if record.completed:
            self.log.full.append((self.log.epochs, record))


def search_ours(strategy: str, stopping: str, seed: int) -> Log:
    """A search with one worker: one trial after the other."""
    watch = Watch()
    settings = {f"training.{key}": value for key, value in TRAINING.model_dump(exclude_unset=True).items()}
    with tempfile.TemporaryDirectory() as folder:
        nas.search(
            "digits",
            max_parameters=MOST,
            strategy=strategy,
            trials=TRIALS if stopping == "none" else STARTED,
            seed=seed,
            settings=settings | {"early_stopping": stopping, "final.seeds": 0, "workers": 1},
            runs_dir=folder,
            observers=(watch,),
        )
    return watch.log


def search_keras_tuner(name: str, seed: int) -> Log:
    """One of Keras Tuner's tuners, as its guides show it, on the networks of our space."""
    import keras
    import keras_tuner

    from nas.datasets import load
    from nas.hypermodel import decide
    from nas.training.schedule import batch_norm_momentum, make_optimizer

    data = load(DatasetConfig(name="digits"))
    space = digits_space()
    steps = TRAINING.epochs * (len(data.train) // TRAINING.batch_size)
    log = Log()

    class Networks(keras_tuner.HyperModel):  # type: ignore[misc]
        """Without our gate: the tuner enforces the limit."""

        def build(self, hp: Any) -> Any:
            self.architecture = decide(space, Budget(), hp)
            model = self.architecture.build(batch_norm_momentum=batch_norm_momentum(steps))
            optimizer = make_optimizer(TRAINING, steps=steps)
            model.compile(optimizer=optimizer, loss="sparse_categorical_crossentropy", metrics=["accuracy"])
            return model

        def fit(self, hp: Any, model: Any, *args: Any, callbacks: Sequence[Any], **options: Any) -> Any:
            return model.fit(*args, callbacks=[*callbacks, Counted(self.architecture)], **options)

    class Counted(keras.callbacks.Callback):  # type: ignore[misc]
        def __init__(self, architecture: Architecture) -> None:
            super().__init__()
            self.architecture, self.best = architecture, 0.0

        def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
            log.epochs += 1
            self.best = max(self.best, (logs or {})["val_accuracy"])
            # Hyperband's later rounds begin at the epoch after which the earlier ones ended.
            if epoch + 1 == TRAINING.epochs:
                record = TrialRecord(
                    number=len(log.full),
                    architecture=self.architecture,
                    status=TrialStatus.COMPLETED,
                    metrics={"val_score": self.best},
                )
                log.full.append((log.epochs, record))
            if log.epochs == EPOCHS:
                raise keras_tuner.errors.FatalError("all epochs are spent")

    def begin(_: Any, trial: Any) -> None:
        if "tuner/trial_id" not in trial.hyperparameters.values:
            log.begin(decide(space, Budget(), trial.hyperparameters))

    tuner_class = getattr(keras_tuner, name)
    watched = type(name, (tuner_class,), {"on_trial_begin": begin})
    limits = {"max_epochs": TRAINING.epochs, "hyperband_iterations": ENOUGH}
    options = limits if name == "Hyperband" else {"max_trials": ENOUGH}
    fit_options = {} if name == "Hyperband" else {"epochs": TRAINING.epochs}
    with tempfile.TemporaryDirectory() as folder:
        tuner = watched(
            Networks(),
            objective="val_accuracy",
            max_model_size=MOST,
            # By default it ends after three in a row that are too large.
            max_consecutive_failed_trials=ENOUGH,
            seed=seed + 1,
            directory=folder,
            **options,
        )
        try:
            tuner.search(
                data.train.images.astype("float32") / 255,
                data.train.targets,
                validation_data=(data.validation.images.astype("float32") / 255, data.validation.targets),
                batch_size=TRAINING.batch_size,
                verbose=0,
                **fit_options,
            )
        except keras_tuner.errors.FatalError:
            if log.epochs < EPOCHS:
                raise
    return log


def run_all(seeds: int, log: Path) -> dict[str, list[Any]]:
    """Each search in a process of its own, one after the other; what is in the log is not run again."""
    log.parent.mkdir(parents=True, exist_ok=True)
    lines = [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []
    for seed in range(seeds):
        for name in (*OURS, *TUNERS):
            if any((line["search"], line["seed"]) == (name, seed) for line in lines):
                continue
            print(f"{name}, seed {seed}", file=sys.stderr, flush=True)
            command = [sys.executable, __file__, "--search", name, "--seed", str(seed)]
            output = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
            lines.append({"search": name, "seed": seed, **json.loads(output.splitlines()[-1])})
            with log.open("a") as file:
                file.write(json.dumps(lines[-1]) + "\n")
                file.flush()
                os.fsync(file.fileno())
    return {
        name: [line for line in lines if line["search"] == name and line["seed"] < seeds] for name in (*OURS, *TUNERS)
    }


def draw(curves: Mapping[str, list[list[float]]], path: Path) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 5), layout="constrained")
    axes = figure.subplots()
    epochs = range(1, EPOCHS + 1)
    for number, (name, runs) in enumerate(curves.items()):
        axes.plot(epochs, [fmean(each) for each in zip(*runs, strict=True)], color=f"C{number}", label=name)
        for each in runs:
            axes.plot(epochs, each, color=f"C{number}", alpha=0.25, linewidth=0.8)
    axes.set(xlabel="epochs trained", ylabel="hypervolume", title="digits, at most 20,000 parameters")
    axes.grid(alpha=0.3)
    axes.legend(loc="lower right")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=150)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--log", type=Path, default=Path("runs/live_digits.jsonl"))
    parser.add_argument("--plot", type=Path, default=HERE.parent / "docs" / "images" / "live-digits.png")
    parser.add_argument("--search", choices=[*OURS, *TUNERS], help=argparse.SUPPRESS)
    parser.add_argument("--seed", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.search is not None:
        # What Keras Tuner prints is not for the parent.
        out, sys.stdout = sys.stdout, sys.stderr
        ours = OURS.get(given.search)
        log = search_keras_tuner(TUNERS[given.search], given.seed) if ours is None else search_ours(*ours, given.seed)
        print(json.dumps(log.as_json()), file=out)
        return
    runs = run_all(given.seeds, given.log)
    curves = {name: [run["curve"] for run in each] for name, each in runs.items()}
    draw(curves, given.plot)
    print(f"hypervolume after so many epochs, mean of {given.seeds} seeds ± standard error; trials, mean of a search")
    marks = [EPOCHS // 4, EPOCHS // 2, EPOCHS]
    heads = "".join(f"{mark:>16}" for mark in marks)
    print(f"{'':34}{heads}   best accuracy  epochs  trials  too large  repeated")
    for name, each in curves.items():
        cells = []
        for mark in marks:
            values = [values[mark - 1] for values in each]
            error = stdev(values) / len(values) ** 0.5 if len(values) > 1 else 0.0
            cells.append(f"{fmean(values):.3f} ± {error:.3f}")
        best = fmean(run["best"] for run in runs[name])
        counted = [fmean(run[key] for run in runs[name]) for key in ("epochs", "trials", "oversized", "repeated")]
        print(
            f"{name:34}"
            + "".join(f"{cell:>16}" for cell in cells)
            + f"{best:16.3f}"
            + "{:8.0f}{:8.1f}{:11.1f}{:10.1f}".format(*counted)
        )


if __name__ == "__main__":
    main()
