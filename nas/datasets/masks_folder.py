"""A folder `images` and beside it a folder `masks`: in one folder, in those of the splits, or with those in both."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from nas.datasets import masks
from nas.datasets.images import fitted_targets
from nas.datasets.pictures import finding, folders, images_in, read, split_of, unreadable, visible
from nas.datasets.spec import Arrays, DatasetError, DatasetInfo, Finding, Split, expanded
from nas.errors import NasError, shown
from nas.files import outside

if TYPE_CHECKING:
    from nas.config import DatasetConfig

Pair = tuple[Path, Path]
"""An image and its mask, or the folders of both."""

LOSSY = {".jpg", ".jpeg", ".jpe", ".jfif", ".webp"}
"""Formats that change numbers a little."""


def accepts(config: DatasetConfig) -> bool:
    root = Path(config.name)
    return root.is_absolute() and root.is_dir() and bool(_parts(root))


def peek(config: DatasetConfig) -> DatasetInfo:
    """Shape from the first image; names from `dataset.classes` or `labels.txt`, else all masks are read.

    Raises:
        DatasetError: an image without a mask, or one that cannot be read.
    """
    pairs, _ = _pairs(config)
    first = next((found for image, _ in pairs["train"] if (found := read(image, config)) is not None), None)
    if first is None:
        raise DatasetError(f"no training image in {config.name!r} can be read")
    present: set[int] = set()
    if config.classes is None and not _labels_file(config).is_file():
        present = {value for some in pairs.values() for _, mask in some for value in masks.present_in(_mask(mask))}
    return _info(config, first.pixels.shape, present, {split: len(some) for split, some in pairs.items()})


def load_arrays(config: DatasetConfig) -> Arrays:
    """All images and masks, resized to `image_size` if it is given: masks by the nearest pixel.

    Raises:
        DatasetError: as `peek`, or images of several sizes without `image_size`.
    """
    pairs, findings = _pairs(config)
    splits, skipped, present = {}, list[Path](), set[int]()
    for split, some in pairs.items():
        images: list[np.ndarray] = []
        targets, names = [], []
        for path, mask in some:
            picture = read(path, config)
            if picture is None:
                skipped.append(path)
                continue
            if images and picture.pixels.shape != images[0].shape:
                raise DatasetError(
                    f"all images must have one size, or dataset.image_size must be set; {path} is "
                    f"{picture.pixels.shape}, the first image is {images[0].shape}"
                )
            values = masks.check_values(_mask(mask)[None], (1, *picture.shape), str(mask))
            present |= masks.present_in(values)
            images.append(picture.pixels)
            targets.append(fitted_targets(masks.numbered(values, config), "segmentation", picture.shape, config))
            names.append(str(path))
        if not images:
            raise DatasetError(f"no image of {split!r} in {config.name!r} can be read; fix or remove that folder")
        splits[split] = Split(images=np.stack(images), targets=np.concatenate(targets), names=np.array(names))
    counts = {split: len(some) for split, some in splits.items()}
    return Arrays(
        info=_info(config, splits["train"].images.shape[1:], present, counts),
        train=splits["train"],
        validation=splits.get("validation"),
        test=splits.get("test"),
        findings=(*findings, *unreadable(skipped)),
    )


def _parts(root: Path) -> dict[str, Pair]:
    """The folders of images and of masks of each split: `train/images`, `images/train`, or `images` alone.

    Raises:
        DatasetError: two folders for a split, or splits without training images.
    """
    if _has_both(root):
        images, masks = root / "images", root / "masks"
        found = [(folder, masks / folder.name) for folder in folders(images) if split_of(folder.name)]
        if not found:
            return {"train": (images, masks)}
        others = [path.name for path in visible(images) if path not in [folder for folder, _ in found]]
    else:
        both = [folder for folder in folders(root) if _has_both(folder)]
        found = [(folder / "images", folder / "masks") for folder in both if split_of(folder.name)]
        if not found or len(found) < len(both):
            return {}
        others = []
    splits = [split_of(images.parent.name) or split_of(images.name) for images, _ in found]
    if others or "train" not in splits or len(set(splits)) < len(splits):
        names = sorted([str(images.relative_to(root)) for images, _ in found] + others)
        raise DatasetError(
            f"images and masks lie in one folder each, or in one a split: train and perhaps validation and test, and "
            f"nothing else; {str(root)!r} has {shown(names)}"
        )
    return dict(zip(splits, found, strict=True))


def _has_both(folder: Path) -> bool:
    return (folder / "images").is_dir() and (folder / "masks").is_dir()


def _pairs(config: DatasetConfig) -> tuple[dict[str, list[Pair]], list[Finding]]:
    pairs: dict[str, list[Pair]] = {}
    lone = list[Path]()
    for split, (pictures, targets) in _parts(expanded(config.name)).items():
        images, given = images_in(pictures)[0], images_in(targets)[0]
        of_stem = {path.relative_to(targets).with_suffix(""): path for path in given}
        stems = [path.relative_to(pictures).with_suffix("") for path in images]
        if not images:
            raise DatasetError(f"there must be an image; {str(pictures)!r} has none")
        for path, stem in zip(images, stems, strict=True):
            if stem not in of_stem:
                raise DatasetError(f"each image needs a mask of its name; there is none for {path} in {str(targets)!r}")
        pairs[split] = [(path, of_stem[stem]) for path, stem in zip(images, stems, strict=True)]
        lone += [of_stem[stem] for stem in sorted(set(of_stem) - set(stems))]
    return pairs, finding("{} without an image: left out", lone, "mask")


def _mask(path: Path) -> np.ndarray:
    """The numbers in a mask `(height, width)`: levels of gray, or places in a palette."""
    from PIL import Image

    if path.suffix.lower() in LOSSY:
        raise DatasetError(
            f"masks need a format that keeps numbers as they are; {path} is a {path.suffix}; save it as .png from what "
            f"it was made of"
        )
    try:
        with outside.door(DatasetError):
            outside.check_regular(path)
            with Image.open(path) as image:
                mode, values = image.mode, np.asarray(image)
    except DatasetError as error:
        raise DatasetError(f"every mask must be readable; {path} is not ({error})") from error
    if values.ndim > 2:
        raise DatasetError(
            f"a mask has one number a pixel, its class; {path} has colors (mode {mode}); replace each color by the "
            f"number of its class, and save it with one channel or a palette"
        )
    return values


def _labels_file(config: DatasetConfig) -> Path:
    return expanded(config.name) / "labels.txt"


def _info(config: DatasetConfig, shape: tuple[int, ...], present: set[int], counts: dict[str, int]) -> DatasetInfo:
    file, given = _labels_file(config), list[str]()
    if config.classes is None and file.is_file():
        given = outside.read_text(file, _unreadable).rstrip().splitlines()
    height, width, channels = shape
    return DatasetInfo(
        name=config.name,
        input_shape=(height, width, channels),
        labels=masks.class_names(config, present, given),
        task="segmentation",
        images=counts,
    )


def _unreadable(reason: str) -> NasError:
    return DatasetError(f"labels.txt must have a name a line; {shown(reason)}")
