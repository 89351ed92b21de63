"""Trains one architecture with Keras' own `fit`, and keeps the weights of its best epoch."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nas.config import TrainingConfig
from nas.errors import NasError
from nas.training.devices import Devices, select_devices
from nas.training.model import Weights, precision
from nas.training.quiet import import_tensorflow
from nas.training.schedule import batch_norm_momentum, make_optimizer

if TYPE_CHECKING:
    from nas.architecture import Architecture
    from nas.datasets.spec import DatasetSpec

OnEpoch = Callable[[int, dict[str, float]], None]
"""Receives the epoch, from 1, and its `accuracy`, `loss`, `val_accuracy`, `val_loss`; may raise to end training."""

_CURVES = ("accuracy", "loss", "val_accuracy", "val_loss")


class TrainingDivergedError(NasError):
    """The loss became infinite or not a number: an outcome of the trial, not a fault of the program."""

    def __init__(self, epoch: int) -> None:
        super().__init__(epoch)
        self.epoch = epoch

    def __str__(self) -> str:
        return f"Training diverged in epoch {self.epoch}: the loss is no finite number. Lower training.learning_rate."


class TrainingStoppedError(NasError):
    """The caller's `should_stop` ended the training."""

    def __init__(self, epoch: int) -> None:
        super().__init__(epoch)
        self.epoch = epoch

    def __str__(self) -> str:
        return f"Training was stopped in epoch {self.epoch}; the trial has no result."


@dataclass(frozen=True, kw_only=True)
class TrainingResult:
    """What a training gave.

    Attributes:
        metrics: `accuracy`, `val_accuracy` in [0, 1], `loss`, `val_loss` in nats, of the best epoch: the highest
            val_accuracy, then the lowest val_loss, then the first.
        curves: the same four, one value an epoch.
        weights: of the best epoch, in the order of `keras.Model.get_weights()`, in host memory.
        best_epoch: from 1.
        epochs: that were trained.
        duration_seconds: build, training and validation.
    """

    metrics: Mapping[str, float]
    curves: Mapping[str, tuple[float, ...]]
    weights: Weights
    best_epoch: int
    epochs: int
    duration_seconds: float


