"""Class labels among named arrays: whole numbers, one-hot rows or names."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from nas.datasets.spec import DatasetError

if TYPE_CHECKING:
    from nas.config import DatasetConfig


def labels_of(config: DatasetConfig, pair: tuple[str, str], labels: np.ndarray, count: int) -> np.ndarray:
    """One of each of `count` images: int64 `(n,)`, or str `(n,)` where classes are named.

    Args:
        config: for messages.
        pair: names of the arrays of images and of labels.
        labels: as they are given.
        count: of images.

    Raises:
        DatasetError: labels that are none, or not one an image.
    """
    images, key = pair
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


def numbered(config: DatasetConfig, labels: dict[str, np.ndarray]) -> tuple[dict[str, np.ndarray], tuple[str, ...]]:
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


def class_numbers(config: DatasetConfig, labels: dict[str, np.ndarray]) -> tuple[str, ...]:
    """Names of classes that have none: their numbers.

    Raises:
        DatasetError: classes that no image belongs to.
    """
    there = np.unique(np.concatenate([*labels.values()])).tolist()
    # A class that nothing belongs to would cost each network parameters, and be its answer never.
    if there != list(range(len(there))):
        gap = next(label for label in range(len(there)) if label not in there)
        raise DatasetError(
            f"{config.name}: labels are 0, 1, 2, ... with an image each; there is none of {gap}, and the largest "
            f"is {there[-1]}; number them again, or name all classes in an array class_names"
        )
    return tuple(map(str, there))
