"""Images and targets as named arrays: the keys of Keras' `mnist.npz`, those of MedMNIST, or `images` and `labels`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from nas.datasets.images import adapt, fitted_arrays, fitted_targets, shape_of
from nas.datasets.named_targets import Targets, pairs, read_targets
from nas.datasets.spec import Arrays, DatasetError, DatasetInfo, Finding, Split
from nas.quantity import counted

if TYPE_CHECKING:
    from nas.config import DatasetConfig

_READ_BATCH = 1024
CHANNELS = (1, 3, 4)
"""Numbers of channels that pictures have."""


def peek(config: DatasetConfig, arrays: Mapping[str, np.ndarray], shapes: Mapping[str, tuple[int, ...]]) -> DatasetInfo:
    """What is known without an image.

    Args:
        config: what the images shall become; its name is that of the arrays, for messages.
        arrays: by name.
        shapes: `(n, height, width, channels)` of the images of each split.

    Raises:
        DatasetError: not the expected arrays.
    """
    return _info(config, read_targets(config, arrays, shapes), shapes)


def load(config: DatasetConfig, arrays: Mapping[str, np.ndarray], *, preview: bool = False) -> Arrays:
    """All images as uint8 levels, of the size that is asked for; float images in [0, 1] become such levels.

    Args:
        config: what the images shall become; its name is that of the arrays, for messages.
        arrays: by name.
        preview: whether pixels that are about right will do, without TensorFlow.

    Raises:
        DatasetError: not the expected arrays, or values out of range.
    """
    splits = pairs(config, arrays)
    images = {split: levels(config, arrays, key) for split, (key, _) in splits.items()}
    shapes = {split: some.shape for split, some in images.items()}
    targets = read_targets(config, arrays, shapes)
    info = _info(config, targets, shapes)
    try:
        made = {
            split: Split(
                images=_resized(config, some, preview=preview),
                targets=fitted_targets(targets.splits[split], info.task, some.shape[1:3], config),
            )
            for split, some in images.items()
        }
    except DatasetError as error:
        raise DatasetError(f"{config.name}: {error}") from error
    others = sorted(set(arrays) - targets.arrays - {key for key, _ in splits.values()} - {"class_names"})
    left_out = Finding(text=f"{counted(len(others), 'array')} of other names: left out", names=tuple(others))
    return Arrays(
        info=info,
        train=made["train"],
        validation=made.get("validation"),
        test=made.get("test"),
        findings=(left_out,) if others else (),
    )


def check_images(config: DatasetConfig, key: str, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
    """Refuse images that cannot be taken, of which no pixel is known yet.

    Raises:
        DatasetError: their dtype, rank, number or channels.
    """
    if dtype.kind != "f" and dtype != np.uint8:
        raise DatasetError(
            f"{config.name}: {key} must be uint8, or float in [0, 1]; received {dtype}; make it uint8 from 0 to 255"
        )
    if len(shape) not in (3, 4):
        raise DatasetError(
            f"{config.name}: {key} must be (n, height, width) or (n, height, width, channels); received {shape}"
        )
    if min(shape[1:]) < 1:
        raise DatasetError(f"{config.name}: images have pixels; {key} has the shape {shape}; leave out what is empty")
    if not shape[0]:
        raise DatasetError(f"{config.name}: a split needs at least one image; {key} has none; fill it or leave it out")
    if len(shape) == 4 and shape[1] in CHANNELS and min(shape[2:]) > max(CHANNELS):
        raise DatasetError(
            f"{config.name}: channels come last, as in (n, height, width, channels); {key} has {shape}; use "
            f"{key}.transpose(0, 2, 3, 1)"
        )


def levels(config: DatasetConfig, arrays: Mapping[str, np.ndarray], key: str) -> np.ndarray:
    """Images as they are given, uint8 `(n, height, width, channels)`.

    Raises:
        DatasetError: what `check_images` refuses, or values out of range.
    """
    images = arrays[key]
    check_images(config, key, images.shape, images.dtype)
    if images.dtype.kind == "f":
        low, high = images.min(), images.max()
        # NaN fails this comparison too.
        if not (low >= 0 and high <= 1):
            found = "NaN; replace it"
            if not np.isnan(low):
                found = f"{low:g} to {high:g}; divide levels of 0 to 255 by 255, or make them uint8"
            raise DatasetError(f"{config.name}: float images must lie in [0, 1], and {key} has {found}")
        if 0 < high <= 1 / 255:
            raise DatasetError(
                f"{config.name}: float images must lie in [0, 1], and {key} ends at {high:g}, as if it was divided by "
                f"255 twice; divide once"
            )
        images = np.rint(images * 255).astype(np.uint8)
    elif images.max() == 1:
        raise DatasetError(
            f"{config.name}: uint8 images have levels of 0 to 255, and {key} has only 0 and 1; use 255 * {key}"
        )
    return images[..., None] if images.ndim == 3 else images


def _resized(config: DatasetConfig, images: np.ndarray, *, preview: bool) -> np.ndarray:
    if shape_of(images.shape[1:], config) == images.shape[1:]:
        return images
    if preview:
        gray = config.grayscale and images.shape[-1] == 3
        return fitted_arrays(images.mean(axis=-1, keepdims=True).astype(np.uint8) if gray else images, config)
    import tensorflow as tf

    with tf.device("CPU"):
        starts = range(0, len(images), _READ_BATCH)
        parts = (adapt(images[at : at + _READ_BATCH], config) for at in starts)
        return np.concatenate([fitted_arrays(np.asarray(part), config) for part in parts])


def _info(config: DatasetConfig, targets: Targets, shapes: Mapping[str, tuple[int, ...]]) -> DatasetInfo:
    return DatasetInfo(
        name=config.name,
        input_shape=shape_of(shapes["train"][1:], config),
        labels=targets.labels,
        task=targets.task,
        images={split: shape[0] for split, shape in shapes.items()},
    )
