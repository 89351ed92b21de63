"""Batch normalization's statistics belong to the weights at each epoch, whatever the loop."""

import numpy as np
import pytest

from nas.config import TrainingConfig
from nas.training import evaluate, train
from nas.training.statistics import measured_batches
from tests.training.conftest import (
    digits_data,
    dropped_before_normalized,
    kept_statistics,
    small_network,
    statistics_by_hand,
)


@pytest.mark.parametrize(
    ("images", "training_size", "shape"),
    [
        (1_100, 64, (5, 220)),  # of 256 at most
        (50_000, 64, (8, 256)),
        (50_000, 2_048, (1, 2_048)),
        (270, 50, (2, 135)),
        (20, 64, (1, 20)),
        (5, 1, (2, 2)),  # one is left over
        (1, 1, (1, 1)),
    ],
)
def test_measured_batches_are_of_one_size_and_no_image_is_there_twice(images, training_size, shape):
    batches = measured_batches(images, training_size)
    assert batches.shape == shape
    assert len(np.unique(batches)) == batches.size
    assert (batches >= 0).all()
    assert (batches < images).all()
    np.testing.assert_array_equal(batches, measured_batches(images, training_size))


def test_measured_images_are_from_anywhere_in_the_split():
    assert measured_batches(50_000, 64).mean(axis=1) == pytest.approx(np.full(8, 25_000), rel=0.15)


@pytest.mark.parametrize("loop", ["compiled", "fit"])
@pytest.mark.parametrize(
    ("network", "normalizations"), [(small_network(), 2), (dropped_before_normalized(), 3)], ids=["plain", "dropout"]
)
def test_a_network_in_mid_training_is_validated_with_the_statistics_of_its_weights(network, normalizations, loop):
    data = digits_data(train_images=500)
    config = TrainingConfig(epochs=5, batch_size=50, learning_rate=1e-2)
    result = train(network, data, config, seed=3, loop=loop, epochs=1)
    assert result.epochs == 1
    measured = statistics_by_hand(network, result.weights, data.train, training_size=50)
    kept = kept_statistics(network, result.weights)
    assert len(kept) == 2 * normalizations
    for ours, by_hand in zip(kept, measured, strict=True):
        np.testing.assert_allclose(ours, by_hand, rtol=1e-3, atol=1e-5)
    again = evaluate(network, result.weights, data.validation)
    assert result.metrics["val_score"] == pytest.approx(again["score"])
    assert result.metrics["val_loss"] == pytest.approx(again["loss"], rel=1e-4)
