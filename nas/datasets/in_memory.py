"""Images and labels that a Python program holds: numpy arrays and what becomes one, or `tf.data.Dataset`s."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, final

import numpy as np

from nas.datasets import crops, named_arrays, named_targets, splits
from nas.datasets.spec import SPLIT_NAMES, DatasetError, DatasetInfo, DatasetSpec, Split
from nas.files.paths import ARRAYS

if TYPE_CHECKING:
    from nas.config import DatasetConfig

_KEYS = {"train": ("x_train", "y_train"), "validation": ("x_val", "y_val"), "test": ("x_test", "y_test")}


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class InMemory:
    """Images and labels, checked as those of a file are.

    Attributes:
        config: what becomes of them, and how they are divided.
        arrays: by the keys of an .npz file; images are uint8 `(n, height, width, channels)`, as they were given.
        info: what is known of them; the name has a digest of all images and labels, so that other ones have another.
    """

    config: DatasetConfig
    arrays: Mapping[str, np.ndarray]
    info: DatasetInfo

    @classmethod
    def of(cls, data: object, config: DatasetConfig) -> InMemory:
        """Take what a program has.

        Args:
            data: `(images, labels)`, or a `tf.data.Dataset` of them; a tuple `(train, test)` or `(train, validation,
                test)` of such pairs or data sets; a dict of them by split; or a dict of arrays by the keys of an .npz
                file. A dict may also have `class_names`.
            config: what shall become of them.

        Raises:
            DatasetError: something else, or what would be refused in an .npz file.
        """
        arrays = _named(data)
        pairs = named_targets.pairs(config, arrays)
        arrays |= {images: named_arrays.levels(config, arrays, images) for images, _ in pairs.values()}
        shapes = {split: arrays[images].shape for split, (images, _) in pairs.items()}
        info = named_arrays.peek(config, arrays, shapes)
        targets = named_targets.read_targets(config, arrays, shapes).splits
        digest = hashlib.blake2b(digest_size=4)
        for split, (images, _) in pairs.items():
            digest.update(f"{split}:{Split(images=arrays[images], targets=targets[split]).digest}".encode())
        info = replace(info, name=f"{ARRAYS}:{digest.hexdigest()}")
        return cls(config=config, arrays=arrays, info=info if config.form is None else crops.described(info, config))

    def load(self) -> DatasetSpec:
        """Three disjoint splits, as of any data set.

        Raises:
            DatasetError: what would be refused in an .npz file.
        """
        whole = named_arrays.load(self.config, self.arrays)
        return splits.split(replace(whole, info=replace(whole.info, name=self.info.name)), self.config)


def _named(data: object) -> dict[str, np.ndarray]:
    """The arrays by the keys of an .npz file."""
    if isinstance(data, Mapping):
        named: dict[str, np.ndarray] = {}
        for key, value in data.items():
            split = SPLIT_NAMES.get(str(key).casefold())
            if split is None:
                named[str(key)] = _array(str(key), value)
                continue
            if _KEYS[split][0] in named:
                raise DatasetError(
                    f"the {split} images are given once; received them twice, the second time as {key!r}"
                )
            named |= _pair(value, _KEYS[split], f"dataset[{key!r}]")
        return named
    if isinstance(data, tuple) and 2 <= len(data) <= 3 and all(_is_pair(part) for part in data):
        names = ("train", "test") if len(data) == 2 else ("train", "validation", "test")
        parts = [_pair(part, _KEYS[name], f"the {name} part") for name, part in zip(names, data, strict=True)]
        return {key: array for part in parts for key, array in part.items()}
    return _pair(data, ("images", "labels"), "dataset")


def _is_pair(value: object) -> bool:
    """Of a tuple alone: a list may be images."""
    return (isinstance(value, tuple) and len(value) == 2) or _is_tensorflows(value)


def _is_tensorflows(value: object) -> bool:
    """Whether it is a `tf.data.Dataset`; whoever has one has imported TensorFlow."""
    tensorflow = sys.modules.get("tensorflow")
    return tensorflow is not None and isinstance(value, tensorflow.data.Dataset)


def _pair(value: object, keys: tuple[str, str], what: str) -> dict[str, np.ndarray]:
    if _is_tensorflows(value):
        value = _read(value, what)
    if not isinstance(value, tuple | list) or len(value) != 2:
        raise DatasetError(
            f"{what} must be a pair (images, labels) or a tf.data.Dataset of such pairs, alone or by split; received "
            f"{type(value).__name__}{f' of {len(value)}' if isinstance(value, tuple | list) else ''}"
        )
    return {key: _array(key, each) for key, each in zip(keys, value, strict=True)}


def _array(key: str, value: object) -> np.ndarray:
    try:
        array = np.asarray(value)
    except (TypeError, ValueError, RuntimeError) as error:  # rows of several lengths, a tensor on a GPU, ...
        raise DatasetError(
            f"{ARRAYS}: {key} cannot be made one numpy array: {str(error).partition('. ')[0]}"
        ) from error
    if array.dtype.kind == "O" and all(isinstance(each, str | bytes) for each in array.flat):
        # Text of pandas and of TensorFlow.
        text = [each.decode(errors="replace") if isinstance(each, bytes) else each for each in array.flat]
        return np.array(text, np.str_).reshape(array.shape)
    return array


def _read(dataset: Any, what: str) -> tuple[np.ndarray, np.ndarray]:
    """All elements of a `tf.data.Dataset`, single ones or batches, in its order."""
    import tensorflow as tf

    spec = dataset.element_spec
    if not (isinstance(spec, tuple) and len(spec) == 2 and all(isinstance(each, tf.TensorSpec) for each in spec)):
        found = ", ".join(map(repr, spec)) if isinstance(spec, dict) else type(spec).__name__
        raise DatasetError(
            f"{what}: a tf.data.Dataset gives pairs (image, label) of tensors; received elements of {found}; map them "
            f"to such pairs, or use tfds.load(..., as_supervised=True)"
        )
    if int(dataset.cardinality()) == tf.data.INFINITE_CARDINALITY:
        raise DatasetError(f"{what}: a tf.data.Dataset must end; received one that repeats forever; leave repeat() out")
    try:
        elements = [(np.asarray(image), np.asarray(label)) for image, label in dataset.as_numpy_iterator()]
    except tf.errors.OpError as error:
        raise DatasetError(f"{what}: the tf.data.Dataset failed: {error.message.partition(chr(10))[0]}") from error
    if not elements:
        raise DatasetError(f"{what}: a tf.data.Dataset gives at least one image; received none")
    images, labels = zip(*elements, strict=True)
    # Without an axis of channels a batch of gray images has the rank of an image.
    batched = images[0].ndim == 4 or (
        images[0].ndim == 3 and labels[0].ndim > 0 and images[0].shape[-1] not in named_arrays.CHANNELS
    )
    shapes = sorted({image.shape[1 if batched else 0 :] for image in images})
    if len(shapes) > 1:
        raise DatasetError(
            f"{what}: images of one shape are needed; the tf.data.Dataset gives {shapes[0]} and {shapes[1]}; resize "
            f"them in a map"
        )
    join = np.concatenate if batched else np.stack
    return join(images), join(labels)
