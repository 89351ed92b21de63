"""A training that was left and goes on is the one that was not left."""

from dataclasses import replace

import numpy as np
import pytest

from nas.architecture import Architecture
from nas.architecture.blocks import BLOCKS
from nas.config import AugmentationConfig, TrainingConfig
from nas.errors import NasError
from nas.training import train
from nas.training.checkpoint import Checkpoint
from tests.training.conftest import digits_data

TRAINING = TrainingConfig(epochs=4, optimizer="adamw", weight_decay=0.01, augmentation=AugmentationConfig(shift=1))


@pytest.fixture(scope="module")
def data():
    return digits_data(train_images=320)  # five batches


def with_dropout():
    """And with batch normalization; the fewer layers, the sooner they are traced."""
    blocks = (BLOCKS["conv"](filters=8), BLOCKS["global_pool"](classes=10, units=(16,), dropout=0.2))
    return Architecture(input_shape=(8, 8, 1), blocks=blocks)


@pytest.mark.parametrize("loop", ["compiled", "fit"])
def test_it_goes_on_with_weights_optimizer_order_and_dropout_as_if_it_had_not_been_left(data, loop):
    network = with_dropout()
    whole = train(network, data, TRAINING, seed=3, loop=loop)
    assert whole.checkpoint is None
    told = []
    left = train(network, data, TRAINING, seed=3, loop=loop, epochs=1, on_epoch=lambda epoch, _: told.append(epoch))
    assert left.epochs == 1
    left = train(network, data, TRAINING, seed=3, loop=loop, epochs=3, checkpoint=left.checkpoint)
    assert left.epochs == 3
    done = train(
        network,
        data,
        TRAINING,
        seed=3,
        loop=loop,
        checkpoint=left.checkpoint,
        on_epoch=lambda epoch, _: told.append(epoch),
    )
    assert told == [1, 4]
    assert (done.epochs, done.best_epoch, done.checkpoint) == (4, whole.best_epoch, None)
    for name, curve in whole.curves.items():
        assert done.curves[name] == pytest.approx(curve, abs=2e-5), name
    for ours, theirs in zip(done.weights, whole.weights, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=2e-4)


def test_the_best_epoch_may_lie_before_the_checkpoint(data):
    network = with_dropout()
    left = train(network, data, TRAINING, seed=3, epochs=1)
    kept = Checkpoint.from_bytes(left.checkpoint)
    # As if the first epoch had been perfect.
    curves = dict(kept.curves) | {"val_score": (1.0,), "val_loss": (0.0,)}
    done = train(network, data, TRAINING, seed=3, epochs=2, checkpoint=replace(kept, curves=curves).to_bytes())
    assert done.best_epoch == 1
    assert done.metrics["val_score"] == 1.0
    np.testing.assert_array_equal(done.weights[0], left.weights[0])


def test_a_checkpoint_of_other_devices_is_passed_over(data, caplog):
    network = with_dropout()
    left = train(network, data, TRAINING, seed=3, epochs=1)
    again = train(network, data, TRAINING, seed=3, epochs=2, loop="fit", checkpoint=left.checkpoint)
    assert again.epochs == 2
    assert "a training starts again: its checkpoint is of other devices (compiled, now fit)" in caplog.text


def test_a_damaged_checkpoint_is_said(data):
    with pytest.raises(NasError, match=r"a checkpoint is damaged \(.+\); the trial must be trained from the start"):
        train(with_dropout(), data, TRAINING, seed=3, checkpoint=b"nothing")
