"""The compiled loop does what Keras' `fit` does, and stops in time."""

import gc
import time
from dataclasses import replace

import numpy as np
import pytest

from nas.architecture import Architecture
from nas.architecture.blocks import BLOCKS
from nas.config import AugmentationConfig, TrainingConfig
from nas.datasets import DatasetError
from nas.devices import Devices
from nas.training import TrainingStoppedError, compiled, train
from nas.training.compiled import Pace, fits
from tests.training.conftest import digits_data, dropped_before_normalized, small_network


def with_dropout():
    """Branches, dropout, and batch normalization; `test_network.py` has every kind of layer."""
    blocks = (
        BLOCKS["conv"](filters=8),
        BLOCKS["residual"](filters=12, convolutions=1),
        BLOCKS["global_pool"](classes=10, units=(16,), dropout=0.2),
    )
    return Architecture(input_shape=(8, 8, 1), blocks=blocks)


CASES = {
    "dropout": (with_dropout(), {}),
    "two groups of weights": (
        small_network(),
        {
            "optimizer": "adamw",
            "weight_decay": 0.1,
            "label_smoothing": 0.2,
            "augmentation": AugmentationConfig(shift=2, flip=True, cutout=3),
        },
    ),
    "dropout before normalization": (dropped_before_normalized(), {"label_smoothing": 0.1}),
    "mixed and weighted": (
        small_network(),
        {
            "class_weights": "balanced",
            "label_smoothing": 0.1,
            "augmentation": AugmentationConfig(rotation=10, zoom=0.1, brightness=0.1, noise=0.02, mixup=0.4, cutmix=1),
        },
    ),
    "no statistics": (small_network(normalization="none"), {"optimizer": "sgd", "weight_decay": 0.1}),
}


@pytest.mark.parametrize("case", CASES)
def test_the_curves_and_the_weights_are_those_of_fit(case):
    """Same initial weights, order, augmentation and dropout; what is left is rounding."""
    network, options = CASES[case]
    config = TrainingConfig(epochs=2, batch_size=50, **options)
    data = digits_data(train_images=270)  # the last 20 of each epoch's order are left out

    expected = train(network, data, config, seed=2, loop="fit")
    result = train(network, data, config, seed=2, loop="compiled")

    for name, curve in expected.curves.items():
        assert result.curves[name] == pytest.approx(curve, abs=1e-4), name
    for received, wanted in zip(result.weights, expected.weights, strict=True):
        # Adam moves a weight whose gradient is nearly zero by a full step either way.
        np.testing.assert_allclose(received, wanted, atol=5e-3)


def test_half_precision_is_that_of_fit_within_its_rounding(monkeypatch):
    """With the loss scaled, or its small gradients would be lost."""
    import keras

    scaled = []
    original = keras.optimizers.LossScaleOptimizer.scale_loss
    monkeypatch.setattr(
        keras.optimizers.LossScaleOptimizer,
        "scale_loss",
        lambda self, loss: scaled.append(loss) or original(self, loss),
    )
    config = TrainingConfig(epochs=1, batch_size=50, precision="mixed_float16")
    data = digits_data(train_images=250)
    expected = train(small_network(), data, config, seed=2, loop="fit")
    scaled.clear()
    result = train(small_network(), data, config, seed=2, loop="compiled")
    assert len(scaled) == 1
    assert result.curves["loss"] == pytest.approx(expected.curves["loss"], abs=0.01)


def test_a_long_training_traces_each_function_once(network, data, monkeypatch):
    traced = []
    original = compiled.Network._run

    def counted(self, *given, training, by_batch):
        traced.append((training, by_batch))
        return original(self, *given, training=training, by_batch=by_batch)

    monkeypatch.setattr(compiled.Network, "_run", counted)
    train(network, data, TrainingConfig(epochs=4), seed=0, loop="compiled")
    # Validation, measurement, training.
    assert sorted(traced) == [(False, False), (False, True), (True, True)]


