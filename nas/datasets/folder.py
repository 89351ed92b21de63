"""A folder of class folders of images, with `train`, `validation` and `test` folders above them if there are."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from nas.datasets.spec import Arrays, DatasetError, DatasetInfo, Split, expanded

if TYPE_CHECKING:
    from collections.abc import Iterable

    from nas.config import DatasetConfig

logger = logging.getLogger(__name__)

_SUFFIXES = {".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"}
_SPLITS = {"train": "train", "validation": "validation", "val": "validation", "test": "test"}

_Files = dict[str, list[tuple[Path, int]]]


def accepts(config: DatasetConfig) -> bool:
    # A name with one slash may still be TFDS' name/config; these can only be paths.
    return config.name.startswith((".", "/", "~")) or config.name.endswith("/") or Path(config.name).is_dir()


def peek(config: DatasetConfig) -> DatasetInfo:
    """Labels from the folders' names, shape from the first image that can be read.

    Raises:
        DatasetError: no such folder, an empty class, a single class, or an unreadable image.
    """
    labels, files = _files(config)
    images = (image for path, _ in files["train"] if (image := _read(path, config)) is not None)
    return _info(config, labels, images, {split: len(some) for split, some in files.items()})


def load_arrays(config: DatasetConfig) -> Arrays:
    """All images, resized to `image_size` if it is given.

    Raises:
        DatasetError: as `peek`, or images of several sizes without `image_size`.
    """
    labels, files = _files(config)
    read = {
        split: [(path, image, label) for path, label in some if (image := _read(path, config)) is not None]
        for split, some in files.items()
    }
    skipped = sum(map(len, files.values())) - sum(map(len, read.values()))
    if skipped:
        logger.warning("%s: %d unreadable image(s) left out, because skip_corrupt is set", config.name, skipped)
    counts = {split: len(rows) for split, rows in read.items()}
    info = _info(config, labels, (image for _, image, _ in read["train"]), counts)
    splits = {}
    for split, rows in read.items():
        for path, image, _ in rows:
            if image.shape != info.input_shape:
                raise DatasetError(
                    f"all images must have one size, or dataset.image_size must be set; "
                    f"{path} is {image.shape}, the first image is {info.input_shape}"
                )
        empty = set(range(len(info.labels))) - {label for _, _, label in rows} if split == "train" else set()
        if empty or not rows:
            name = labels[min(empty)] if empty else split
            raise DatasetError(f"no image of {name!r} in {config.name!r} can be read; mend or remove that folder")
        splits[split] = Split(
            images=np.stack([image for _, image, _ in rows]),
            targets=np.array([label for _, _, label in rows], dtype=np.int64),
        )
    return Arrays(info=info, **splits)


def _files(config: DatasetConfig) -> tuple[tuple[str, ...], _Files]:
    """Class names, and (path, label) of each image by split, without opening one."""
    root = expanded(config.name)
    if not root.is_dir():
        raise DatasetError(f"an existing folder of class folders is needed; {str(root.absolute())!r} is not there")
    tops = _folders(root)
    # Only when nothing else is there: `train` beside `plane` and `car` is a class.
    divided = {folder.name for folder in tops} <= set(_SPLITS) and (root / "train").is_dir()
    parts = {_SPLITS[top.name]: top for top in tops} if divided else {"train": root}
    labels = tuple(folder.name for folder in _folders(parts["train"]))
    if len(labels) < 2:
        raise DatasetError(
            f"{str(parts['train'])!r} must hold a folder of images for each of at least two classes; "
            f"found {sorted(labels)}"
        )
    files: _Files = {}
    for split, part in parts.items():
        files[split] = []
        for folder in _folders(part):
            if folder.name not in labels:
                raise DatasetError(f"class {folder.name!r} of {str(part)!r} is not among those of train: {labels}")
            paths = _images(folder)
            if not paths and split == "train":
                raise DatasetError(f"each class needs an image; there is none in {str(folder)!r}")
            files[split] += [(path, labels.index(folder.name)) for path in paths]
    return labels, files


def _images(folder: Path) -> list[Path]:
    """Hidden files, and what is in hidden folders, are some program's own: copies would be in two splits at once."""
    return sorted(
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in _SUFFIXES and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    )


def _folders(root: Path) -> list[Path]:
    return sorted(path for path in root.iterdir() if path.is_dir() and not path.name.startswith("."))


def _read(path: Path, config: DatasetConfig) -> np.ndarray | None:
    """uint8 `(height, width, 1 or 3)`; None for an unreadable image that is to be skipped."""
    from PIL import Image

    try:
        with Image.open(path) as image:
            if image.mode[0] in "IF":
                # Pillow would clip 16 bits to white instead of scaling them.
                raise DatasetError(f"images must have 8 bits a channel; {path} has mode {image.mode}")
            pixels = image.convert("L" if config.grayscale else "RGB")
            if config.image_size is not None:
                side = (config.image_size, config.image_size)
                pixels = pixels.resize(side, Image.Resampling.BILINEAR)
            array = np.asarray(pixels)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        if config.skip_corrupt:
            logger.debug("%s cannot be read: %s", path, error)
            return None
        raise DatasetError(
            f"every image must be readable; {path} is not ({error}); remove it or set dataset.skip_corrupt"
        ) from error
    return array[..., None] if array.ndim == 2 else array


def _info(
    config: DatasetConfig, labels: tuple[str, ...], images: Iterable[np.ndarray], counts: dict[str, int]
) -> DatasetInfo:
    first = next(iter(images), None)
    if first is None:
        raise DatasetError(f"no training image in {config.name!r} can be read")
    height, width, channels = first.shape
    return DatasetInfo(name=config.name, input_shape=(height, width, channels), labels=labels, images=counts)
