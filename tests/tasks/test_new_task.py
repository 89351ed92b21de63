"""A task of its own, in this file alone: where is the brightest pixel? A whole search is run with it.

Nothing else in the project knows of it: its targets are no classes, its score is no accuracy, and augmentation moves
its targets.
"""

import csv
import io
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from typing import ClassVar, final

import numpy as np
import pytest

from nas.architecture import Architecture
from nas.architecture.blocks import BLOCKS, Conv, Head
from nas.architecture.blocks.base import register
from nas.architecture.layers import Activation, Dense, Flatten
from nas.cli import main
from nas.config import AugmentationConfig, TrainingConfig
from nas.datasets import Arrays, DatasetInfo, Split, load, sources
from nas.devices.visible import VisibleDevices
from nas.errors import NasError
from nas.objectives import SCORES, Score
from nas.space import load_definition
from nas.tasks import TASKS, Agreement, TargetError, Task

SIDE = 8


@final
class Place(Task):
    """Targets and answers are float32 `(n, 2)`: row and column in [0, 1). Those a pixel off at most are hits."""

    name = "place"
    score = Score(name="hits", heading="hits")
    answer = "place"

    def check_labels(self, labels, data):
        if labels:
            raise TargetError(f"places have no classes; {data} has {labels}")

    def check_targets(self, targets, labels, data, *, input_shape):
        if targets.dtype != "float32" or targets.shape[1:] != (2,):
            raise TargetError(f"places must be float32 (n, 2); {data} has {targets.dtype} {targets.shape}")

    def chance(self, labels, score=None):
        return 9 / SIDE**2

    def described(self, labels):
        return "one place"

    def strata(self, targets):
        return (targets[:, 0] < 0.5).astype(np.int64)

    def lacking(self, targets, labels):
        return "" if (targets[:, 0] < 0.5).any() else "places in the upper half"

    def move(self, targets, movement):
        import tensorflow as tf

        row, column = tf.unstack(targets * [movement.height, movement.width], axis=1)
        if movement.flipped is not None:
            column = tf.where(movement.flipped, movement.width - 1 - column, column)
        if movement.down is not None:
            row, column = row + tf.cast(movement.down, tf.float32), column + tf.cast(movement.right, tf.float32)
        return tf.stack([row / movement.height, column / movement.width], axis=1)

    def resize(self, targets, shape, framing):
        return targets

    def evidence(self, targets, answers):
        from keras import ops

        near = ops.all(ops.abs(ops.cast(targets, "float32") - answers) * SIDE < 1.5, axis=-1)
        return ops.cast(near, "float32")

    def score_of(self, evidence, score=None):
        return float(evidence.mean(dtype="float64"))

    def keras_metric(self, answers):
        import keras

        return keras.metrics.MeanMetricWrapper(lambda t, outputs: self.evidence(t, answers(outputs)), name="hits")

    def check_answers(self, shape, labels):
        return "" if shape == (2,) else f"must return a row and a column; its output is {shape}"

    def served(self, answers):
        return {self.answer: answers}

    def compare(self, expected, received, *, tolerance):
        difference = float(np.abs(expected - received).max())
        return Agreement(largest_difference=difference, problem="" if difference <= tolerance else "places differ")

    def picture(self, images, targets, answers, labels):
        return f"<svg>{len(images)} images</svg>"


@final
@dataclass(frozen=True, kw_only=True, slots=True)
class PlaceHead(Head):
    """A dense layer with two numbers in [0, 1]."""

    task: ClassVar[str] = "place"

    def wire(self, graph, x):
        x = graph.add(Flatten(), x, name="vector")
        return graph.add(Activation(function="sigmoid"), graph.add(Dense(units=2), x, name="dense"), name="place")

    def loss(self, targets, outputs, *, label_smoothing):
        from keras import ops

        return ops.mean(ops.square(ops.cast(targets, "float32") - outputs), axis=-1)

    def answers(self, outputs):
        return outputs


