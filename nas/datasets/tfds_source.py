"""TFDS data sets by name, from what is prepared on this machine; nothing is ever downloaded on the way."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from nas.datasets import masks, tfds_catalog, tfds_features
from nas.datasets.boxes import padded
from nas.datasets.images import adapt, fitted_arrays, fitted_targets
from nas.datasets.pipeline import untuned
from nas.datasets.spec import Arrays, DatasetError, DatasetInfo, Split

if TYPE_CHECKING:
    from nas.config import DatasetConfig

_READ_BATCH = 1024
_SPLITS = ("train", "validation", "test")


def accepts(config: DatasetConfig) -> bool:  # noqa: ARG001
    return True


def peek(config: DatasetConfig) -> DatasetInfo:
    """Shape and labels from the JSON files beside the records.

    Raises:
        DatasetError: not prepared, not known, or without a target that can be learned.
    """
    return tfds_catalog.find(config).info


def load_arrays(config: DatasetConfig) -> Arrays:
    """All images of the splits named train, validation and test, as far as there are.

    Raises:
        DatasetError: as `peek`, or unreadable records.
    """
    import tensorflow as tf
    import tensorflow_datasets as tfds

    prepared = tfds_catalog.find(config)
    try:
        builder = tfds.builder_from_directory(prepared.path)
        read = {name: _read(builder, name, prepared, config) for name in _SPLITS if prepared.splits.get(name)}
    except (OSError, tf.errors.OpError) as error:
        # TensorFlow puts the name of a graph node, in double braces, before what happened.
        reason = getattr(error, "message", str(error)).partition("\n")[0].rpartition("}} ")[2]
        raise DatasetError(f"{prepared.path} cannot be read ({reason}); delete it and prepare it again") from error
    if prepared.target.task == "detection":
        targets = padded({name: [boxes[0] for boxes in rows] for name, (_, rows) in read.items()})
    else:
        targets = {name: np.concatenate(rows) for name, (_, rows) in read.items()}
    splits = {name: Split(images=images, targets=targets[name]) for name, (images, _) in read.items()}
    return Arrays(
        info=prepared.info, train=splits["train"], validation=splits.get("validation"), test=splits.get("test")
    )


def _read(
    builder: Any, split: str, prepared: tfds_catalog.Prepared, config: DatasetConfig
) -> tuple[np.ndarray, list[np.ndarray]]:
    """The images, and the targets of each batch of them."""
    import tensorflow as tf
    import tensorflow_datasets as tfds

    height, width, channels = prepared.info.input_shape
    target = prepared.target

    def prepare(example: dict[str, Any]) -> tuple[Any, Any, Any]:
        image = example[prepared.image]
        return adapt(image, config), tf.shape(image)[:2], _target(example, target)

    # One file after the other, so that the order, and with it every split, is the same everywhere.
    order = tfds.ReadConfig(interleave_cycle_length=1, try_autocache=False)
    # Only what has one size is a batch before it is cut or padded.
    several = config.fit != "stretch" and None in builder.info.features[prepared.image].shape
    alone = several or target.task != "classification"
    with tf.device("CPU"):
        examples = builder.as_dataset(split=split, shuffle_files=False, read_config=order)
        prepared_examples = examples.map(prepare, tf.data.AUTOTUNE, deterministic=True)
        batches = untuned(prepared_examples.batch(1 if alone else _READ_BATCH).prefetch(2))
        images = np.empty((prepared.splits[split], height, width, channels), np.uint8)
        targets = []
        done = 0
        for some, shapes, theirs in batches.as_numpy_iterator():
            images[done : done + len(some)] = fitted_arrays(some, config)
            done += len(some)
            shape = (int(shapes[0][0]), int(shapes[0][1]))
            if target.task == "segmentation":
                theirs = masks.numbered(masks.check_values(theirs, (1, *shape), prepared.info.name), config)
            targets.append(fitted_targets(theirs, target.task, shape, config))
    return images, targets


def _target(example: dict[str, Any], target: tfds_features.Target) -> Any:
    """The target of an example as it is given: a class, a mask, or boxes with their classes `(boxes, 5)`.

    Boxes of no height or width, which COCO and WIDER FACE have, are left out.
    """
    import tensorflow as tf

    if target.task != "detection":
        return example[target.key]
    boxes = example[target.key]
    classes = tf.cast(boxes[target.label.partition("/")[2]], tf.float32)
    if target.ignored:
        classes = tf.where(boxes[target.ignored], -2 - classes, classes)
    rows = tf.concat([boxes[target.box], classes[:, None]], axis=1)
    return tf.boolean_mask(rows, tf.reduce_all(rows[:, :2] < rows[:, 2:4], axis=1))
