"""Trains one architecture, and keeps the weights of its best epoch."""

from __future__ import annotations

import functools
import gc
import logging
import time
from functools import partial
from typing import TYPE_CHECKING, Literal

from nas.config import TrainingConfig
from nas.devices.selection import Devices, select_devices
from nas.devices.tensorflow_import import import_tensorflow
from nas.objectives import Score
from nas.tasks import TASKS
from nas.training.checkpoint import Checkpoint, State
from nas.training.compiled import fits, train_compiled
from nas.training.distillation import Lesson
from nas.training.fit import train_with_fit
from nas.training.model import Weights, precision
from nas.training.own import Own
from nas.training.result import EpochHistory, OnEpoch, ShouldStop, TrainingResult

if TYPE_CHECKING:
    from nas.architecture import Architecture
    from nas.datasets.spec import DatasetSpec

logger = logging.getLogger(__name__)

Loop = Literal["auto", "compiled", "fit"]


def train(
    architecture: Architecture,
    data: DatasetSpec,
    training: TrainingConfig,
    *,
    seed: int,
    devices: Devices | None = None,
    on_epoch: OnEpoch | None = None,
    should_stop: ShouldStop | None = None,
    loop: Loop = "auto",
    epochs: int | None = None,
    checkpoint: bytes | None = None,
    initial_weights: Weights | None = None,
    score: Score | None = None,
    lesson: Lesson | None = None,
    own: Own | None = None,
    name: str = "training",
) -> TrainingResult:
    """Trains on `data.train`, scores each epoch on `data.validation`; never reads `data.test`.

    The same seed gives the same training. It is set globally (Python, NumPy, TensorFlow): do not call this
    between building and training a model of your own. Between many trainings call `clear_session`.

    Args:
        architecture: what to build.
        data: whose splits to use.
        training: how.
        seed: of initial weights, order, augmentation and dropout.
        devices: where; None picks them.
        on_epoch: called after each epoch.
        should_stop: asked several times an epoch, and about each second in a long one; True ends the training with
            an error.
        loop: "compiled" runs an epoch in one call, on one device that holds all images; "fit" is Keras' own, for any
            device and data, and with metrics, an optimizer or callbacks of the user's own. They do the same up to
            rounding. "auto" is "compiled" where that is possible.
        epochs: after which to leave the training, at most `training.epochs`; the result then has a checkpoint. The
            learning rate follows `training.epochs` all the same.
        checkpoint: of an earlier part of this training, which goes on after its epochs as if it had not been left. One
            of the other loop, after a change of devices, is passed over, and the training begins anew.
        initial_weights: to begin with in place of random ones, in the order of `keras.Model.get_weights()`, such as
            `inherit` gives them. A checkpoint comes before them.
        score: which of the task's is called `score`, and decides which epoch is the best; its first if left out.
        lesson: of a teacher, whose answers are learned, too.
        own: what the user brings. A callback that ends the training makes it complete.
        name: of the training, for the user's callbacks.

    Raises:
        TrainingDivergedError: the loss became infinite or not a number.
        TrainingStoppedError: `should_stop` said so.
        NasError: a split is too small for the devices.
    """
    devices = devices or select_devices()
    import_tensorflow(devices.runtime)
    import keras

    _settle()
    started = time.monotonic()
    only_fit = own is not None and own.needs_fit
    compiled = loop == "compiled" or (loop == "auto" and fits(data, devices) and not only_fit)
    kind = "compiled" if compiled else {"tensorflow": "fit", "jax": "fit on JAX"}[devices.runtime]
    history = EpochHistory(on_epoch, should_stop)
    state = _resume(checkpoint, kind, history)
    until = min(epochs or training.epochs, training.epochs)
    keras.utils.set_random_seed(seed)
    with precision(training.precision), devices.scope():
        run = train_compiled if compiled else partial(train_with_fit, name=name)
        left = run(
            architecture,
            data,
            training,
            seed=seed,
            devices=devices,
            history=history,
            until=until,
            state=state,
            initial_weights=initial_weights,
            score=score or TASKS[architecture.head.task].score,
            lesson=lesson,
            own=own,
        )
    is_complete = until == training.epochs or history.epochs < until
    kept = None if is_complete else history.checkpoint(kind, left)
    return history.result(duration_seconds=time.monotonic() - started, checkpoint=kept)


def clear_session() -> None:
    """Drop what Keras keeps of the networks that were trained here.

    It takes 10 to 20 ms, so it is done after `train`, whose result the caller waits for.
    """
    import keras

    policy = keras.config.dtype_policy()
    keras.backend.clear_session()
    keras.config.set_dtype_policy(policy)
    if keras.config.backend() == "jax":
        import jax

        # Compiled code of each network, 12 MB that are not needed again.
        jax.clear_caches()


def _resume(checkpoint: bytes | None, loop: str, history: EpochHistory) -> State | None:
    if checkpoint is None:
        return None
    kept = Checkpoint.from_bytes(checkpoint)
    if kept.loop != loop:
        logger.warning("a training starts again: its checkpoint is of other devices (%s, now %s)", kept.loop, loop)
        return None
    history.restore(kept)
    return kept.state


@functools.cache
def _settle() -> None:
    """Once a process: takes the half a million objects that TensorFlow's import leaves out of garbage collection.

    The graph of each network is a garbage of cycles, which `clear_session` collects: in 15 ms instead of 250.
    """
    gc.collect()
    gc.freeze()
