"""What choices beside the network bring on 6,000 images of Fashion-MNIST.

    nice -n 19 python benchmarks/choices.py                 # a night on one core; resumable
    python benchmarks/choices.py --only resolution --seeds 1

Each part compares searches that differ in the named settings only, at equal numbers of trials and epochs. None begins
with networks that its space knows: those were found on the same data, with one training.

* `recipe`: learning rate and batch size as choices, beside the values that the shipped experiments have, within 2,000,
  10,000 and 50,000 parameters. `hypervolume` is that of `nas front`; `test` is the mean test accuracy of two fresh
  trainings of the network with the highest validation accuracy.
* `resolution`: images of 14, 20 or 28 pixels a side as a choice, beside 28, with multiply-adds as the cost.
* `teacher`: up to four networks of a front, trained three times with the answers of the front's most accurate network,
  and three times without them from the same seeds.
* `unbalanced`: one class has a twentieth of its training and validation images. The search with `val_balanced_accuracy`
  and balanced class weights, beside the one with neither. Scored is balanced accuracy on all test images.
* `averages`: three networks by hand, with the weights of the last step and with moving averages of the weights.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from statistics import fmean
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np

import nas
from nas.config import DatasetConfig, TrainingConfig
from nas.datasets import load
from nas.files.shipped import find_space
from nas.objectives import MACS
from nas.tuning import Search

TRIALS = 16
DATA = DatasetConfig(name="fashion_mnist", validation_fraction=0.05, train_limit=6_000)
COMMON: dict[str, Any] = {
    "dataset.validation_fraction": DATA.validation_fraction,
    "dataset.train_limit": DATA.train_limit,
    "training.epochs": 10,
    "training.augmentation": {"shift": 1, "flip": True},
    "workers": 1,
}
SIZES: dict[int, dict[str, Any]] = {
    2_000: {"space": "tiny", "training.learning_rate": 0.02, "training.batch_size": 128},
    10_000: {"space": "mixed", "training.learning_rate": 0.02, "training.batch_size": 128},
    50_000: {"space": "mixed", "training.learning_rate": 0.02, "training.batch_size": 128},
}
"""Space and training at a size, as the shipped experiments have them."""

RECIPE: dict[str, Any] = {
    "training.learning_rate": [0.005, 0.01, 0.02, 0.04],
    "training.batch_size": [32, 64, 128],
}
RARE = "Shirt"
MOST_MACS = 400_000
DECAYS = (0.98, 0.995)


def search(name: str, settings: Mapping[str, Any], seed: int, runs_dir: Path, dataset: str = DATA.name) -> Search:
    """One search, which goes on where it was left."""
    shipped = find_space(settings["space"])
    space = runs_dir / shipped.name
    space.write_text("".join(line for line in shipped.open() if not line.startswith("known:")))
    return nas.search(
        "fashion_mnist",
        dataset=dataset,
        trials=TRIALS,
        seed=seed,
        settings=COMMON | dict(settings) | {"space": str(space)},
        name=f"{name}-{seed}",
        runs_dir=runs_dir,
    )


def show(title: str, columns: Iterable[str], rows: Mapping[str, list[list[float]]]) -> None:
    """Means over seeds, each with its deviation if there are several; NaN where a seed has nothing to show."""
    print(f"\n{title}", flush=True)
    print(f"{'':34}" + "".join(column.rjust(18) for column in columns))
    for label, runs in rows.items():
        cells = []
        for values in zip(*runs, strict=True):
            spread = f" ± {np.std(values, ddof=1):.4f}" if len(values) > 1 else ""
            cells.append(f"{fmean(values):.4f}{spread}".rjust(18))
        print(label.ljust(34) + "".join(cells), flush=True)


def recipe(seeds: range, runs_dir: Path) -> None:
    for size, usual in SIZES.items():
        rows = {}
        for label, more in {"as shipped": {}, "chosen": RECIPE}.items():
            settings = usual | more | {"budget": {"max_parameters": size}, "final": {"seeds": 2, "top": 1}}
            runs = [search(f"recipe-{size}-{label.split()[-1]}", settings, seed, runs_dir) for seed in seeds]
            # The one that the final stage chose.
            tested = [[trial for trial in run.trials if trial.is_tested] for run in runs]
            best = [max(trials, key=lambda trial: trial.score) for trials in tested]
            rows[label] = [
                [run.hypervolume, point.score, point.metrics["test_score"]]
                for run, point in zip(runs, best, strict=True)
            ]
        show(f"recipe, at most {size:,} parameters", ("hypervolume", "validation", "test"), rows)


def resolution(seeds: range, runs_dir: Path) -> None:
    limits = (MOST_MACS // 16, MOST_MACS // 8, MOST_MACS // 4, MOST_MACS)
    rows = {}
    for label, sides in {"28 pixels": 28, "14, 20 or 28 pixels": [14, 20, 28]}.items():
        settings = SIZES[10_000] | {
            "objectives": ["val_accuracy", "macs"],
            "budget": {"max_parameters": 20_000, "max_macs": MOST_MACS},
            "dataset.image_size": sides,
        }
        name = f"resolution-{'fixed' if isinstance(sides, int) else 'chosen'}"
        runs = [search(name, settings, seed, runs_dir) for seed in seeds]
        rows[label] = [
            [
                run.hypervolume,
                *(
                    max((trial.score for trial in run.front if trial.cost(MACS) <= limit), default=np.nan)
                    for limit in limits
                ),
            ]
            for run in runs
        ]
    show("resolution, best within MACs", ("hypervolume", *(f"{limit:,}" for limit in limits)), rows)


def teacher(seeds: range, runs_dir: Path) -> None:
    settings = SIZES[50_000] | {
        "budget": {"max_parameters": 50_000},
        "final": {"seeds": 3, "top": 4, "teacher": "best"},
    }
    found = search("teacher", settings, seeds[0], runs_dir)
    rows = {}
    for point in found.front:
        if "taught_test_score" in point.metrics:
            plain, taught = ([each.test_score for each in those] for those in (point.finals, point.taught))
            rows[f"{point.parameters:,} parameters"] = [
                [one, other, other - one] for one, other in zip(plain, taught, strict=True)
            ]
    show("teacher, test accuracy", ("plain", "taught", "gain"), rows)


def unbalanced(seeds: range, runs_dir: Path) -> None:
    data, path = load(DATA), runs_dir / "unbalanced.npz"
    rare = data.info.labels.index(RARE)
    if not path.exists():
        arrays: dict[str, Any] = {}
        for split, key in {"train": "train", "validation": "val", "test": "test"}.items():
            images, targets = getattr(data, split).images, getattr(data, split).targets
            kept = np.ones(len(targets), bool)
            if split != "test":
                kept[np.flatnonzero(targets == rare)[(targets == rare).sum() // 20 :]] = False
            arrays |= {f"x_{key}": images[kept], f"y_{key}": targets[kept]}
        np.savez(path, **arrays)
    test = data.test
    rows: dict[str, list[list[float]]] = {}
    for label, more in {
        "accuracy": {},
        "balanced accuracy, class weights": {
            "objectives": ["val_balanced_accuracy", "parameters"],
            "training.class_weights": "balanced",
        },
    }.items():
        settings = SIZES[10_000] | {"budget": {"max_parameters": 10_000}} | more
        settings |= {"dataset.train_limit": None}
        rows[label] = []
        for seed in seeds:
            found = search(f"unbalanced-{'weighted' if more else 'plain'}", settings, seed, runs_dir, str(path))
            point = max(found.front, key=lambda each: each.score)
            answers = found.load_model(point.number).predict(test.images / np.float32(255), verbose=0).argmax(-1)
            by_class = [float((answers[test.targets == each] == each).mean()) for each in range(len(data.info.labels))]
            rows[label].append([fmean(by_class), by_class[rare], float((answers == test.targets).mean())])
    show(f"unbalanced ({RARE} is rare), on the test images", ("balanced", RARE, "accuracy"), rows)


def averages(seeds: range, _: Path) -> None:
    """No search, and no file is written."""
    import keras

    from nas.architecture import Architecture
    from nas.architecture.blocks import Conv, GlobalPoolHead, Pool
    from nas.training.schedule import make_optimizer

    class Averages(keras.callbacks.Callback):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.kept: dict[float, list[Any]] = {}

        def on_train_batch_end(self, batch: int, logs: Mapping[str, float] | None = None) -> None:
            now = self.model.get_weights()
            for decay in DECAYS:
                kept = self.kept.get(decay, now)
                self.kept[decay] = [decay * old + (1 - decay) * new for old, new in zip(kept, now, strict=True)]

    data, training = load(DATA), TrainingConfig(epochs=10, learning_rate=0.01)
    steps = len(data.train) // training.batch_size
    kept = slice(steps * training.batch_size)
    images, test_images = (split.images / np.float32(255) for split in (data.train, data.test))
    rows: dict[str, list[list[float]]] = {}
    for filters in (4, 8, 16):
        blocks = (Conv(filters=filters), Pool(), Conv(filters=2 * filters), Pool(), Conv(filters=4 * filters))
        network = Architecture(input_shape=(28, 28, 1), blocks=(*blocks, GlobalPoolHead(classes=10)))
        label = f"{network.count.parameters:,} parameters"
        rows[label] = []
        for seed in seeds:
            keras.utils.set_random_seed(seed)
            model, watched = network.build(), Averages()
            optimizer = make_optimizer(training, steps=training.epochs * steps)
            model.compile(optimizer=optimizer, loss="sparse_categorical_crossentropy", metrics=["accuracy"])
            model.fit(
                images[kept],
                data.train.targets[kept],
                batch_size=training.batch_size,
                epochs=training.epochs,
                verbose=0,
                callbacks=[watched],
            )
            found = []
            for weights in (model.get_weights(), *watched.kept.values()):
                model.set_weights(weights)
                found.append(float(model.evaluate(test_images, data.test.targets, verbose=0)[1]))
            rows[label].append(found)
    show("averages of weights, test accuracy", ("last step", *(f"decay {decay}" for decay in DECAYS)), rows)


PARTS: dict[str, Callable[[range, Path], None]] = {
    "recipe": recipe,
    "resolution": resolution,
    "teacher": teacher,
    "unbalanced": unbalanced,
    "averages": averages,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=PARTS, help="one of the parts")
    parser.add_argument("--seeds", type=int, default=2, help="searches of each kind")
    parser.add_argument("--runs-dir", type=Path, default=Path("build/choices"))
    given = parser.parse_args()
    given.runs_dir.mkdir(parents=True, exist_ok=True)
    for name in PARTS if given.only is None else (given.only,):
        PARTS[name](range(given.seeds), given.runs_dir)


if __name__ == "__main__":
    main()
