"""Trials an hour on a GPU or a TPU: a whole `nas search` and Keras Tuner's RandomSearch, on the same architectures.

    python benchmarks/accelerator.py --device gpu                 # 24 trials of 10 epochs on the digits
    python benchmarks/accelerator.py --device tpu --experiment cifar10 --trials 12
    python benchmarks/accelerator.py --device jax-cpu --trials 2 --epochs 1    # rehearsed without either

The search runs first, with one worker per device. Then Keras Tuner trains the same networks, in one process that sees
all devices, compiled and fitted as its guides show it, on the same Keras backend. Wall time from start to end includes
the start-up of processes and is divided by the trials, so give both enough of them.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any


def nas_search(arguments: argparse.Namespace, runs_dir: Path) -> list[str]:
    """The search; its architectures as JSON."""
    from nas.config import load_experiment
    from nas.files.shipped import find_experiment
    from nas.tuning import Plan, run

    settings = {
        "strategy": "random",
        "final.seeds": 0,
        "trials": arguments.trials,
        "training.epochs": arguments.epochs,
        "device": arguments.device,
        **dict(setting.split("=", 1) for setting in arguments.set),
    }
    search = run(Plan.of(load_experiment(find_experiment(arguments.experiment), settings)), runs_dir=runs_dir)
    failed = [trial.reason for trial in search.trials if trial.reason]
    if failed:
        raise SystemExit(f"{len(failed)} trials failed, the first with: {failed[0]}")
    return [trial.architecture.to_json() for trial in search.trials]


def keras_tuner_search(given: dict[str, Any]) -> None:
    """Keras Tuner's, in a process of its own, over a space in which trial n is architecture n."""
    import keras
    import keras_tuner
    import numpy as np

    from nas.architecture import Architecture

    architectures = iter(
        [Architecture.from_json(given["architectures"][0]), *map(Architecture.from_json, given["architectures"])]
    )
    data = np.load(given["data"])

    class Given(keras_tuner.HyperModel):  # type: ignore[misc]
        def build(self, hp: Any) -> Any:
            hp.Int("number", 0, 10**9)
            model = next(architectures).build()  # the first call only reads the space
            loss, metrics = "sparse_categorical_crossentropy", ["accuracy"]
            model.compile(optimizer=keras.optimizers.Adam(given["learning_rate"]), loss=loss, metrics=metrics)
            return model

    tuner = keras_tuner.RandomSearch(
        Given(), "val_accuracy", max_trials=len(given["architectures"]), directory=Path(given["data"]).parent / "tuner"
    )
    tuner.search(
        data["x"].astype("float32") / 255,
        data["y"],
        validation_data=(data["x_val"].astype("float32") / 255, data["y_val"]),
        epochs=given["epochs"],
        batch_size=given["batch_size"],
        verbose=0,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="auto", choices=["auto", "cpu", "gpu", "tpu", "jax-cpu"])
    parser.add_argument("--experiment", default="digits")
    parser.add_argument("--trials", type=int, default=24)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--set", action="append", default=[], help="any key of the experiment: trials_per_gpu=3")
    parser.add_argument("--keras-tuner", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.keras_tuner:
        keras_tuner_search(json.loads(Path(arguments.keras_tuner).read_text()))
        return

    import numpy as np

    from nas.config import load_experiment
    from nas.datasets import load
    from nas.devices import inspect_machine
    from nas.devices.visible import VisibleDevices
    from nas.files.shipped import find_experiment

    machine = inspect_machine()
    device = machine["choice"]["device"] if arguments.device == "auto" else arguments.device
    seconds = {}
    with tempfile.TemporaryDirectory() as folder:
        started = time.monotonic()
        architectures = nas_search(arguments, Path(folder) / "runs")
        seconds[f"nas search --device {device}"] = time.monotonic() - started

        experiment = load_experiment(find_experiment(arguments.experiment))
        data = load(experiment.dataset)
        np.savez(
            Path(folder) / "data.npz",
            x=data.train.images,
            y=data.train.targets,
            x_val=data.validation.images,
            y_val=data.validation.targets,
        )
        given = {
            "architectures": architectures,
            "data": str(Path(folder) / "data.npz"),
            "epochs": arguments.epochs,
            "batch_size": experiment.training.batch_size,
            "learning_rate": experiment.training.learning_rate,
        }
        (Path(folder) / "given.json").write_text(json.dumps(given))
        environment = {
            "cpu": VisibleDevices(kind="cpu").environment(),
            "gpu": {"KERAS_BACKEND": "tensorflow"},
            "tpu": VisibleDevices(kind="tpu", runtime="jax").environment(),
            "jax-cpu": VisibleDevices(kind="jax-cpu", visible=("0",), runtime="jax").environment(),
        }[device]
        started = time.monotonic()
        subprocess.run(
            [sys.executable, __file__, "--keras-tuner", str(Path(folder) / "given.json")],
            env=os.environ | environment,
            stdout=subprocess.DEVNULL,
            check=True,
        )
        seconds["Keras Tuner RandomSearch, stock"] = time.monotonic() - started

    found = [f"{each['name']} {each['description']}" for each in machine["devices"]]
    print(f"{len(architectures)} architectures on {data.info.name}, {arguments.epochs} epochs; {', '.join(found)}")
    print(f"{'':34}  trials  wall s  trials/hour  ratio")
    base = seconds["Keras Tuner RandomSearch, stock"]
    for name, took in seconds.items():
        print(f"{name:34}{len(architectures):8}{took:8.1f}{3600 * len(architectures) / took:13.0f}{base / took:7.1f}")


if __name__ == "__main__":
    main()
