"""Heads whose answers are no classes, trained on embedded data by every loop, left and resumed, and exported."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

from nas.architecture import Architecture
from nas.architecture.blocks import Conv, FcnHead, PointsHead, Pool, RegionHead, Skip, YoloHead
from nas.config import AugmentationConfig, DatasetConfig, TrainingConfig
from nas.datasets import DatasetSpec, load
from nas.devices.visible import VisibleDevices
from nas.export import export
from nas.tasks import TASKS
from nas.training import answers_of, evaluate, rebuild, train

ROWS = {
    # name: data set, head
    "yolo": ("digit_scenes_detection", YoloHead(classes=10, boxes=2)),
    "yolo, dense": ("digit_scenes_detection", YoloHead(classes=10, units=(16,), grid=4, dropout=0.1)),
    "points": ("digit_scenes_detection", PointsHead(classes=10)),
    "region": (
        "digit_scenes_detection",
        RegionHead(classes=10, width=8, regions=4, bins=2, units=8, dropout=0.1, boxes="class"),
    ),
    "region, windows": (
        "digit_scenes_detection",
        RegionHead(classes=10, proposals="windows", sizes=0.25, pooling="pyramid", bins=(2, 1), units=()),
    ),
    "fcn": ("digit_scenes_segmentation", FcnHead(classes=11, output_size=48, units=(6,), dropout=0.1, dice=0.5)),
    "fcn, transposed": ("digit_scenes_segmentation", FcnHead(classes=11, output_size=48, upsample="transposed")),
}

ON_JAX = ("yolo", "points", "region", "fcn")
"""One of each kind: compiling a network takes seconds there."""

TRAINING = TrainingConfig(
    epochs=2, batch_size=32, learning_rate=0.01, augmentation=AugmentationConfig(shift=2, flip=True)
)


def network(name):
    head = ROWS[name][1]
    skips = (Skip(classes=11),) * head.takes_skips
    blocks = (Conv(filters=6), *skips, Pool(), Conv(filters=8), *skips, Pool(), head)
    return Architecture(input_shape=(48, 48, 1), blocks=blocks)


def data(name):
    whole = load(DatasetConfig(name=ROWS[name][0]))
    parts = {part: split.take(np.arange(96)) for part, split in whole.splits.items()}
    return DatasetSpec(info=whole.info, **parts)


@pytest.fixture(scope="module", params=ROWS)
def name(request):
    return request.param


@pytest.fixture(scope="module")
def trained(name):
    return train(network(name), data(name), TRAINING, seed=1, loop="compiled")


def test_both_loops_train_it_alike(name, trained):
    fit = train(network(name), data(name), TRAINING, seed=1, loop="fit")
    for curve, values in trained.curves.items():
        assert fit.curves[curve] == pytest.approx(values, rel=2e-3, abs=0.01), curve
    assert trained.curves["loss"][-1] < trained.curves["loss"][0]
    scored = evaluate(network(name), trained.weights, data(name).validation)
    assert scored["score"] == pytest.approx(trained.metrics["val_score"], abs=1e-4)
    assert scored["loss"] == pytest.approx(trained.metrics["val_loss"], rel=1e-4)


def test_it_goes_on_where_it_was_left(name, trained):
    left = train(network(name), data(name), TRAINING, seed=1, loop="compiled", epochs=1)
    again = train(network(name), data(name), TRAINING, seed=1, loop="compiled", checkpoint=left.checkpoint)
    for curve, values in trained.curves.items():
        assert again.curves[curve] == pytest.approx(values, rel=1e-4, abs=1e-3), curve


def test_keras_own_loop_reports_the_score(name, trained):
    architecture, split = network(name), data(name).validation
    head, model = architecture.head, rebuild(architecture, trained.weights)
    task = TASKS[head.task]
    model.compile(loss=head.keras_loss(label_smoothing=0.0), metrics=[task.keras_metric(head.answers)])
    told = model.evaluate(split.images / 255, split.targets, verbose=0, return_dict=True)
    assert told["loss"] == pytest.approx(trained.metrics["val_loss"], rel=1e-4)
    assert told[task.score.name] == pytest.approx(trained.metrics["val_score"], abs=0.01)


def test_an_export_serves_in_plain_tensorflow_what_the_task_decides(name, trained, tmp_path):
    import tensorflow as tf

    architecture, split = network(name), data(name).validation
    labels = data(name).info.labels
    target = {"to": tmp_path / "model", "check_images": split.images, "check_targets": split.targets}
    report = export(architecture, trained.weights, labels=labels, **target)
    before, after = report.written[0].scores["val"]
    assert before == pytest.approx(after, abs=1e-6)
    signatures = tf.saved_model.load(str(tmp_path / "model")).signatures
    task, images = TASKS[architecture.head.task], tf.constant(split.images)
    answers = signatures["answers"](image=images)[task.answer]
    trained_answers = answers_of(architecture, rebuild(architecture, trained.weights), split.images)
    assert task.compare(trained_answers, np.asarray(answers), tolerance=1e-5).problem == ""
    served, wanted = signatures["serving_default"](image=images), task.served(answers)
    assert set(served) == set(wanted)
    for part, value in wanted.items():
        assert served[part].dtype == value.dtype
        np.testing.assert_allclose(served[part], value, atol=1e-6, err_msg=part)


def test_they_train_on_jax():
    code = """
import json
from tests.tasks.test_training import *
from nas.devices import open_devices

devices = open_devices(VisibleDevices(kind="jax-cpu", visible=("0", "1"), runtime="jax"))
print(json.dumps({name: train(network(name), data(name), TRAINING, seed=1, devices=devices).curves for name in ON_JAX}))
"""
    environment = VisibleDevices(kind="jax-cpu", visible=("0", "1"), runtime="jax").environment()
    environment["XLA_FLAGS"] += " --xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, env=os.environ | environment
    )
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout.splitlines()[-1])
    assert set(found) == set(ON_JAX)
    for name, curves in found.items():
        assert curves["val_loss"][-1] < curves["val_loss"][0], name
        assert 0 <= curves["val_score"][-1] <= 1, name
