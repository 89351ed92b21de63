"""Batch normalization's statistics for inference, measured on training images whenever they are needed.

Keras keeps moving averages of what the batches of a training were normalized by. They lag behind the weights, so that a
network in the middle of its training validates like a coin. Measured with the weights as they are, the statistics
belong to them at any epoch (Wu and Johnson, 2021: Rethinking "Batch" in BatchNorm).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from nas.architecture.keras_types import KerasLayer, KerasModel, Tensor

if TYPE_CHECKING:
    from nas.datasets.spec import Split

MOST_IMAGES = 2_048
"""That are looked at: forward only, and as few as that, they take a few per cent of an epoch of thousands of images."""


def measured_batches(images: int, training_size: int) -> npt.NDArray[np.int64]:
    """Which training images are looked at, `(batches, batch)`: the same in each epoch and in each loop.

    Batches of up to four times the training's, all of one size, each drawn from anywhere in the split.

    Args:
        images: of the split.
        training_size: of the training's batches.
    """
    count = min(MOST_IMAGES, images)
    batches = -(-count // (4 * training_size))
    size = count // batches
    return np.random.default_rng(0).permutation(images)[: batches * size].reshape(batches, size)


def make_measurement(model: KerasModel, split: Split, *, training_size: int) -> Callable[[], None]:
    """A function that gives a Keras model the mean of the statistics of `measured_batches`; on JAX, too.

    Args:
        model: in training. Nothing else of it changes; a dropout's seeds stay where they are.
        split: of the training images.
        training_size: of the training's batches.
    """
    import keras

    from nas.datasets.pipeline import scaled

    variables = model.non_trainable_variables
    # A model keeps no others that are weights; the seeds of dropout are none.
    moving = [place for place, variable in enumerate(variables) if any(variable is each for each in model.weights)]
    if not moving:
        return lambda: None
    zeros = [np.zeros(variables[place].shape, np.float32) for place in moving]
    shares = [1 - _momentum(model, variables[place]) for place in moving]

    def measure(trained: list[Tensor], others: list[Tensor], images: Tensor) -> list[Tensor]:
        with _without_dropout(model):
            _, left = model.stateless_call(trained, others, images, training=True)
        # A moving average that begins at 0 is, after one batch, that batch's share.
        return [left[place] / share for place, share in zip(moving, shares, strict=True)]

    if keras.backend.backend() == "jax":
        import jax

        measure = jax.jit(measure)
    else:
        import tensorflow as tf

        measure = tf.function(measure, autograph=False, jit_compile=False)
    positions = measured_batches(len(split), training_size)

    def run() -> None:
        trained = [keras.ops.convert_to_tensor(each) for each in model.trainable_variables]
        others = [keras.ops.convert_to_tensor(each) for each in variables]
        for place, zero in zip(moving, zeros, strict=True):
            others[place] = keras.ops.convert_to_tensor(zero)
        seen = [measure(trained, others, np.asarray(scaled(split.images[batch]))) for batch in positions]
        for place, values in zip(moving, zip(*seen, strict=True), strict=True):
            variables[place].assign(np.mean([np.asarray(value) for value in values], axis=0))

    return run


def _momentum(model: KerasModel, variable: Any) -> float:
    (layer,) = (each for each in model.layers if any(variable is own for own in each.non_trainable_weights))
    return float(layer.momentum)


@contextmanager
def _without_dropout(model: KerasModel) -> Iterator[None]:
    """While the model is traced: what dropout blanks would change the statistics behind it."""
    import keras

    dropped: list[tuple[KerasLayer, float]] = [
        (layer, layer.rate) for layer in model.layers if isinstance(layer, keras.layers.Dropout)
    ]
    try:
        for layer, _ in dropped:
            layer.rate = 0.0
        yield
    finally:
        for layer, rate in dropped:
            layer.rate = rate
