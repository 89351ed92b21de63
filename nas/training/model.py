"""Architectures as Keras models with given weights, and what such a model answers to images."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from nas.architecture.keras_types import KerasModel, Tensor
from nas.devices.tensorflow_import import import_tensorflow
from nas.errors import NasError
from nas.objectives import Score
from nas.tasks import TASKS

if TYPE_CHECKING:
    from nas.architecture import Architecture
    from nas.datasets.spec import Split

Weights = Sequence[npt.NDArray[Any]]
"""The arrays of `keras.Model.get_weights()`, in its order."""


BATCH = 512
"""Images that are given to a network at once where nothing is trained."""


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


def rebuild(architecture: Architecture, weights: Weights) -> KerasModel:
    """The float32 `keras.Model` of an architecture, whatever precision its weights were trained in.

    Raises:
        NasError: the weights are not those of this architecture.
    """
    import_tensorflow()
    return _rebuilt(architecture, weights)


def _rebuilt(architecture: Architecture, weights: Weights) -> KerasModel:
    with precision("float32"):
        model = architecture.build()
    set_weights(model, architecture, weights)
    return model


def set_weights(model: KerasModel, architecture: Architecture, weights: Weights) -> None:
    """Give an architecture's model its weights.

    Raises:
        NasError: the weights are not those of this architecture.
    """
    received, expected = [w.shape for w in weights], [tuple(v.shape) for v in model.weights]
    if received != expected:
        raise NasError(
            f"the weights of architecture {architecture.id} must be {len(expected)} arrays with "
            f"{model.count_params():,} values; received {len(received)} with "
            f"{sum(w.size for w in weights):,}; use the weights that were trained for it"
        )
    model.set_weights(list(weights))


def answers_of(architecture: Architecture, model: KerasModel, images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """The task's answers, a row an image, of uint8 images `(n, height, width, channels)`, in inference mode.

    The images are scaled as the training data are, so that a difference between that way and an export's shows.
    """
    head = architecture.head
    return np.concatenate([np.asarray(head.answers(outputs), np.float32) for _, outputs in _outputs(model, images)])


def answers_with(
    architecture: Architecture, weights: Weights, images: npt.NDArray[np.uint8]
) -> npt.NDArray[np.float32]:
    """The same of an architecture with given weights; on JAX, too."""
    import_tensorflow("tensorflow", "jax")
    return answers_of(architecture, _rebuilt(architecture, weights), images)


def spread(rows: npt.NDArray[Any], most: int | None) -> npt.NDArray[Any]:
    """At most so many rows, from all over."""
    if most is None or len(rows) <= most:
        return rows
    some: npt.NDArray[Any] = rows[np.linspace(0, len(rows) - 1, most).astype(int)]
    return some


def in_shape(images: Tensor, shape: tuple[int, int, int]) -> Tensor:
    """Batches of uint8 images as a network takes them, in its graph."""
    from nas.datasets.images import in_shape as made

    return made(images, shape)


def shaped(images: npt.NDArray[np.uint8], shape: tuple[int, int, int]) -> npt.NDArray[np.uint8]:
    """Images as a network takes them: resized and gray as the training images were, if these are others."""
    if images.shape[1:] == shape:
        return images
    parts = [in_shape(images[start : start + BATCH], shape) for start in range(0, len(images), BATCH)]
    return np.concatenate([np.asarray(part) for part in parts])


def evaluate(
    architecture: Architecture, weights: Weights, split: Split, score: Score | None = None
) -> dict[str, float]:
    """A score in [0, 1] and the mean loss of a split, `{"score", "loss"}`, in float32; on JAX, too.

    The score is the task's first if none is named.
    """
    import_tensorflow("tensorflow", "jax")
    head = architecture.head
    task = TASKS[head.task]
    losses, evidence = [], []
    for part, outputs in _outputs(_rebuilt(architecture, weights), split.images):
        targets = split.targets[part]
        losses.append(np.asarray(head.loss(targets, outputs, label_smoothing=0.0), np.float64))
        evidence.append(np.asarray(task.evidence(targets, head.answers(outputs))))
    return {
        "score": task.score_of(np.concatenate(evidence), score),
        "loss": float(np.concatenate(losses).mean()),
    }


def _outputs(model: KerasModel, images: npt.NDArray[np.uint8]) -> Iterator[tuple[slice, Tensor]]:
    """Which images, and what the model returns for them."""
    from nas.datasets.pipeline import scaled

    for start in range(0, len(images), BATCH):
        part = slice(start, start + BATCH)
        yield part, model(scaled(images[part]), training=False)
