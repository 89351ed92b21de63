"""Architectures as Keras models with given weights, and what such a model says about images."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from nas.devices.tensorflow_import import import_tensorflow
from nas.errors import NasError

if TYPE_CHECKING:
    from nas.architecture import Architecture
    from nas.datasets.spec import Split

Weights = Sequence[npt.NDArray[Any]]
"""The arrays of `keras.Model.get_weights()`, in its order."""


@contextmanager
def precision(policy: str) -> Iterator[None]:
    """Keras' dtype policy for the models built inside; the caller's policy afterwards."""
    import keras

    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def rebuild(architecture: Architecture, weights: Weights) -> Any:
    """The float32 `keras.Model` of an architecture, whatever precision its weights were trained in.

    Raises:
        NasError: the weights are not those of this architecture.
    """
    import_tensorflow()
    return _rebuilt(architecture, weights)


def _rebuilt(architecture: Architecture, weights: Weights) -> Any:
    with precision("float32"):
        model = architecture.build()
    set_weights(model, architecture, weights)
    return model


def set_weights(model: Any, architecture: Architecture, weights: Weights) -> None:
    """Give an architecture's model its weights.

    Raises:
        NasError: the weights are not those of this architecture.
    """
    received, expected = [w.shape for w in weights], [tuple(v.shape) for v in model.weights]
    if received != expected:
        raise NasError(
            f"Architecture {architecture.id} has {len(expected)} weight arrays with "
            f"{model.count_params():,} values; received {len(received)} with "
            f"{sum(w.size for w in weights):,}. Use the weights that were trained for it."
        )
    model.set_weights(list(weights))


def probabilities(model: Any, images: npt.NDArray[np.uint8], *, batch_size: int = 512) -> npt.NDArray[np.float32]:
    """Class probabilities `(n, classes)` of uint8 images `(n, height, width, channels)`, in inference mode.

    The images take the way of the training data, so that a difference between that way and an export's shows.
    """
    from nas.datasets.pipeline import batches
    from nas.datasets.spec import Split

    split = Split(images=images, labels=np.zeros(len(images), np.int64))
    stream = batches(split, batch_size=batch_size, shuffle_seed=None, augmentation=None)
    return np.concatenate([np.asarray(model(x, training=False), np.float32) for x, _ in stream])


def evaluate(architecture: Architecture, weights: Weights, split: Split) -> dict[str, float]:
    """Accuracy in [0, 1] and mean cross entropy in nats, `{"accuracy", "loss"}`, in float32; on JAX, too."""
    import_tensorflow("tensorflow", "jax")
    p = probabilities(_rebuilt(architecture, weights), split.images)
    of_label = p[np.arange(len(p)), split.labels].astype(np.float64)
    return {
        "accuracy": float(np.mean(p.argmax(axis=1) == split.labels)),
        # Keras' own floor: a probability that underflowed to 0 costs 16 nats, not infinitely many.
        "loss": float(-np.mean(np.log(np.clip(of_label, 1e-7, 1.0)))),
    }