class Spots:
    """A source of data."""

    INFO: ClassVar[dict] = {"name": "spots", "input_shape": (SIDE, SIDE, 1), "labels": (), "task": "place"}

    @staticmethod
    def accepts(config):
        return config.name == "spots"

    @staticmethod
    def peek(config):
        return DatasetInfo(**Spots.INFO)

    @staticmethod
    def load_arrays(config):
        return Arrays(info=DatasetInfo(**Spots.INFO), train=spots(600))


def spots(count):
    """Noise, and a bright pixel whose place is the target, away from the border so that it stays inside."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 60, (count, SIDE, SIDE, 1)).astype(np.uint8)
    places = rng.integers(1, SIDE - 1, (count, 2))
    images[np.arange(count), places[:, 0], places[:, 1], 0] = 255
    return Split(images=images, targets=(places / SIDE).astype(np.float32))


def make_known():
    """The registrations; what takes them back."""
    register("place")(PlaceHead)
    TASKS.add("place", Place())
    SCORES.add(Place.score.objective, Place.score)
    sources.SOURCES.add("spots", Spots)
    names = ((BLOCKS, "place"), (TASKS, "place"), (SCORES, Place.score.objective), (sources.SOURCES, "spots"))
    return lambda: [registry._items.pop(name) for registry, name in names]


@pytest.fixture(scope="module", autouse=True)
def known():
    forget = make_known()
    yield
    forget()


def network():
    return Architecture(input_shape=(SIDE, SIDE, 1), blocks=(Conv(filters=4), PlaceHead()))


@pytest.fixture(scope="module")
def experiment(tmp_path_factory):
    folder = tmp_path_factory.mktemp("place")
    (folder / "places.yaml").write_text(
        f"input: {SIDE}x{SIDE}x1\nstages:\n  - choose: conv\n    filters: [2, 4, 8]\n    repeat: [1, 2]\nhead: place\n"
    )
    (folder / "spots.yaml").write_text(
        f"space: {folder / 'places.yaml'}\ndataset: spots\ntrials: 3\nworkers: 0\nstrategy: random\n"
        "training: {epochs: 8, batch_size: 32, learning_rate: 0.02, augmentation: {shift: 1, flip: true}}\n"
        "final: {seeds: 1, top: 1}\n"
    )
    return folder / "spots.yaml"


@pytest.fixture(scope="module")
def searched(experiment, tmp_path_factory):
    runs = tmp_path_factory.mktemp("runs")
    assert main(["search", str(experiment), "--runs-dir", str(runs)]) == 0
    return runs


def test_a_dry_run_says_what_is_wanted(experiment, tmp_path, capsys):
    assert main(["search", str(experiment), "--runs-dir", str(tmp_path), "--dry-run"]) == 0
    told = capsys.readouterr().out
    assert "spots: 8x8x1, one place" in told
    assert "high val_hits, low parameters" in told


def test_data_and_heads_must_be_for_one_task(experiment, tmp_path, capsys):
    assert main(["search", str(experiment), "--space", "tiny", "--runs-dir", str(tmp_path), "--dry-run"]) == 1
    told = capsys.readouterr().err
    assert "classification" in told
    assert "place" in told
    assert main(["search", str(experiment), "--set", "objectives=[val_accuracy, macs]", "--dry-run"]) == 1
    assert "val_hits" in capsys.readouterr().err


def test_all_heads_of_a_space_are_for_one_task(tmp_path):
    (tmp_path / "both.yaml").write_text("stages: []\nhead:\n  - place\n  - flatten\n")
    with pytest.raises(
        NasError, match=r"both.yaml:2: head: all heads of a space are for one task; place is for place, f"
    ):
        load_definition(tmp_path / "both.yaml")


def front(runs, capsys, *options):
    assert main(["front", "spots", "--runs-dir", str(runs), *options]) == 0
    return capsys.readouterr().out


def test_the_front_in_three_formats(searched, capsys):
    document = json.loads(front(searched, capsys, "--format", "json"))
    assert document["objectives"] == {"parameters": "minimize", "val_hits": "maximize"}
    assert document["points"][-1]["val_hits"] > 0.3
    assert any(point["test_hits"] is not None for point in document["points"])
    rows = list(csv.DictReader(io.StringIO(front(searched, capsys, "--format", "csv"))))
    assert [float(row["val_hits"]) for row in rows] == [point["val_hits"] for point in document["points"]]
    assert "val hits" in front(searched, capsys)


def test_the_journal_mlflow_and_the_report_have_the_scores_name(searched, tmp_path, capsys):
    from nas.tuning import Search

    lines = [json.loads(line) for line in (searched / "spots" / "trials.jsonl").read_text().splitlines()]
    ended = next(line for line in lines if line.get("event") == "end")
    assert set(ended["curves"]) == {"hits", "loss", "val_hits", "val_loss"}
    run = Search("spots", searched).tracking_run()
    client = run.store.connect()
    shown = client.search_runs([client.get_experiment_by_name(run.experiment).experiment_id])
    assert sum("val_hits" in each.data.metrics and "epoch/val_hits" in each.data.metrics for each in shown) == 3
    assert not any("accuracy" in name for each in shown for name in each.data.metrics)
    assert main(["report", "spots", "--runs-dir", str(searched), "--to", str(tmp_path / "page.html")]) == 0
    page = (tmp_path / "page.html").read_text()
    assert "validation hits" in page
    assert "accuracy" not in page


def test_an_export_is_compared_and_answers_in_its_own_terms(searched, tmp_path, capsys):
    import tensorflow as tf

    assert main(["export", "spots", "--runs-dir", str(searched), "--to", str(tmp_path / "model")]) == 0
    assert "validation hits" in capsys.readouterr().out
    assert not (tmp_path / "model" / "labels.txt").exists()
    assert (tmp_path / "model" / "predictions.svg").read_text() == "<svg>18 images</svg>"
    split = spots(64)
    answers = tf.saved_model.load(str(tmp_path / "model")).signatures["serving_default"](image=split.images)
    assert list(answers) == ["place"]
    assert Place().score_of(np.asarray(Place().evidence(split.targets, answers["place"]))) > 0.3


def test_both_loops_train_it_alike_and_targets_move_with_their_images():
    from nas.config import DatasetConfig
    from nas.training import evaluate, train

    data = load(DatasetConfig(name="spots"))
    training = TrainingConfig(epochs=4, batch_size=32, learning_rate=0.02, augmentation=AugmentationConfig(shift=1))
    compiled, fit = (train(network(), data, training, seed=1, loop=loop) for loop in ("compiled", "fit"))
    for name, curve in compiled.curves.items():
        assert fit.curves[name] == pytest.approx(curve, abs=0.02), name
    scored = evaluate(network(), compiled.weights, data.validation)
    assert scored["score"] == pytest.approx(compiled.metrics["val_score"], abs=1e-6)
    assert scored["loss"] == pytest.approx(compiled.metrics["val_loss"], rel=1e-4)
    # The training images are moved: were their targets not, these could not be learned as well as the others.
    assert compiled.curves["score"][-1] > 0.3


def test_it_trains_on_jax():
    code = """
import json
from tests.tasks.test_new_task import *
make_known()
from nas.config import DatasetConfig
from nas.devices import open_devices
from nas.training import train

devices = open_devices(VisibleDevices(kind="jax-cpu", visible=("0", "1"), runtime="jax"))
training = TrainingConfig(epochs=3, batch_size=32, learning_rate=0.02)
print(json.dumps(train(network(), load(DatasetConfig(name="spots")), training, seed=1, devices=devices).curves))
"""
    environment = VisibleDevices(kind="jax-cpu", visible=("0", "1"), runtime="jax").environment()
    environment["XLA_FLAGS"] += " --xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=os.environ | environment
    )
    curves = json.loads(done.stdout.splitlines()[-1])
    assert set(curves) == {"score", "loss", "val_score", "val_loss"}
    assert curves["val_score"][-1] > curves["val_score"][0]
