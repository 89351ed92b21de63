"""Targets among named arrays: labels, masks or boxes, found by their names and shapes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import final

import numpy as np

from nas.config import DatasetConfig
from nas.datasets import masks, named_labels
from nas.datasets.spec import SPLIT_NAMES, DatasetError
from nas.errors import shown

KINDS = ("labels", "masks", "boxes")
"""What names of arrays call targets; the first that is there is taken, unless `dataset.keys` says another."""

SPLITS = ("train", "validation", "test")


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class Targets:
    """What the images are to be learned with.

    Attributes:
        task: a key of `nas.tasks.TASKS`.
        splits: targets of the task, by split, for the images as they are given.
        labels: names of the classes.
        arrays: names of the arrays that were read.
    """

    task: str
    splits: dict[str, np.ndarray]
    labels: tuple[str, ...]
    arrays: frozenset[str]


def _names(split: str, config: DatasetConfig) -> list[tuple[str, dict[str, str]]]:
    """Names of arrays that a split may have: that of its images, and that of each kind of target."""
    plain = [(config.keys.get("image", "images"), {kind: kind for kind in KINDS})] if split == "train" else []
    for written in [each for each, meant in SPLIT_NAMES.items() if meant == split]:
        plain.append((f"x_{written}", {"labels": f"y_{written}"} | {kind: f"{kind}_{written}" for kind in KINDS[1:]}))
        plain.append((f"{written}_images", {kind: f"{written}_{kind}" for kind in KINDS}))
    return plain


def pairs(config: DatasetConfig, arrays: Mapping[str, np.ndarray]) -> dict[str, tuple[str, str]]:
    """Names of the arrays of images and of targets of each split that there is.

    Raises:
        DatasetError: one without the other, two pairs for a split, or nothing to train on.
    """
    found = set(arrays)
    if unknown := sorted(set(config.keys.values()) - found):
        raise DatasetError(
            f"dataset.keys names arrays of the training images; {config.name!r} has no {unknown[0]!r}; found "
            f"{shown(sorted(found))}"
        )
    known: dict[str, tuple[str, str]] = {}
    for split in SPLITS:
        for images, kinds in _names(split, config):
            targets = _chosen(config, arrays, images, kinds)
            lone = found & {images, kinds["labels"]}
            if images in found and targets:
                if split in known:
                    raise DatasetError(
                        f"{config.name!r} has the {split} images twice, as {known[split][0]!r} and {images!r}; leave "
                        f"one out"
                    )
                known[split] = (images, targets)
            elif lone:
                missing = images if images not in found else kinds["labels"]
                raise DatasetError(
                    f"{config.name!r} has {lone.pop()!r} but not {missing!r}; "
                    f"images and labels come in pairs; found {shown(sorted(found))}"
                )
    if "train" not in known:
        raise DatasetError(
            f"{config.name!r} must hold x_train and y_train (x_test, y_test, x_val, y_val if there are), train_images "
            f"and train_labels, or images and labels; found {shown(sorted(found))}"
        )
    return known


def _chosen(config: DatasetConfig, arrays: Mapping[str, np.ndarray], images: str, kinds: dict[str, str]) -> str:
    """The name of the array of targets of some images, or ""."""
    wanted = config.keys.get("target")
    if wanted is not None:
        # Of the training images; those of other splits are called alike.
        return wanted if images in {name for name, _ in _names("train", config)} else _alike(wanted, images, arrays)
    labels, boxes = kinds["labels"], kinds["boxes"]
    if {labels, boxes} <= set(arrays) and arrays[labels].ndim == 2 and arrays[labels].shape == arrays[boxes].shape[:2]:
        return boxes  # whose classes those labels are
    return next((name for name in kinds.values() if name in arrays), "")


def _alike(wanted: str, images: str, arrays: Mapping[str, np.ndarray]) -> str:
    split = images.removeprefix("x_").removesuffix("_images")
    name = wanted.replace("training", split).replace("train", split)
    return name if name in arrays and name != wanted else ""


def read_targets(
    config: DatasetConfig, arrays: Mapping[str, np.ndarray], shapes: Mapping[str, tuple[int, ...]]
) -> Targets:
    """The targets of all splits, and the names of their classes.

    Args:
        config: which ones, and for messages.
        arrays: by name.
        shapes: `(n, height, width, channels)` of the images of each split.

    Raises:
        DatasetError: targets that are none, or not one an image.
    """
    found = pairs(config, arrays)
    given = {split: arrays[name] for split, (_, name) in found.items()}
    tasks = {split: _task(found[split][1], array) for split, array in given.items()}
    if len(set(tasks.values())) > 1:
        raise DatasetError(
            f"{config.name}: targets of all splits are of one kind; received "
            f"{', '.join(f'{task} for {split}' for split, task in tasks.items())}"
        )
    names = _class_names(config, arrays)
    read = {name for _, name in found.values()}
    if tasks["train"] == "segmentation":
        for split, (_, name) in found.items():
            given[split] = masks.check_values(given[split], tuple(shapes[split][:3]), f"{config.name}: {name}")
        labels = masks.class_names(config, set().union(*map(masks.present_in, given.values())), names)
        given = {split: masks.numbered(values, config) for split, values in given.items()}
        return Targets(task="segmentation", splits=given, labels=labels, arrays=frozenset(read))
    if config.classes is not None:
        raise DatasetError(
            f"dataset.classes names the values in masks; {config.name!r} has {found['train'][1]!r}; leave it out, and "
            f"name classes in an array class_names"
        )
    if tasks["train"] == "detection":
        for split, (images, name) in found.items():
            given[split], partner = _boxes(config, arrays, images, name)
            read |= {partner} if partner else set()
        if not (given["train"][..., 4] >= 0).any():
            raise DatasetError(f"there must be a box to learn; {config.name!r} has none on its training images")
        labels = names or _numbers_of_boxes(given)
        return Targets(task="detection", splits=given, labels=labels, arrays=frozenset(read))
    numbers = {
        split: named_labels.labels_of(config, found[split], each, shapes[split][0]) for split, each in given.items()
    }
    numbers, own = named_labels.numbered(config, numbers)
    labels = own or names or named_labels.class_numbers(config, numbers)
    return Targets(task="classification", splits=numbers, labels=labels, arrays=frozenset(read))


def _task(name: str, array: np.ndarray) -> str:
    """What the array is for: by its name, or by its shape where it is called `labels`, `y_train` and the like."""
    if "boxes" in name or (array.ndim == 3 and array.dtype.kind == "f" and array.shape[-1] == 5):
        return "detection"
    if "mask" in name or (array.ndim in (3, 4) and array.dtype.kind in "biu"):
        return "segmentation"
    return "classification"


def _class_names(config: DatasetConfig, arrays: Mapping[str, np.ndarray]) -> tuple[str, ...]:
    if "class_names" not in arrays:
        return ()
    given = arrays["class_names"]
    if given.ndim != 1:
        raise DatasetError(f"{config.name}: class_names must be names of shape (n,); received shape {given.shape}")
    return tuple(name.decode(errors="replace") if isinstance(name, bytes) else str(name) for name in given)


def _boxes(
    config: DatasetConfig, arrays: Mapping[str, np.ndarray], images: str, name: str
) -> tuple[np.ndarray, str | None]:
    """Boxes with their class as the last of five numbers, and the array that had the classes if it was another."""
    boxes = arrays[name]
    if boxes.ndim != 3 or boxes.shape[-1] not in (4, 5) or boxes.dtype.kind != "f":
        raise DatasetError(
            f"{config.name}: {name} must be float (n, most, 5): ymin, xmin, ymax, xmax in [0, 1] and the class, or -1 "
            f"where there is no box; received {boxes.dtype} {boxes.shape}"
        )
    if boxes.shape[-1] == 5:
        return boxes.astype(np.float32), None
    partners = {key: kinds["labels"] for split in SPLITS for key, kinds in _names(split, config)}
    labels = partners[images]
    classes = arrays.get(labels)
    if classes is None or classes.shape != boxes.shape[:2]:
        raise DatasetError(
            f"{config.name}: boxes of four numbers need their classes (n, most) in {labels!r}, -1 where there is no "
            f"box; received {'no such array' if classes is None else classes.shape}"
        )
    joined = np.concatenate([boxes, classes[..., None]], axis=-1).astype(np.float32)
    joined[joined[..., 4] == -1] = -1
    return joined, labels


def _numbers_of_boxes(boxes: Mapping[str, np.ndarray]) -> tuple[str, ...]:
    """As names of the classes, which boxes that are ignored have, too: -2 for class 0, and so on."""
    classes = np.concatenate([each[..., 4].reshape(-1) for each in boxes.values()])
    return tuple(map(str, range(int(max(classes.max(), -2 - classes.min(initial=-2)) + 1))))