def test_every_validation_image_counts_once_whatever_the_batch(network, data):
    """301 images in 26 batches of 12, and in one."""
    from nas.training import evaluate

    for batch_size in (3, 100):
        result = train(network, data, TrainingConfig(epochs=1, batch_size=batch_size), seed=0, loop="compiled")
        again = evaluate(network, result.weights, data.validation)
        assert result.metrics["val_score"] == pytest.approx(again["score"])
        assert result.metrics["val_loss"] == pytest.approx(again["loss"], rel=1e-4)


@pytest.mark.parametrize("loop", ["compiled", "fit"])
def test_nothing_of_a_network_stays_in_memory(network, data, loop):
    """Else a process that trains many grows by about 10 MB a network."""
    from tensorflow.python.framework.func_graph import FuncGraph

    counts = []
    for _ in range(2):
        train(network, data, TrainingConfig(epochs=1), seed=0, loop=loop)
        gc.collect()
        counts.append(sum(isinstance(each, FuncGraph) for each in gc.get_objects()))
    assert counts[0] == counts[1]


def test_a_long_epoch_is_left_within_seconds(network, data):
    """One epoch of 40,000 steps, minutes long, and a time limit that is over after half a second."""
    long = replace(data, train=data.train.take(np.arange(40_000) % len(data.train)))
    started = []

    def over():
        started.append(time.monotonic())
        return started[-1] - started[0] > 0.5

    with pytest.raises(TrainingStoppedError, match="stopped in epoch 1"):
        train(network, long, TrainingConfig(epochs=1, batch_size=1), seed=0, should_stop=over, loop="compiled")
    assert started[-1] - started[0] < 10


def test_chunks_grow_to_the_wanted_time_and_shrink_again(monkeypatch):
    clock = iter([0, 0.1, 1, 1.1, 2, 6])
    monkeypatch.setattr(time, "perf_counter", lambda: next(clock))
    pace, sizes = Pace(1.0), []
    for _ in range(3):
        sizes.append(pace.steps)
        with pace.measure(pace.steps):
            pass
    assert sizes == [1, 8, 64]  # at most eight times as many, though ten and eighty would have fitted
    assert pace.steps == 16  # 64 took four seconds


@pytest.mark.parametrize(("short", "off"), [(1e18, True), (0, False)])
def test_short_trainings_go_without_the_graph_optimizer_and_leave_it_on(network, data, monkeypatch, short, off):
    import tensorflow as tf

    monkeypatch.setattr(compiled, "_SHORT_MACS", short)
    during = []

    def look(*_):
        during.append(tf.config.optimizer.get_experimental_options().get("disable_meta_optimizer", False))

    train(network, data, TrainingConfig(epochs=1), seed=0, on_epoch=look, loop="compiled")
    assert during == [off]
    assert not tf.config.optimizer.get_experimental_options().get("disable_meta_optimizer", False)


def test_data_that_do_not_fit_and_several_devices_are_left_to_fit(network, data, monkeypatch):
    one = Devices(kind="cpu", names=("CPU:0",))
    size = data.train.nbytes + data.validation.nbytes
    monkeypatch.setattr(compiled, "LARGEST_DATA_BYTES", size)
    assert fits(data, one)
    assert not fits(data, replace(one, names=("CPU:0", "CPU:1"), strategy=object()))
    monkeypatch.setattr(compiled, "LARGEST_DATA_BYTES", size - 1)
    assert not fits(data, one)

    monkeypatch.setattr("nas.training.loop.train_compiled", None)
    assert train(network, data, TrainingConfig(epochs=1), seed=0).epochs == 1


def test_an_augmentation_that_leaves_nothing_is_refused(network, data):
    config = TrainingConfig(epochs=1, augmentation=AugmentationConfig(cutout=8))
    with pytest.raises(DatasetError, match="must be smaller than the images' side of 8 pixels"):
        train(network, data, config, seed=0, loop="compiled")
