"""Training with Keras' own `fit` on a stream of batches: for several devices, and data of any size."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from nas.architecture.keras_types import KerasMetric, KerasModel, KerasOptimizer
from nas.config import TrainingConfig
from nas.devices.selection import Devices
from nas.objectives import Score
from nas.tasks import TASKS
from nas.training.batch_size import training_batch_size, validation_batch_size
from nas.training.checkpoint import State
from nas.training.distillation import Lesson
from nas.training.evidence import make_evidence_metric
from nas.training.model import Weights, precision, set_weights
from nas.training.objective import Objective
from nas.training.own import Own, in_place
from nas.training.result import EpochHistory, MetricError
from nas.training.schedule import make_optimizer
from nas.training.statistics import make_measurement

if TYPE_CHECKING:
    from nas.architecture import Architecture
    from nas.datasets.spec import DatasetSpec, Split

MOST_STEPS = 16
"""That JAX takes between two looks of Keras' at what else is to do."""


def train_with_fit(
    architecture: Architecture,
    data: DatasetSpec,
    training: TrainingConfig,
    *,
    seed: int,
    devices: Devices,
    history: EpochHistory,
    until: int,
    state: State | None,
    initial_weights: Weights | None,
    score: Score,
    lesson: Lesson | None,
    own: Own | None,
    name: str,
) -> State:
    """Fills the history; arguments and result are those of `train_compiled`, but for the training's name.

    The user's callbacks follow ours, which validates: they find its values in their logs, spelled as in files.

    Raises:
        NasError: diverged, stopped, or a split is too small for the devices.
    """
    from nas.datasets.pipeline import batches, padded_batches

    task = TASKS[architecture.head.task]
    batch_size = training_batch_size(len(data.train), training.batch_size, devices.replicas)
    validation_size = validation_batch_size(len(data.validation), training.batch_size, devices.replicas)
    steps_an_epoch = len(data.train) // batch_size
    model = architecture.build()
    if initial_weights is not None:
        set_weights(model, architecture, initial_weights)
    objective = Objective(architecture.head, training, data, lesson, own)
    metric = _compile(
        model,
        objective,
        data.train,
        devices,
        rows=steps_an_epoch * batch_size,
        optimizer=make_optimizer(training, steps=training.epochs * steps_an_epoch, replicas=devices.replicas, own=own),
        own=own,
        steps_per_execution=_largest_divisor(steps_an_epoch, MOST_STEPS) if devices.runtime == "jax" else 1,
    )
    model.optimizer.build(model.trainable_variables)
    variables = [*model.variables, *model.optimizer.variables]
    for variable, value in zip(variables, state or (), strict=state is not None):
        variable.assign(value)
    # Padded, so that every batch has one shape and equal shares; the padding has weight 0.
    validation = padded_batches(data.validation, batch_size=validation_size)
    if devices.runtime == "jax":
        # On JAX, Keras takes a batch from the stream to see what metrics get, unless they have seen one; the orders of
        # the epochs would then be others behind a checkpoint.
        images, targets, weights = next(validation.as_numpy_iterator())
        model.test_on_batch(images, objective.like_a_batch(targets), weights)
    with precision("float32"):
        delivered = architecture.build()
    padded = -(-len(data.validation) // validation_size) * validation_size
    # Validation images are not mixed, and count alike.
    plain = Objective(architecture.head, TrainingConfig(), data, own=own)
    delivered_metric = _compile(delivered, plain, data.train, devices, rows=padded, own=own)
    metrics = () if own is None else tuple(own.metrics)
    measure = make_measurement(delivered, data.train, training_size=batch_size)

    def judge() -> tuple[dict[str, float], Callable[[], Weights]]:
        """Validates the network as it will be delivered: in float32, with statistics that belong to its weights."""
        delivered.set_weights(model.get_weights())
        measure()
        told = delivered.evaluate(validation, verbose=0, return_dict=True)
        values = {"val_score": task.score_of(delivered_metric.seen(), score), "val_loss": float(told["plain_loss"])}
        values |= {f"val_{each}": _number(each, told[each]) for each in metrics}
        return values, delivered.get_weights

    def trained(logs: Mapping[str, Any]) -> dict[str, float]:
        """The same of the training images, as the network was when it was given each of them."""
        values = {"loss": float(logs["plain_loss"]), "score": task.score_of(metric.seen(), score)}
        return values | {each: _number(each, logs[each]) for each in metrics}

    model.fit(
        # Without the remainder: each step has the same shape, replicas have equal shares, and no batch
        # normalization sees a single image. The order is new in each epoch, so no image is left out for good.
        batches(
            data.train,
            task=task,
            batch_size=batch_size,
            shuffle_seed=seed,
            augmentation=training.augmentation,
            drop_remainder=True,
            taught=None if lesson is None else lesson.answers,
            # One endless stream: Keras opens a finite one more than once an epoch, and each time another order is lost.
            endless_after=history.epochs,
        ),
        steps_per_epoch=steps_an_epoch,
        initial_epoch=history.epochs,
        epochs=until,
        shuffle=False,
        verbose=0,
        callbacks=[
            _make_callback(history, trained, judge, delivered_metric.seen, score),
            *(() if own is None else own.make_callbacks(name)),
        ],
    )
    return [] if until == training.epochs else [np.asarray(variable.numpy()) for variable in variables]


def _compile(
    model: KerasModel,
    objective: Objective,
    split: Split,
    devices: Devices,
    *,
    rows: int,
    optimizer: KerasOptimizer | None = None,
    steps_per_execution: int = 1,
    own: Own | None = None,
) -> KerasMetric:
    """Compiles a model with the loss that is reported, and with a metric that keeps the evidence, which it returns.

    Args:
        model: to be compiled.
        objective: of the training, or of none.
        split: whose targets are like those that it will be given.
        devices: where.
        rows: the most images of an epoch or a validation, padding included.
        optimizer: None for a model that is only validated.
        steps_per_execution: more than one fails under a MirroredStrategy, and a remainder would be trained in the next
            epoch's place.
        own: of the user, whose metrics are kept, too.
    """
    import keras

    brought = [make() for make in own.metrics.values()] if own is not None else []
    if objective.is_packed:
        brought = [in_place(each, objective.own) for each in brought]

    metric = make_evidence_metric(
        model,
        objective.head,
        split.targets,
        rows=rows,
        replicas=devices.tensorflow_replicas,
        own=objective.own,
    )
    model.compile(
        optimizer=optimizer or "sgd",
        loss=objective.keras_loss(),
        # Keras' own loss counts padding as images. And with label smoothing the recorded losses stay the plain ones,
        # comparable between settings.
        weighted_metrics=[metric, keras.metrics.MeanMetricWrapper(objective.recorded, name="plain_loss"), *brought],
        # JAX needs XLA. TensorFlow does not, where it compiles each new network for 7-20 s on a CPU, longer than a
        # short training takes, and fails under a MirroredStrategy; on one GPU it does not pay back within a few
        # hundred steps either.
        jit_compile=devices.runtime == "jax",
        steps_per_execution=steps_per_execution,
    )
    return metric


def _number(metric: str, value: Any) -> float:
    found = np.asarray(value)
    if found.size != 1:
        raise MetricError(f"a metric must be one number; {metric} has the shape {found.shape}")
    return float(found.reshape(()))


def _largest_divisor(number: int, most: int) -> int:
    return max(divisor for divisor in range(1, most + 1) if number % divisor == 0)


def _make_callback(
    history: EpochHistory,
    trained: Callable[[Mapping[str, Any]], dict[str, float]],
    judge: Callable[[], tuple[dict[str, float], Callable[[], Weights]]],
    evidence: Callable[[], npt.NDArray[Any]],
    score: Score,
) -> Any:
    import keras

    class Recorder(keras.callbacks.Callback):  # type: ignore[misc]
        """Hands epochs to the history."""

        def on_train_batch_end(self, batch: int, logs: Mapping[str, Any] | None = None) -> None:
            # Reading the loss waits for the device: not at each step.
            if batch % 50 < self.model.steps_per_execution:
                history.check_loss(float((logs or {}).get("loss", 0.0)))
            history.check_stop()

        def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
            logs = {} if logs is None else logs
            values = trained(logs)
            history.check_loss(values["loss"])
            validated, weights = judge()
            values |= validated
            history.end_epoch(values, weights, evidence)
            # Keras gives each callback the same dict: those of the user's find in it what a search knows.
            logs.clear()
            logs |= score.spelled_keys(values)

    return Recorder()
