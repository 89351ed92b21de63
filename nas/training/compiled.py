"""Training on data that fit on the device: an epoch is one call of a compiled loop, its validation another.

Keras' `fit` calls into TensorFlow once a step, traces the step twice, and updates each variable on its own. For the
short trainings of a search that is most of the time.
"""

from __future__ import annotations

import functools
import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

import numpy as np

from nas.architecture.keras_types import KerasOptimizer, Tensor
from nas.config import TrainingConfig
from nas.devices.selection import Devices
from nas.objectives import Score
from nas.tasks import TASKS
from nas.training.batch_size import training_batch_size, validation_batch_size
from nas.training.checkpoint import State
from nas.training.distillation import Lesson
from nas.training.model import Weights
from nas.training.network import Network
from nas.training.objective import Objective
from nas.training.own import Own
from nas.training.result import EpochHistory
from nas.training.schedule import make_optimizer
from nas.training.statistics import measured_batches
from nas.training.xla_choice import Way, XlaChoice

if TYPE_CHECKING:
    from nas.architecture import Architecture
    from nas.datasets.spec import DatasetSpec, Split

LARGEST_DATA_BYTES = 2**31
"""Of training and validation data. They take this much of the device's memory, beside the network."""

_CHUNK_SECONDS = 1.0

_SHORT_MACS = 4e9
"""Forward multiply-adds of a whole training, up to which TensorFlow's graph optimizer does not pay on a CPU.

It takes up to 0.3 s a network, and then makes a step about 8 % faster; this many multiply-adds take some 3 s.
"""


def fits(data: DatasetSpec, devices: Devices) -> bool:
    """Whether the compiled loop can take it: one device of TensorFlow's, data of at most `LARGEST_DATA_BYTES`."""
    one = devices.runtime == "tensorflow" and devices.strategy is None
    return one and data.train.nbytes + data.validation.nbytes <= LARGEST_DATA_BYTES


def train_compiled(
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
) -> State:
    """Fills the history. The same seed gives the weights, the order and the augmentation that `fit` gets.

    Args:
        architecture: what to build.
        data: whose splits to use.
        training: how.
        seed: of the order and the augmentation.
        devices: where.
        history: of the epochs before; takes the new ones.
        until: the last epoch.
        state: after the epochs in the history; None if there are none.
        initial_weights: of the network if there is no state; None are random ones.
        score: which of the task's.
        lesson: of a teacher, if there is one.
        own: of the user, whose loss is taken; there must be nothing else.

    Returns:
        The state after the last epoch; nothing if that is the last of the training.

    Raises:
        NasError: diverged or stopped.
    """
    import tensorflow as tf

    from nas.datasets.augmentation import check_augmentation
    from nas.datasets.pipeline import order

    head = architecture.head
    task = TASKS[head.task]
    check_augmentation(data.train.images.shape[1:], training.augmentation, task)
    objective = Objective(head, training, data, lesson, own)
    batch_size = training_batch_size(len(data.train), training.batch_size)
    steps = len(data.train) // batch_size
    decayed = training.optimizer != "adam" and training.weight_decay > 0
    network = Network(architecture, separate=decayed, weights=initial_weights)
    optimizer = _make_optimizer(network, training, steps=training.epochs * steps)
    variables = [*network.weights, *network.seeds, *optimizer.variables]
    for variable, value in zip(variables, state or (), strict=state is not None):
        variable.assign(value)
    chunk = functools.partial(
        _make_train_chunk, network, objective, data.train, training, optimizer, batch_size=batch_size
    )
    # On a CPU, XLA compiles longer than it brings.
    other = functools.partial(chunk, xla=True) if devices.kind == "gpu" else None
    train_chunk = XlaChoice(chunk(xla=False), other, failure=tf.errors.OpError)
    delivered = network if training.precision == "float32" else network.in_float32()
    measure = _make_measurement(delivered, data.train, training_size=batch_size)
    validate = _make_validation(
        delivered,
        Objective(head, TrainingConfig(), data, own=own),  # validation images are not mixed, and count alike
        data.validation,
        batch_size=validation_batch_size(len(data.validation), training.batch_size),
    )
    epochs = order(len(data.train), batch_size=batch_size, shuffle_seed=seed, drop_remainder=True).batch(steps)
    stream = iter(epochs.repeat())
    pace = Pace(_CHUNK_SECONDS)
    macs = architecture.count.macs * batch_size * steps * training.epochs
    with _without_graph_optimizer() if devices.kind == "cpu" and macs < _SHORT_MACS else nullcontext():
        for epoch in range(until):
            positions, seeds = next(stream)
            if epoch < history.epochs:
                continue
            losses: list[float] = []
            evidence, start = [], 0
            while start < steps:
                end = min(steps, start + pace.steps)
                with pace.measure(end - start):
                    left = (until - epoch) * steps - start
                    stepwise, seen = train_chunk(positions[start:end], seeds[start:end], left=left)
                    losses += stepwise.tolist()
                start = end
                evidence.append(seen)
                history.check_loss(math.fsum(losses))
                history.check_stop()
            measure()
            val_losses, val_evidence = validate()
            values = {
                # The same to the last digit, whatever the chunks were.
                "loss": math.fsum(losses) / steps,
                "score": task.score_of(np.concatenate(evidence), score),
                "val_loss": math.fsum(val_losses.numpy().tolist()) / len(data.validation),
                "val_score": task.score_of(val_evidence.numpy(), score),
            }
            history.end_epoch(values, network.get_weights, val_evidence.numpy)
    return [] if until == training.epochs else [np.asarray(variable.numpy()) for variable in variables]


