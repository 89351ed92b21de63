"""Images and labels as named arrays: the keys of Keras' `mnist.npz`, those of MedMNIST, or `images` and `labels`."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from nas.datasets.images import adapt, fitted_arrays, shape_of
from nas.datasets.spec import SPLIT_NAMES, Arrays, DatasetError, DatasetInfo, Finding, Split
from nas.errors import shown
from nas.quantity import counted

if TYPE_CHECKING:
    from nas.config import DatasetConfig

_READ_BATCH = 1024
CHANNELS = (1, 3, 4)
"""Numbers of channels that pictures have."""

_PAIRS: dict[str, list[tuple[str, str]]] = {"train": [("images", "labels")], "validation": [], "test": []}
for _written, _split in SPLIT_NAMES.items():
    _PAIRS[_split] += [(f"x_{_written}", f"y_{_written}"), (f"{_written}_images", f"{_written}_labels")]


def peek(config: DatasetConfig, arrays: Mapping[str, np.ndarray], shapes: Mapping[str, tuple[int, ...]]) -> DatasetInfo:
    """What is known without an image.

    Args:
        config: what the images shall become; its name is that of the arrays, for messages.
        arrays: by name.
        shapes: `(n, height, width, channels)` of the images of each split.

    Raises:
        DatasetError: not the expected arrays.
    """
    labels, names = targets(config, arrays, {split: shape[0] for split, shape in shapes.items()})
    return _info(config, arrays, shape_of(shapes["train"][1:], config), labels, names)


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
    images = {
        split: _resized(config, levels(config, arrays, key), preview=preview) for split, (key, _) in splits.items()
    }
    labels, names = targets(config, arrays, {split: len(some) for split, some in images.items()})
    info = _info(config, arrays, images["train"].shape[1:], labels, names)
    try:
        made = {split: Split(images=images[split], targets=labels[split]) for split in splits}
    except DatasetError as error:
        raise DatasetError(f"{config.name}: {error}") from error
    others = sorted(set(arrays) - {key for pair in splits.values() for key in pair} - {"class_names"})
    left_out = Finding(text=f"{counted(len(others), 'array')} of other names: left out", names=tuple(others))
    return Arrays(
        info=info,
        train=made["train"],
        validation=made.get("validation"),
        test=made.get("test"),
        findings=(left_out,) if others else (),
    )


def pairs(config: DatasetConfig, keys: Collection[str]) -> dict[str, tuple[str, str]]:
    """Names of the image and label array of each split that there is.

    Raises:
        DatasetError: one without the other, two pairs for a split, or nothing to train on.
    """
    found = set(keys)
    known: dict[str, tuple[str, str]] = {}
    for split, choices in _PAIRS.items():
        for pair in choices:
            missing = set(pair) - found
            if not missing:
                if split in known:
                    raise DatasetError(
                        f"{config.name!r} has the {split} images twice, as {known[split][0]!r} and {pair[0]!r}; leave "
                        f"one out"
                    )
                known[split] = pair
            elif len(missing) == 1:
                raise DatasetError(
                    f"{config.name!r} has {(found & set(pair)).pop()!r} but not {missing.pop()!r}; "
                    f"images and labels come in pairs; found {shown(sorted(found))}"
                )
    if "train" not in known:
        raise DatasetError(
            f"{config.name!r} must hold x_train and y_train (x_test, y_test, x_val, y_val if there are), train_images "
            f"and train_labels, or images and labels; found {shown(sorted(found))}"
        )
    return known


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


def targets(
    config: DatasetConfig, arrays: Mapping[str, np.ndarray], counts: Mapping[str, int]
) -> tuple[dict[str, np.ndarray], tuple[str, ...]]:
    """Class numbers int64 `(n,)` of each split, and the names of the classes if the labels have them.

    Args:
        config: for messages.
        arrays: by name.
        counts: how many images each split has.

    Raises:
        DatasetError: labels that are none, or not one an image.
    """
    given = {split: _labels(config, arrays, pair, counts[split]) for split, pair in pairs(config, arrays).items()}
    return _numbered(config, given)


def _labels(config: DatasetConfig, arrays: Mapping[str, np.ndarray], pair: tuple[str, str], count: int) -> np.ndarray:
    """One of each of `count` images: int64 `(n,)`, or str `(n,)` where classes are named."""
    images, key = pair
    labels = arrays[key]
    if len(labels.shape) == 2 and labels.shape[1] > 1 and labels.dtype.kind in "biuf":
        labels = _from_one_hot(config, key, labels)
    if labels.ndim not in (1, 2) or labels.size != len(labels) or labels.dtype.kind not in "iuSU":
        raise DatasetError(
            f"{config.name}: {key} must be whole numbers or names of shape (n,) or (n, 1), or one-hot (n, classes); "
            f"received {labels.dtype} {labels.shape}; make class numbers int64"
        )
    if len(labels) != count:
        raise DatasetError(
            f"{config.name}: each image needs one label; {images} has {count:,} images, {key} has {len(labels):,} "
            f"labels; give as many of both"
        )
    labels = labels.reshape(-1)
    if labels.dtype.kind == "S":
        labels = np.char.decode(labels, "utf-8", "replace")
    if labels.dtype.kind == "U":
        return labels
    labels = labels.astype(np.int64)
    if labels.size and labels.min() < 0:
        raise DatasetError(f"{config.name}: labels start at 0; {key} has {labels.min()}")
    return labels


def _from_one_hot(config: DatasetConfig, key: str, rows: np.ndarray) -> np.ndarray:
    if not (((rows == 0) | (rows == 1)).all() and (rows.sum(axis=1) == 1).all()):
        raise DatasetError(
            f"{config.name}: a row of one-hot labels has a single 1, and {key} of shape {rows.shape} has others; an "
            f"image can be of one class only"
        )
    numbers: np.ndarray = rows.argmax(axis=1)
    return numbers


def _numbered(config: DatasetConfig, labels: dict[str, np.ndarray]) -> tuple[dict[str, np.ndarray], tuple[str, ...]]:
    """Labels as numbers, and the names of the classes if the labels have them, in alphabetical order."""
    kinds = {each.dtype.kind for each in labels.values()}
    if kinds == {"i"}:
        return labels, ()
    if "i" in kinds:
        raise DatasetError(f"{config.name}: labels are numbers in one split and names in another; give one kind")
    names = np.unique(labels["train"])
    for split, each in labels.items():
        if not set(each) <= set(names):
            unknown = str(min(set(each) - set(names)))
            raise DatasetError(f"{config.name}: class {unknown!r} of the {split} labels is not among those of train")
    return {split: np.searchsorted(names, each).astype(np.int64) for split, each in labels.items()}, tuple(
        names.tolist()
    )


def _info(
    config: DatasetConfig,
    arrays: Mapping[str, np.ndarray],
    shape: tuple[int, ...],
    labels: dict[str, np.ndarray],
    names: tuple[str, ...],
) -> DatasetInfo:
    """What is known; `names` of the classes are those of labels that are names."""
    if names:
        pass
    elif "class_names" in arrays:
        given = arrays["class_names"]
        if given.ndim != 1:
            raise DatasetError(f"{config.name}: class_names must be names of shape (n,); received shape {given.shape}")
        names = tuple(name.decode(errors="replace") if isinstance(name, bytes) else str(name) for name in given)
    else:
        there = np.unique(np.concatenate([*labels.values()])).tolist()
        # A class that nothing belongs to would cost each network parameters, and be its answer never.
        if there != list(range(len(there))):
            gap = next(label for label in range(len(there)) if label not in there)
            raise DatasetError(
                f"{config.name}: labels are 0, 1, 2, ... with an image each; there is none of {gap}, and the largest "
                f"is {there[-1]}; number them again, or name all classes in an array class_names"
            )
        names = tuple(map(str, there))
    height, width, channels = shape
    counts = {split: len(those) for split, those in labels.items()}
    return DatasetInfo(name=config.name, input_shape=(height, width, channels), labels=names, images=counts)
