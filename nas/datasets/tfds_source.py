"""TFDS data sets by name, from what is prepared on this machine; nothing is ever downloaded on the way."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from nas.datasets import tfds_catalog
from nas.datasets.images import adapt, fitted_arrays
from nas.datasets.spec import Arrays, DatasetError, DatasetInfo, Split

if TYPE_CHECKING:
    from nas.config import DatasetConfig

_READ_BATCH = 1024
_SPLITS = ("train", "validation", "test")


def accepts(config: DatasetConfig) -> bool:  # noqa: ARG001
    return True


def peek(config: DatasetConfig) -> DatasetInfo:
    """ImageShape and labels from the JSON files beside the records.

    Raises:
        DatasetError: not prepared, not known, or no image classification.
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
        splits = {name: _read(builder, name, prepared, config) for name in _SPLITS if prepared.splits.get(name)}
    except (OSError, tf.errors.OpError) as error:
        # TensorFlow puts the name of a graph node, in double braces, before what happened.
        reason = getattr(error, "message", str(error)).partition("\n")[0].rpartition("}} ")[2]
        raise DatasetError(f"{prepared.path} cannot be read ({reason}); delete it and prepare it again") from error
    return Arrays(
        info=prepared.info, train=splits["train"], validation=splits.get("validation"), test=splits.get("test")
    )


def _read(builder: Any, split: str, prepared: tfds_catalog.Prepared, config: DatasetConfig) -> Split:
    import tensorflow as tf
    import tensorflow_datasets as tfds

    height, width, channels = prepared.info.input_shape

    def prepare(example: dict[str, Any]) -> tuple[Any, Any]:
        return adapt(example[prepared.image_key], config), example[prepared.label_key]

    # One file after the other, so that the order, and with it every split, is the same everywhere.
    order = tfds.ReadConfig(interleave_cycle_length=1, try_autocache=False)
    # Only images of one size are a batch before they are cut or padded.
    several = config.fit != "stretch" and None in builder.info.features[prepared.image_key].shape
    with tf.device("CPU"):
        examples = builder.as_dataset(split=split, shuffle_files=False, read_config=order)
        prepared_examples = examples.map(prepare, tf.data.AUTOTUNE, deterministic=True)
        batches = prepared_examples.batch(1 if several else _READ_BATCH).prefetch(2)
        images = np.empty((prepared.splits[split], height, width, channels), np.uint8)
        labels = np.empty(len(images), np.int64)
        done = 0
        for some, theirs in batches.as_numpy_iterator():
            images[done : done + len(some)] = fitted_arrays(some, config)
            labels[done : done + len(some)] = theirs
            done += len(some)
    return Split(images=images, targets=labels)
