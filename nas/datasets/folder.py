"""A folder of class folders of images, with `train`, `validation` and `test` folders above them if there are."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from nas.datasets.pictures import SUFFIXES, finding, folders, images_in, read, split_of, unreadable, visible
from nas.datasets.spec import Arrays, DatasetError, DatasetInfo, Finding, Split, expanded
from nas.errors import shown

if TYPE_CHECKING:
    from collections.abc import Iterable

    from nas.config import DatasetConfig


_PICTURES = frozenset({"images", "image", "imgs", "img", "jpegimages"})
_TARGETS = frozenset({"masks", "mask", "labels", "label", "annotations", "annotation", "segmentationclass"})
"""What folders are called in which others keep images, and those in which they keep masks or boxes."""


@dataclass(frozen=True, kw_only=True)
class _Tree:
    """A folder as it is taken, without a picture opened.

    Attributes:
        labels: names of the classes.
        files: (path, label) of each image by split.
        findings: what was left out.
    """

    labels: tuple[str, ...]
    files: dict[str, list[tuple[Path, int]]]
    findings: tuple[Finding, ...]


def accepts(config: DatasetConfig) -> bool:
    return Path(config.name).is_absolute()


def peek(config: DatasetConfig) -> DatasetInfo:
    """Labels from the folders' names, shape from the first image that can be read.

    Raises:
        DatasetError: no such folder, an empty class, a single class, or an unreadable image.
    """
    tree = _tree(config)
    images = (found.pixels for path, _ in tree.files["train"] if (found := read(path, config)) is not None)
    return _info(config, tree.labels, images, {split: len(some) for split, some in tree.files.items()})


def load_arrays(config: DatasetConfig) -> Arrays:
    """All images, resized to `image_size` if it is given.

    Raises:
        DatasetError: as `peek`, or images of several sizes without `image_size`.
    """
    tree = _tree(config)
    skipped, several = list[Path](), list[Path]()
    rows: dict[str, list[tuple[Path, np.ndarray, int]]] = {}
    for split, files in tree.files.items():
        rows[split] = []
        for path, label in files:
            found = read(path, config)
            if found is None:
                skipped.append(path)
                continue
            if found.pages > 1:
                several.append(path)
            rows[split].append((path, found.pixels, label))
    findings = [
        *tree.findings,
        *unreadable(skipped),
        *finding("{} with several pages: the first of each is taken", several, "image"),
    ]
    counts = {split: len(some) for split, some in rows.items()}
    info = _info(config, tree.labels, (image for _, image, _ in rows["train"]), counts)
    splits = {}
    for split, some in rows.items():
        for path, image, _ in some:
            if image.shape != info.input_shape:
                raise DatasetError(
                    f"all images must have one size, or dataset.image_size must be set; "
                    f"{path} is {image.shape}, the first image is {info.input_shape}"
                )
        empty = set(range(len(info.labels))) - {label for _, _, label in some} if split == "train" else set()
        if empty or not some:
            name = tree.labels[min(empty)] if empty else split
            raise DatasetError(f"no image of {name!r} in {config.name!r} can be read; fix or remove that folder")
        splits[split] = Split(
            images=np.stack([image for _, image, _ in some]),
            targets=np.array([label for _, _, label in some], dtype=np.int64),
            names=np.array([str(path) for path, _, _ in some]),
        )
    return Arrays(
        info=info,
        train=splits["train"],
        validation=splits.get("validation"),
        test=splits.get("test"),
        findings=tuple(findings),
    )


def _tree(config: DatasetConfig) -> _Tree:
    root = expanded(config.name)
    if not os.path.isdir(root):
        raise DatasetError(f"an existing folder of class folders is needed; {shown(str(root.absolute()))} is not there")
    parts, findings = _parts(root)
    labels = tuple(folder.name for folder in folders(parts["train"]))
    if (pictures := _called(labels, _PICTURES)) and (targets := _called(labels, _TARGETS)):
        raise DatasetError(
            f"a folder for each class is needed; {str(parts['train'])!r} has {pictures!r} and {targets!r}, which are "
            f"no classes; call the folders of images and of their masks 'images' and 'masks', or put COCO's JSON of "
            f"boxes beside the images"
        )
    if len(labels) < 2:
        raise DatasetError(
            f"{str(parts['train'])!r} must hold a folder of images for each of at least two classes; "
            f"found {shown(sorted(labels))}"
        )
    files: dict[str, list[tuple[Path, int]]] = {}
    others, loose = list[Path](), list[Path]()
    for split, part in parts.items():
        files[split] = []
        loose += [path for path in visible(part) if path.is_file() and path.suffix.lower() in SUFFIXES]
        for folder in folders(part):
            if folder.name not in labels:
                raise DatasetError(
                    f"class {folder.name!r} of {str(part)!r} is not among those of train: {shown(labels)}"
                )
            paths, rest = images_in(folder)
            if not paths and split == "train":
                raise DatasetError(f"each class needs an image; there is none in {str(folder)!r}")
            files[split] += [(path, labels.index(folder.name)) for path in paths]
            others += rest
    kinds = ", ".join(
        f"{count:,} {suffix or 'without a suffix'}"
        for suffix, count in Counter(path.suffix.lower() for path in others).most_common(5)
    )
    findings += [
        *finding("{} in no class folder: left out", loose, "image"),
        *finding(f"{{}} in class folders not taken for images ({kinds})", others, "file"),
    ]
    return _Tree(labels=labels, files=files, findings=tuple(findings))


def _called(names: Sequence[str], words: frozenset[str]) -> str:
    return next((name for name in names if name.casefold() in words), "")


def _parts(root: Path) -> tuple[dict[str, Path], list[Finding]]:
    """The folder of each split, and what is beside them, which is left out.

    A folder that is called as a split is one if it holds folders of images. Beside pictures of its own, `train` is a
    class, as `plane` is.
    """
    tops = folders(root)
    named = [top for top in tops if split_of(top.name)]
    splits = [top for top in named if any(images_in(folder)[0] for folder in folders(top))]
    if not splits:
        return {"train": root}, _alike(tops)
    parts: dict[str, Path] = {}
    for top in splits:
        split = split_of(top.name)
        if split in parts:
            raise DatasetError(
                f"{str(root)!r} has two folders for the {split} images, {parts[split].name!r} and {top.name!r}; put "
                f"them into one, or move one away"
            )
        parts[split] = top
    beside = [top for top in tops if top not in splits]
    classes = [top.name for top in beside if top not in named and images_in(top)[0]]
    if "train" not in parts or (classes and len(parts) == 1):
        found = ", ".join(repr(top.name) for top in tops[:8])
        raise DatasetError(
            f"{str(root)!r} must hold a folder for each class, or train, validation and test with a folder for each "
            f"class in them; found {found}; move or rename what is neither"
        )
    unlabeled = [path for top in beside if top in named for path in images_in(top)[0]]
    others = [top for top in beside if top not in named]
    return parts, [
        *finding("{} without a class folder beside the splits: left out", unlabeled, "image"),
        *finding("{} beside the splits: left out", others, "folder"),
    ]


def _alike(classes: Sequence[Path]) -> list[Finding]:
    """What is to say of folders that hold no image of their own, but the same folders: they may be splits."""
    inside = {folder: {inner.name for inner in folders(folder)} for folder in classes}
    if len(classes) < 2 or len(set.intersection(*inside.values())) < 2:
        return []
    if any(path.is_file() and path.suffix.lower() in SUFFIXES for folder in classes for path in visible(folder)):
        return []
    text = "classes with the same folders in each, and no image beside them: if they are splits, call them so"
    return [Finding(text=text, names=tuple(map(str, classes)))]


def _info(
    config: DatasetConfig, labels: tuple[str, ...], images: Iterable[np.ndarray], counts: dict[str, int]
) -> DatasetInfo:
    first = next(iter(images), None)
    if first is None:
        raise DatasetError(f"no training image in {config.name!r} can be read")
    height, width, channels = first.shape
    return DatasetInfo(name=config.name, input_shape=(height, width, channels), labels=labels, images=counts)
