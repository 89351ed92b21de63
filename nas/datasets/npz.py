"""Images in a numpy archive: the keys of Keras' `mnist.npz`, those of MedMNIST, or plain `images` and `labels`."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from nas.datasets.images import adapt, fitted_arrays, shape_of
from nas.datasets.spec import Arrays, DatasetError, DatasetInfo, Split, expanded

if TYPE_CHECKING:
    from nas.config import DatasetConfig

_READ_BATCH = 1024
_CHANNELS = (1, 3, 4)
"""Numbers of channels that pictures have."""

_PAIRS = {
    "train": (("x_train", "y_train"), ("train_images", "train_labels"), ("images", "labels")),
    "validation": (("x_val", "y_val"), ("val_images", "val_labels")),
    "test": (("x_test", "y_test"), ("test_images", "test_labels")),
}


def accepts(config: DatasetConfig) -> bool:
    return config.name.endswith(".npz")


def peek(config: DatasetConfig) -> DatasetInfo:
    """ImageShape from the header of the images' array; only the labels are read.

    Raises:
        DatasetError: no such file, or not the expected arrays.
    """
    with _open(config) as archive:
        pairs = _pairs(config, archive)
        shapes = {split: _header_shape(config, images) for split, (images, _) in pairs.items()}
        shape = shape_of(shapes["train"][1:], config)
        labels = {split: _labels(config, archive, pair, shapes[split][0]) for split, pair in pairs.items()}
        return _info(config, archive, shape, *_numbered(config, labels))


def load_arrays(config: DatasetConfig) -> Arrays:
    """The archive's arrays, resized if `image_size` is given; float images in [0, 1] become uint8 levels.

    Raises:
        DatasetError: no such file, not the expected arrays, or values out of range.
    """
    with _open(config) as archive:
        pairs = _pairs(config, archive)
        images = {split: _images(config, archive, key) for split, (key, _) in pairs.items()}
        given = {split: _labels(config, archive, pair, len(images[split])) for split, pair in pairs.items()}
        labels, names = _numbered(config, given)
        info = _info(config, archive, images["train"].shape[1:], labels, names)
    try:
        made = {split: Split(images=images[split], targets=labels[split]) for split in pairs}
    except DatasetError as error:
        raise DatasetError(f"{config.name}: {error}") from error
    return Arrays(info=info, train=made["train"], validation=made.get("validation"), test=made.get("test"))


def _open(config: DatasetConfig) -> Any:
    path = expanded(config.name)
    try:
        # Objects are never unpickled: an archive is data, and may come from anywhere.
        archive = np.load(path, allow_pickle=False)
    except FileNotFoundError as error:
        raise DatasetError(f"an existing .npz file is needed; received {config.name!r}") from error
    except (OSError, EOFError, RuntimeError, zipfile.BadZipFile) as error:
        raise DatasetError(f"{config.name!r} cannot be read as an .npz file: {error}") from error
    except ValueError as error:  # numpy takes anything else for a pickle, and says how to read that unsafely
        raise DatasetError(
            f"{config.name!r} cannot be read as an .npz file; save images and labels with numpy.savez"
        ) from error
    if not isinstance(archive, np.lib.npyio.NpzFile):
        raise DatasetError(f"{config.name!r} holds a single array; save images and labels with numpy.savez")
    return archive


def _pairs(config: DatasetConfig, archive: Any) -> dict[str, tuple[str, str]]:
    """Names of the image and label array of each split the archive has."""
    found = set(archive.files)
    pairs: dict[str, tuple[str, str]] = {}
    for split, choices in _PAIRS.items():
        for pair in choices:
            missing = set(pair) - found
            if not missing:
                if split in pairs:
                    raise DatasetError(
                        f"{config.name!r} has the {split} images twice, as {pairs[split][0]!r} and {pair[0]!r}; leave "
                        f"one out"
                    )
                pairs[split] = pair
            elif len(missing) == 1:
                raise DatasetError(
                    f"{config.name!r} has {(found & set(pair)).pop()!r} but not {missing.pop()!r}; "
                    f"images and labels come in pairs; found {sorted(found)}"
                )
    if "train" not in pairs:
        raise DatasetError(
            f"{config.name!r} must hold x_train and y_train (x_test, y_test, x_val, y_val if there are), train_images "
            f"and train_labels, or images and labels; found {sorted(found)}"
        )
    return pairs


def _header_shape(config: DatasetConfig, key: str) -> tuple[int, ...]:
    """`(n, height, width, channels)`."""
    with _reading(config, key), zipfile.ZipFile(expanded(config.name)) as archive, archive.open(f"{key}.npy") as member:
        major, _ = np.lib.format.read_magic(member)
        read = np.lib.format.read_array_header_1_0 if major == 1 else np.lib.format.read_array_header_2_0
        shape, _, dtype = read(member)
    _check_images(config, key, shape, dtype)
    return (*shape, 1) if len(shape) == 3 else shape


def _check_images(config: DatasetConfig, key: str, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
    if dtype.kind != "f" and dtype != np.uint8:
        raise DatasetError(
            f"{config.name}: {key} must be uint8, or float in [0, 1]; received {dtype}; save it as uint8 from 0 to 255"
        )
    if len(shape) not in (3, 4):
        raise DatasetError(
            f"{config.name}: {key} must be (n, height, width) or (n, height, width, channels); received {shape}"
        )
    if not shape[0]:
        raise DatasetError(f"{config.name}: a split needs at least one image; {key} has none; fill it or leave it out")
    if len(shape) == 4 and shape[1] in _CHANNELS and min(shape[2:]) > max(_CHANNELS):
        raise DatasetError(
            f"{config.name}: channels come last, as in (n, height, width, channels); {key} has {shape}; save "
            f"{key}.transpose(0, 2, 3, 1)"
        )


def _read(config: DatasetConfig, archive: Any, key: str) -> np.ndarray:
    with _reading(config, key):
        return np.asarray(archive[key])


@contextmanager
def _reading(config: DatasetConfig, key: str) -> Iterator[None]:
    try:
        yield
    except ValueError as error:
        if "pickle" not in str(error):
            raise DatasetError(f"{config.name}: {key} cannot be read as plain numbers: {error}") from error
        raise DatasetError(
            f"{config.name}: {key} holds Python objects, which are never loaded, as they can run code; save "
            f"{key}.astype(str), or .astype('int64') for numbers"
        ) from error
    # RuntimeError: a password, or a compression that Python does not know. MemoryError, KeyError: a broken header.
    except (OSError, EOFError, RuntimeError, MemoryError, KeyError, zipfile.BadZipFile, zlib.error) as error:
        raise DatasetError(f"{config.name}: {key} cannot be read as plain numbers: {error}") from error


def _images(config: DatasetConfig, archive: Any, key: str) -> np.ndarray:
    """uint8 `(n, height, width, channels)`, of the shape that the configuration asks for."""
    images = _read(config, archive, key)
    _check_images(config, key, images.shape, images.dtype)
    if images.dtype.kind == "f":
        low, high = images.min(), images.max()
        # NaN fails this comparison too.
        if not (low >= 0 and high <= 1):
            found = "NaN; replace it"
            if not np.isnan(low):
                found = f"{low:g} to {high:g}; divide levels of 0 to 255 by 255, or save them as uint8"
            raise DatasetError(f"{config.name}: float images must lie in [0, 1], and {key} has {found}")
        if 0 < high <= 1 / 255:
            raise DatasetError(
                f"{config.name}: float images must lie in [0, 1], and {key} ends at {high:g}, as if it was divided by "
                f"255 twice; divide once"
            )
        images = np.rint(images * 255).astype(np.uint8)
    elif images.max() == 1:
        raise DatasetError(
            f"{config.name}: uint8 images have levels of 0 to 255, and {key} has only 0 and 1; save 255 * {key}"
        )
    images = images[..., None] if images.ndim == 3 else images
    if shape_of(images.shape[1:], config) == images.shape[1:]:
        return images
    import tensorflow as tf

    with tf.device("CPU"):
        starts = range(0, len(images), _READ_BATCH)
        parts = (adapt(images[at : at + _READ_BATCH], config) for at in starts)
        return np.concatenate([fitted_arrays(np.asarray(part), config) for part in parts])


def _labels(config: DatasetConfig, archive: Any, pair: tuple[str, str], count: int) -> np.ndarray:
    """One of each of `count` images: int64 `(n,)`, or str `(n,)` where classes are named."""
    images, key = pair
    labels = _read(config, archive, key)
    if len(labels.shape) == 2 and labels.shape[1] > 1 and labels.dtype.kind in "biuf":
        labels = _from_one_hot(config, key, labels)
    if labels.ndim not in (1, 2) or labels.size != len(labels) or labels.dtype.kind not in "iuSU":
        raise DatasetError(
            f"{config.name}: {key} must be whole numbers or names of shape (n,) or (n, 1), or one-hot (n, classes); "
            f"received {labels.dtype} {labels.shape}; save class numbers as int64"
        )
    if len(labels) != count:
        raise DatasetError(
            f"{config.name}: each image needs one label; {images} has {count:,} images, {key} has {len(labels):,} "
            f"labels; save as many of both"
        )
    labels = labels.reshape(-1)
    if labels.dtype.kind in "SU":
        return labels.astype(np.str_)
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
        raise DatasetError(f"{config.name}: labels are numbers in one split and names in another; save one kind")
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
    archive: Any,
    shape: tuple[int, ...],
    labels: dict[str, np.ndarray],
    names: tuple[str, ...],
) -> DatasetInfo:
    """What is known of the archive; `names` of the classes are those of labels that are names."""
    if names:
        pass
    elif "class_names" in archive.files:
        given = _read(config, archive, "class_names")
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
