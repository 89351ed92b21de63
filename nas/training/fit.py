"""Training with Keras' own `fit` on a stream of batches: for several devices, and data of any size."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from nas.config import TrainingConfig
from nas.errors import NasError
from nas.training.checkpoint import State
from nas.training.devices import Devices
from nas.training.model import Weights, set_weights
from nas.training.objective import training_loss
from nas.training.result import History
from nas.training.schedule import batch_norm_momentum, make_optimizer

if TYPE_CHECKING:
    from nas.architecture import Architecture
    from nas.datasets.spec import DatasetSpec


def train_with_fit(
    architecture: Architecture,
    data: DatasetSpec,
    training: TrainingConfig,
    *,
    seed: int,
    devices: Devices,
    history: History,
    until: int,
    state: State | None,
    initial_weights: Weights | None,
) -> State:
    """Fills the history; arguments and result are those of `train_compiled`.

    Raises:
        NasError: diverged, stopped, or a split is too small for the devices.
    """
    from nas.datasets.pipeline import batches

    batch_size = training_batch_size(len(data.train), training.batch_size, devices.replicas)
    # Without gradients a batch of four times the size takes no more memory, and a quarter of the calls.
    validation_size = validation_batch_size(len(data.validation), 4 * training.batch_size, devices.replicas)
    steps = training.epochs * (len(data.train) // batch_size)
    model = architecture.build(batch_norm_momentum=batch_norm_momentum(steps))
    if initial_weights is not None:
        set_weights(model, architecture, initial_weights)
    _compile(model, training, steps=steps, replicas=devices.replicas)
    model.optimizer.build(model.trainable_variables)
    variables = [*model.variables, *model.optimizer.variables]
    for variable, value in zip(variables, state or (), strict=state is not None):
        variable.assign(value)
    model.fit(
        # Without the remainder: each step has the same shape, replicas have equal shares, and no batch
        # normalization sees a single image. The order is new in each epoch, so no image is left out for good.
        batches(
            data.train,
            batch_size=batch_size,
            shuffle_seed=seed,
            augmentation=training.augmentation,
            drop_remainder=True,
            # One endless stream: Keras opens a finite one more than once an epoch, and each time another order is lost.
            endless_after=history.epochs,
        ),
        steps_per_epoch=len(data.train) // batch_size,
        validation_data=batches(data.validation, batch_size=validation_size, shuffle_seed=None, augmentation=None),
        initial_epoch=history.epochs,
        epochs=until,
        shuffle=False,
        verbose=0,
        callbacks=[_make_callback(history, replicas=devices.replicas)],
    )
    return [] if until == training.epochs else [np.asarray(variable.numpy()) for variable in variables]


def training_batch_size(images: int, wanted: int, replicas: int) -> int:
    """The batch size that is used: at most one epoch, and the same number of images for each replica.

    >>> training_batch_size(1_149, 64, 1), training_batch_size(40, 64, 1), training_batch_size(1_149, 63, 2)
    (64, 40, 62)
    """
    _require(images, replicas, "training")
    size = min(wanted, images)
    return max(replicas, size - size % replicas)


def validation_batch_size(images: int, wanted: int, replicas: int) -> int:
    """The size nearest to `wanted` that scores every image once, however many replicas share a batch.

    Keras needs full batches that split evenly, TensorFlow a last batch with an image for each replica. Dropping or
    padding the last one would score other images than the user's; another size does not.

    >>> validation_batch_size(129, 64, 1), validation_batch_size(129, 64, 2)
    (64, 62)
    """
    _require(images, replicas, "validation")
    sizes = range(replicas, images + 1, replicas)
    fitting = [size for size in sizes if images % size == 0 or images % size >= replicas]
    if not fitting:
        raise NasError(
            f"The validation split of {images:,} images cannot be shared among {replicas} devices; "
            "use more images or fewer devices."
        )
    return min(fitting, key=lambda size: abs(size - wanted))


def _require(images: int, replicas: int, split: str) -> None:
    if images < replicas:
        raise NasError(
            f"The {split} split needs at least one image for each of {replicas} devices; "
            f"it has {images:,}. Use more images or fewer devices."
        )


def _compile(model: Any, training: TrainingConfig, *, steps: int, replicas: int) -> None:
    import keras

    metrics: list[Any] = [keras.metrics.SparseCategoricalAccuracy(name="accuracy")]
    loss: Any = keras.losses.SparseCategoricalCrossentropy()
    if smoothing := training.label_smoothing:
        # The recorded losses stay the plain cross entropy, comparable between settings.
        metrics.append(keras.metrics.SparseCategoricalCrossentropy(name="cross_entropy"))

        def loss(labels: Any, probabilities: Any) -> Any:
            return training_loss(labels, probabilities, label_smoothing=smoothing)

    model.compile(
        optimizer=make_optimizer(training, steps=steps, replicas=replicas),
        loss=loss,
        metrics=metrics,
        # XLA compiles each new network for 7-20 s on a CPU, longer than a short training takes, and fails under a
        # MirroredStrategy; on one GPU it does not pay back within a few hundred steps either.
        jit_compile=False,
    )


def _make_callback(history: History, *, replicas: int) -> Any:
    import keras

    class Recorder(keras.callbacks.Callback):  # type: ignore[misc]
        """Hands epochs to the history."""

        def on_train_batch_end(self, batch: int, logs: Mapping[str, Any] | None = None) -> None:
            # Reading the loss waits for the device: not at each step.
            if batch % 50 == 0:
                history.check_loss(float((logs or {}).get("loss", 0.0)))
            history.check_stop()

        def on_test_begin(self, logs: Mapping[str, Any] | None = None) -> None:
            if replicas > 1:
                # Each replica keeps batch normalization statistics of its own; what is read, and exported, is their
                # mean. So the mean is what is validated.
                self.model.set_weights(self.model.get_weights())

        def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
            values = {name: float(value) for name, value in (logs or {}).items()}
            for prefix in ("", "val_"):
                values[f"{prefix}loss"] = values.pop(f"{prefix}cross_entropy", values[f"{prefix}loss"])
            history.end_epoch(values, self.model.get_weights)

    return Recorder()