def train(
    architecture: Architecture,
    data: DatasetSpec,
    training: TrainingConfig,
    *,
    seed: int,
    devices: Devices | None = None,
    on_epoch: OnEpoch | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> TrainingResult:
    """Trains on `data.train`, scores each epoch on `data.validation`; never reads `data.test`.

    The same seed gives the same training. It is set globally (Python, NumPy, TensorFlow), and Keras' session is
    cleared afterwards: do not call this between building and training a model of your own.

    Args:
        architecture: what to build.
        data: whose splits to use.
        training: how.
        seed: of initial weights, order, augmentation and dropout.
        devices: where; None picks them.
        on_epoch: called after each epoch.
        should_stop: asked after each batch; True ends the training with an error.

    Raises:
        TrainingDivergedError: the loss became infinite or not a number.
        TrainingStoppedError: `should_stop` said so.
        NasError: a split is too small for the devices.
    """
    import_tensorflow()
    import keras

    from nas.datasets.pipeline import batches

    started = time.monotonic()
    devices = devices or select_devices()
    batch_size = training_batch_size(len(data.train), training.batch_size, devices.replicas)
    # Without gradients a batch of four times the size takes no more memory, and a quarter of the calls.
    validation_size = validation_batch_size(len(data.validation), 4 * training.batch_size, devices.replicas)
    steps = training.epochs * (len(data.train) // batch_size)
    keras.utils.set_random_seed(seed)
    record = _make_recorder(on_epoch, should_stop, replicas=devices.replicas)
    try:
        with precision(training.precision), devices.scope():
            model = architecture.build(batch_norm_momentum=batch_norm_momentum(steps))
            _compile(model, training, steps=steps)
            model.fit(
                # Without the remainder: each step has the same shape, replicas have equal shares, and no batch
                # normalization sees a single image. The order is new in each epoch, so no image is left out for good.
                batches(
                    data.train,
                    batch_size=batch_size,
                    shuffle_seed=seed,
                    augmentation=training.augmentation,
                    drop_remainder=True,
                ),
                validation_data=batches(
                    data.validation, batch_size=validation_size, shuffle_seed=None, augmentation=None
                ),
                epochs=training.epochs,
                shuffle=False,
                verbose=0,
                callbacks=[record],
            )
        best = record.best_epoch
        return TrainingResult(
            metrics={name: record.curves[name][best - 1] for name in _CURVES},
            curves={name: tuple(values) for name, values in record.curves.items()},
            weights=record.weights,
            best_epoch=best,
            epochs=len(record.curves["loss"]),
            duration_seconds=time.monotonic() - started,
        )
    finally:
        policy = keras.config.dtype_policy()
        keras.backend.clear_session()
        keras.config.set_dtype_policy(policy)


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


def _compile(model: Any, training: TrainingConfig, *, steps: int) -> None:
    import keras

    metrics: list[Any] = [keras.metrics.SparseCategoricalAccuracy(name="accuracy")]
    loss: Any = keras.losses.SparseCategoricalCrossentropy()
    if training.label_smoothing:
        classes = model.output_shape[-1]
        # The recorded losses stay the plain cross entropy, comparable between settings.
        metrics.append(keras.metrics.SparseCategoricalCrossentropy(name="cross_entropy"))

        def loss(labels: Any, predictions: Any) -> Any:
            one_hot = keras.ops.one_hot(keras.ops.cast(labels, "int32"), classes)
            return keras.losses.categorical_crossentropy(
                one_hot, predictions, label_smoothing=training.label_smoothing
            )

    model.compile(
        optimizer=make_optimizer(training, steps=steps),
        loss=loss,
        metrics=metrics,
        # XLA compiles each new network for 7-20 s on a CPU, longer than a short training takes, and fails under a
        # MirroredStrategy; on one GPU it does not pay back within a few hundred steps either.
        jit_compile=False,
    )


def _make_recorder(on_epoch: OnEpoch | None, should_stop: Callable[[], bool] | None, *, replicas: int) -> Any:
    import keras

    class Recorder(keras.callbacks.Callback):  # type: ignore[misc]
        """Curves and best weights in host memory; ends the training of a diverged or unwanted network."""

        def __init__(self) -> None:
            super().__init__()
            self.curves: dict[str, list[float]] = {name: [] for name in _CURVES}
            self.weights: Weights = []
            self.best_epoch = 0
            self._best = (-1.0, 0.0)

        def on_train_batch_end(self, batch: int, logs: Mapping[str, Any] | None = None) -> None:
            epoch = len(self.curves["loss"]) + 1
            # Reading the loss waits for the device: not at each step.
            if batch % 50 == 0 and not math.isfinite(float((logs or {}).get("loss", 0.0))):
                raise TrainingDivergedError(epoch)
            if should_stop is not None and should_stop():
                raise TrainingStoppedError(epoch)

        def on_test_begin(self, logs: Mapping[str, Any] | None = None) -> None:
            if replicas > 1:
                # Each replica keeps batch normalization statistics of its own; what is read, and exported, is their
                # mean. So the mean is what is validated.
                self.model.set_weights(self.model.get_weights())

        def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
            values = {name: float(value) for name, value in (logs or {}).items()}
            for prefix in ("", "val_"):
                values[f"{prefix}loss"] = values.pop(f"{prefix}cross_entropy", values[f"{prefix}loss"])
            if not all(math.isfinite(value) for value in values.values()):
                raise TrainingDivergedError(epoch + 1)
            for name in _CURVES:
                self.curves[name].append(values[name])
            score = (values["val_accuracy"], -values["val_loss"])
            if score > self._best:
                self._best, self.best_epoch, self.weights = score, epoch + 1, self.model.get_weights()
            if on_epoch is not None:
                on_epoch(epoch + 1, {name: values[name] for name in _CURVES})

    return Recorder()