class Pace:
    """How many steps go into one call, so that a caller who wants to stop waits a bounded time.

    Begins with one step, whose duration is unknown, and the first call also optimizes the graph.
    """

    def __init__(self, seconds: float) -> None:
        self.steps = 1
        self._seconds = seconds

    @contextmanager
    def measure(self, steps: int) -> Iterator[None]:
        """Around a call of `steps` steps: the next one takes about `seconds`, and at most eight times as many steps."""
        started = time.perf_counter()
        yield
        second = max(time.perf_counter() - started, 1e-6)
        self.steps = max(1, min(int(steps * self._seconds / second), 8 * steps))


def _make_optimizer(network: Network, training: TrainingConfig, *, steps: int) -> KerasOptimizer:
    import keras

    optimizer = make_optimizer(training, steps=steps)
    if training.precision == "mixed_float16":
        # As `compile` does: small gradients would be zero in half precision.
        optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
    optimizer.build(network.weights)
    return optimizer


def _make_train_chunk(
    network: Network,
    objective: Objective,
    split: Split,
    training: TrainingConfig,
    optimizer: KerasOptimizer,
    *,
    batch_size: int,
    xla: bool,
) -> Way:
    """A function that trains on batches: (positions `(n, batch)`, seeds `(n, 2)`) -> (losses `(n,)`, evidence).

    The evidence has a row an image, batch after batch.
    """
    import tensorflow as tf

    from nas.datasets.pipeline import gather, on_device

    images, targets = on_device(split)
    taught = None if objective.lesson is None else tf.constant(objective.lesson.answers)
    head = objective.head
    task = TASKS[head.task]

    def learn(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        weights = [tf.convert_to_tensor(weights.value) for weights in network.weights]
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(weights)
            outputs = network(x, weights, training=True)
            losses = objective(y, outputs)
            loss = optimizer.scale_loss(tf.reduce_mean(losses))
        optimizer.apply(tape.gradient(loss, weights), network.weights)
        recorded = losses if objective.is_plain else objective.recorded(y, outputs)
        return tf.reduce_mean(recorded), task.evidence(objective.own(y), head.answers(outputs))

    if xla:
        # Without the augmentation, which would draw others.
        learn = tf.function(learn, autograph=False, jit_compile=True)

    def step(positions: Tensor, seed: Tensor) -> tuple[Tensor, Tensor]:
        augmentation = training.augmentation
        x, y = gather(images, targets, positions, task=task, augmentation=augmentation, seed=seed, taught=taught)
        return learn(x, y)

    signature = [tf.TensorSpec((None, batch_size), tf.int64), tf.TensorSpec((None, 2), tf.int64)]

    def train_chunk(positions: Tensor, seeds: Tensor) -> tuple[Tensor, Tensor]:
        return _looped(lambda i: step(positions[i], seeds[i]), tf.shape(positions)[0])

    return _compiled(train_chunk, signature)


def _make_measurement(network: Network, split: Split, *, training_size: int) -> Callable[[], object]:
    """A function that gives the network the mean of the statistics of `measured_batches`."""
    import tensorflow as tf

    from nas.datasets.pipeline import on_device, scaled

    if not network.is_normalized:
        return lambda: None
    images, _ = on_device(split)
    positions = measured_batches(len(split), training_size)

    def batch(index: Tensor) -> Tensor:
        weights = [tf.convert_to_tensor(weights.value) for weights in network.weights]
        return network.batch_statistics(scaled(tf.gather(images, index)), weights)

    def measure() -> Tensor:
        summed = tf.zeros_like(network.statistics)
        for_each = tf.constant(positions)
        _, summed = tf.while_loop(
            lambda i, _: i < len(positions),
            lambda i, summed: (i + 1, summed + batch(for_each[i])),
            (0, summed),
            parallel_iterations=1,
        )
        return network.statistics.assign(summed / len(positions))

    return _compiled(measure, [])


def _make_validation(
    network: Network, objective: Objective, split: Split, *, batch_size: int
) -> Callable[[], tuple[Tensor, Tensor]]:
    """A function that validates: () -> (losses, evidence) of the split; each loss is a sum over a batch."""
    import tensorflow as tf

    from nas.datasets.pipeline import on_device, scaled

    images, targets = on_device(split)
    head = objective.head
    task = TASKS[head.task]
    calls = -(-len(split) // batch_size)
    # Each batch has the same size; the last ones begin again at the front, with images that count for nothing.
    positions = np.arange(calls * batch_size).reshape(calls, batch_size)
    counts = (positions < len(split)).astype(np.float32)
    positions %= len(split)

    def batch(index: Tensor, count: Tensor) -> tuple[Tensor, Tensor]:
        x, y = scaled(tf.gather(images, index)), tf.gather(targets, index)
        weights = [tf.convert_to_tensor(weights.value) for weights in network.weights]
        outputs = network(x, weights, training=False)
        losses = objective.recorded(y, outputs)
        return tf.reduce_sum(losses * count), task.evidence(y, head.answers(outputs))

    def validate() -> tuple[Tensor, Tensor]:
        if calls == 1:
            summed, seen = batch(positions[0], counts[0])
            return summed[None], seen
        losses, evidence = _looped(lambda i: batch(tf.constant(positions)[i], tf.constant(counts)[i]), calls)
        return losses, evidence[: len(split)]

    return _compiled(validate, [])


def _looped(step: Callable[[Tensor], tuple[Tensor, Tensor]], steps: Tensor | int) -> tuple[Tensor, Tensor]:
    """Step after step in the graph: their losses, and their evidence, one below the other."""
    import tensorflow as tf

    def body(i: Tensor, losses: Any, evidence: Any) -> tuple[Tensor, Any, Any]:
        loss, seen = step(i)
        return i + 1, losses.write(i, loss), evidence.write(i, seen)

    arrays = [tf.TensorArray(tf.float32, size=steps, infer_shape=True) for _ in range(2)]
    _, losses, evidence = tf.while_loop(lambda i, *_: i < steps, body, (0, *arrays), parallel_iterations=1)
    return losses.stack(), evidence.concat()


def _compiled(function: Callable[..., Any], signature: list[Any]) -> Callable[..., Any]:
    """Traced once, whatever is passed. Without XLA, which compiles each new network for seconds."""
    import tensorflow as tf

    return tf.function(  # type: ignore[no-any-return]
        function, input_signature=signature, autograph=False, jit_compile=False
    )


@contextmanager
def _without_graph_optimizer() -> Iterator[None]:
    import tensorflow as tf

    before = tf.config.optimizer.get_experimental_options().get("disable_meta_optimizer", False)
    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
    try:
        yield
    finally:
        tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": before})
