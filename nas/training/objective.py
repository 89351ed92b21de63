"""What a training minimizes."""

from __future__ import annotations

from typing import Any


def training_loss(labels: Any, probabilities: Any, *, label_smoothing: float) -> Any:
    """The loss of each example in nats, `(batch,)`; what is recorded is always the plain cross entropy.

    Args:
        labels: integers `(batch,)`.
        probabilities: float32 `(batch, classes)`.
        label_smoothing: share of the target that is spread over all classes, in [0, 1).
    """
    import keras

    if not label_smoothing:
        return keras.losses.sparse_categorical_crossentropy(labels, probabilities)
    one_hot = keras.ops.one_hot(keras.ops.cast(labels, "int32"), probabilities.shape[-1])
    return keras.losses.categorical_crossentropy(one_hot, probabilities, label_smoothing=label_smoothing)
