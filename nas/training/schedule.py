"""What follows from the number of steps: the learning rate's course."""

from __future__ import annotations

from typing import Any

from nas.architecture.keras_types import KerasOptimizer, Tensor
from nas.config import TrainingConfig
from nas.training.own import Own


def warm_up_steps(steps: int) -> int:
    """Steps of linear warm-up: a twentieth of the training, so that it is over well before the first rung of early
    stopping; at most 1,000.

    >>> warm_up_steps(5), warm_up_steps(200), warm_up_steps(1_000_000)
    (0, 10, 1000)
    """
    return min(1_000, steps // 20)


UNDECAYED = ("bias", "gamma", "beta")
"""Names of variables that weight decay spares: shrinking them does not regularize, it only fights normalization."""


def decays(name: str) -> bool:
    """Whether weight decay shrinks a variable of this name.

    >>> decays("kernel"), decays("gamma")
    (True, False)
    """
    return not any(part in name for part in UNDECAYED)


def make_optimizer(
    training: TrainingConfig, *, steps: int, replicas: int = 1, own: Own | None = None
) -> KerasOptimizer:
    """The Keras optimizer: linear warm-up to `learning_rate`, then a cosine to zero at the last of `steps`.

    One of the user's own is given that course.
    """
    import keras

    warm_up = warm_up_steps(steps)
    rate = keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=training.learning_rate / (warm_up + 1) if warm_up else training.learning_rate,
        decay_steps=steps - warm_up,
        warmup_target=training.learning_rate if warm_up else None,
        warmup_steps=warm_up,
    )
    optimizer = _by_name(training, rate) if own is None or own.optimizer is None else own.optimizer(rate)
    if replicas == 1:
        # Summing over one replica changes nothing, but TensorFlow registers a gradient for the sum, for good, and with
        # it the whole graph of the step: some 10 MB a network that no garbage collection gives back.
        optimizer._all_reduce_sum_gradients = _as_they_are
    return optimizer


def _by_name(training: TrainingConfig, rate: Any) -> KerasOptimizer:
    import keras

    # 0 and None differ: with 0 Keras adds one operation a variable that does nothing.
    decay = training.weight_decay or None
    optimizer: KerasOptimizer
    match training.optimizer:
        case "adam":
            optimizer = keras.optimizers.Adam(rate)
        case "adamw":
            optimizer = keras.optimizers.AdamW(rate, weight_decay=training.weight_decay)
        case "sgd":
            optimizer = keras.optimizers.SGD(rate, momentum=0.9, nesterov=True, weight_decay=decay)
    if decay and training.optimizer != "adam":
        optimizer.exclude_from_weight_decay(var_names=list(UNDECAYED))
    return optimizer


def _as_they_are(gradients: Tensor) -> Tensor:
    return gradients
