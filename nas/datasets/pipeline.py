"""Batches for training and evaluation: uint8 in memory, shuffled, augmented and scaled in the graph."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any

from nas.architecture.keras_types import Tensor
from nas.datasets.augmentation import augment, check_augmentation

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from nas.config import AugmentationConfig
    from nas.datasets.spec import Split
    from nas.tasks import Task


AHEAD = 2
"""Batches that are made while a network trains on another."""


def batches(
    split: Split,
    *,
    task: Task,
    batch_size: int,
    shuffle_seed: int | None,
    augmentation: AugmentationConfig | None = None,
    drop_remainder: bool = False,
    endless_after: int | None = None,
    taught: npt.NDArray[np.float32] | None = None,
) -> Any:
    """A `tf.data.Dataset` of (float32 `(batch, height, width, channels)` in [0, 1], targets `(batch, ...)`).

    Args:
        split: stays in memory as uint8; only the batch at hand is float.
        task: whose targets they are.
        batch_size: images a batch; the last one may be smaller.
        shuffle_seed: another order each epoch, the same orders each run; None keeps the images' order.
        augmentation: drawn anew each epoch, the same each run; None for evaluation.
        drop_remainder: leaves a smaller last batch out, so that all shapes are static.
        taught: a teacher's answers, as in `gather`; None: there is no teacher.
        endless_after: epoch after epoch in one stream that begins after this many; None for one epoch an iteration.

    Raises:
        DatasetError: an augmentation that could leave nothing of an image.
    """
    import tensorflow as tf

    check_augmentation(split.images.shape[1:], augmentation)
    with tf.device("CPU"):
        images, targets = on_device(split)
        answers = None if taught is None else tf.constant(taught)

    def batch(index: Tensor, seed: Tensor) -> tuple[Tensor, Tensor]:
        return gather(images, targets, index, task=task, augmentation=augmentation, seed=seed, taught=answers)

    positions = order(len(split), batch_size=batch_size, shuffle_seed=shuffle_seed, drop_remainder=drop_remainder)
    if endless_after is not None:
        positions = positions.repeat().skip(endless_after * int(positions.cardinality()))
    # It has no Python for AutoGraph to convert, which would say so in a warning.
    batch = tf.autograph.experimental.do_not_convert(batch)
    return untuned(positions.map(batch, tf.data.AUTOTUNE, deterministic=True).prefetch(AHEAD))


def padded_batches(split: Split, *, batch_size: int) -> Any:
    """A `tf.data.Dataset` of (images, targets, weights float32 `(batch,)`), every batch of the same size.

    What the last batch lacks are the first images again, with weight 0 instead of 1.
    """
    import tensorflow as tf

    with tf.device("CPU"):
        images, targets = on_device(split)

    def batch(positions: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        index = positions % len(split)
        weights = tf.cast(positions < len(split), tf.float32)
        return scaled(tf.gather(images, index)), tf.gather(targets, index), weights

    positions = tf.data.Dataset.range(-(-len(split) // batch_size) * batch_size).batch(batch_size, drop_remainder=True)
    return untuned(positions.map(batch, tf.data.AUTOTUNE, deterministic=True).prefetch(AHEAD))


_kept: weakref.WeakKeyDictionary[Split, tuple[str, Tensor, Tensor]] = weakref.WeakKeyDictionary()


def on_device(split: Split) -> tuple[Tensor, Tensor]:
    """Images and targets as tensors on the current device, copied there once for all trials."""
    import tensorflow as tf

    device = tf.zeros(()).device
    kept = _kept.get(split)
    if kept is None or kept[0] != device:
        kept = _kept[split] = (device, tf.constant(split.images), tf.constant(split.targets))
    return kept[1:]


def order(images: int, *, batch_size: int, shuffle_seed: int | None, drop_remainder: bool = False) -> Any:
    """Which images are in which batch: a `tf.data.Dataset` of (positions int64 `(batch,)`, seed int64 `(2,)`).

    Each iteration is an epoch, with another order and other seeds for `augment`; each run has the same ones.
    """
    import tensorflow as tf

    # Positions are shuffled, not images: the shuffle is uniform over the split, and a batch is one gather.
    positions = tf.data.Dataset.range(images)
    if shuffle_seed is not None:
        positions = positions.shuffle(images, seed=shuffle_seed, reshuffle_each_iteration=True)
    positions = positions.batch(batch_size, drop_remainder=drop_remainder)
    # Stateless operations with seeds from the stream: parallel calls cannot change who draws what.
    seeds = tf.data.Dataset.random(seed=shuffle_seed or 0, rerandomize_each_iteration=True).batch(2)
    return untuned(tf.data.Dataset.zip((positions, seeds)))


def untuned(dataset: Any) -> Any:
    """The same data set without tf.data's tuner.

    The tuner's thread sleeps twice as long each time, from 10 ms on, and whoever drops the iterator waits for it: a
    training of 6 seconds ended after 10 (TensorFlow 2.21).
    """
    import tensorflow as tf

    options = tf.data.Options()
    options.autotune.enabled = False
    return dataset.with_options(options)


def gather(
    images: Tensor,
    targets: Tensor,
    positions: Tensor,
    *,
    task: Task,
    augmentation: AugmentationConfig | None,
    seed: Tensor,
    taught: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """The images at `positions` `(batch,)` of a uint8 tensor, augmented and scaled, and their targets, moved along.

    A teacher's answers to all images, `taught`, float32 `(n, classes)`, are put behind the targets, in further columns.
    """
    import tensorflow as tf

    batch, theirs = tf.gather(images, positions), tf.gather(targets, positions)
    if augmentation is not None:
        batch, movement = augment(batch, augmentation, seed)
        theirs = task.move(theirs, movement)
    if taught is not None:
        answers = tf.gather(taught, positions)
        if augmentation is not None and movement.share is not None:
            share = movement.share[:, None]
            answers = share * answers + (1 - share) * tf.gather(answers, movement.partner)
        own = tf.cast(theirs, tf.float32)
        theirs = tf.concat([own if own.shape.rank == 2 else own[:, None], answers], axis=1)
    return scaled(batch), theirs


def scaled(images: Tensor) -> Tensor:
    """What a network takes: uint8 levels as float32 in [0, 1]."""
    import tensorflow as tf

    return tf.cast(images, tf.float32) / 255.0
