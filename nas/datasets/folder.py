"""A folder of class folders of images, with `train`, `validation` and `test` folders above them if there are."""

from __future__ import annotations

import logging
import os
import re
import warnings
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from nas.datasets.images import GROUND, fitted
from nas.datasets.spec import SPLIT_NAMES, Arrays, DatasetError, DatasetInfo, Finding, Split, expanded
from nas.errors import shown
from nas.files import outside
from nas.quantity import counted

if TYPE_CHECKING:
    from collections.abc import Iterable

    from PIL import Image

    from nas.config import DatasetConfig

logger = logging.getLogger(__name__)

_SUFFIXES = {
    *(".apng", ".avif", ".bmp", ".dib", ".gif", ".j2k", ".jfif", ".jp2", ".jpe", ".jpeg", ".jpg", ".mpo", ".pbm"),
    *(".pgm", ".png", ".pnm", ".ppm", ".tga", ".tif", ".tiff", ".webp"),
}


_SYSTEMS = {"__MACOSX", "@eaDir", "lost+found", "$RECYCLE.BIN", "System Volume Information"}
"""Folders that some system makes, with thumbnails and remains in them: as hidden ones."""

_OF_A_SPLIT = {"set", "images", "image", "imgs", "img", "data", "dataset", "split"}
"""What may stand behind the name of a split."""


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
    images = (found[0] for path, _ in tree.files["train"] if (found := _read(path, config)) is not None)
    return _info(config, tree.labels, images, {split: len(some) for split, some in tree.files.items()})


def load_arrays(config: DatasetConfig) -> Arrays:
    """All images, resized to `image_size` if it is given.

    Raises:
        DatasetError: as `peek`, or images of several sizes without `image_size`.
    """
    tree = _tree(config)
    skipped, several = list[Path](), list[Path]()
    read: dict[str, list[tuple[Path, np.ndarray, int]]] = {}
    for split, files in tree.files.items():
        read[split] = []
        for path, label in files:
            found = _read(path, config)
            if found is None:
                skipped.append(path)
                continue
            image, pages = found
            if pages > 1:
                several.append(path)
            read[split].append((path, image, label))
    findings = [
        *tree.findings,
        *_finding("{} cannot be read: left out, because skip_corrupt is set", skipped, "file"),
        *_finding("{} with several pages: the first of each is taken", several, "image"),
    ]
    counts = {split: len(rows) for split, rows in read.items()}
    info = _info(config, tree.labels, (image for _, image, _ in read["train"]), counts)
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
            name = tree.labels[min(empty)] if empty else split
            raise DatasetError(f"no image of {name!r} in {config.name!r} can be read; mend or remove that folder")
        splits[split] = Split(
            images=np.stack([image for _, image, _ in rows]),
            targets=np.array([label for _, _, label in rows], dtype=np.int64),
            names=np.array([str(path) for path, _, _ in rows]),
        )
    return Arrays(
        info=info,
        train=splits["train"],
        validation=splits.get("validation"),
        test=splits.get("test"),
        findings=tuple(findings),
    )


def _finding(text: str, paths: Sequence[Path], noun: str) -> list[Finding]:
    """What is to say about some files; nothing without one."""
    return [Finding(text=text.format(counted(len(paths), noun)), names=tuple(map(str, paths)))] if paths else []


def _tree(config: DatasetConfig) -> _Tree:
    root = expanded(config.name)
    if not os.path.isdir(root):
        raise DatasetError(f"an existing folder of class folders is needed; {shown(str(root.absolute()))} is not there")
    parts, findings = _parts(root)
    labels = tuple(folder.name for folder in _folders(parts["train"]))
    if len(labels) < 2:
        raise DatasetError(
            f"{str(parts['train'])!r} must hold a folder of images for each of at least two classes; "
            f"found {shown(sorted(labels))}"
        )
    files: dict[str, list[tuple[Path, int]]] = {}
    others, loose = list[Path](), list[Path]()
    for split, part in parts.items():
        files[split] = []
        loose += [path for path in _visible(part) if path.is_file() and path.suffix.lower() in _SUFFIXES]
        for folder in _folders(part):
            if folder.name not in labels:
                raise DatasetError(
                    f"class {folder.name!r} of {str(part)!r} is not among those of train: {shown(labels)}"
                )
            paths, rest = _images(folder)
            if not paths and split == "train":
                raise DatasetError(f"each class needs an image; there is none in {str(folder)!r}")
            files[split] += [(path, labels.index(folder.name)) for path in paths]
            others += rest
    kinds = ", ".join(
        f"{count:,} {suffix or 'without a suffix'}"
        for suffix, count in Counter(path.suffix.lower() for path in others).most_common(5)
    )
    findings += [
        *_finding("{} in no class folder: left out", loose, "image"),
        *_finding(f"{{}} in class folders not taken for images ({kinds})", others, "file"),
    ]
    return _Tree(labels=labels, files=files, findings=tuple(findings))


def _parts(root: Path) -> tuple[dict[str, Path], list[Finding]]:
    """The folder of each split, and what is beside them, which is left out.

    A folder that is called as a split is one if it holds folders of images. Beside pictures of its own, `train` is a
    class, as `plane` is.
    """
    tops = _folders(root)
    named = [top for top in tops if _split_of(top.name)]
    splits = [top for top in named if any(_images(folder)[0] for folder in _folders(top))]
    if not splits:
        return {"train": root}, _alike(tops)
    parts: dict[str, Path] = {}
    for top in splits:
        split = _split_of(top.name)
        if split in parts:
            raise DatasetError(
                f"{str(root)!r} has two folders for the {split} images, {parts[split].name!r} and {top.name!r}; put "
                f"them into one, or move one away"
            )
        parts[split] = top
    beside = [top for top in tops if top not in splits]
    classes = [top.name for top in beside if top not in named and _images(top)[0]]
    if "train" not in parts or (classes and len(parts) == 1):
        found = ", ".join(repr(top.name) for top in tops[:8])
        raise DatasetError(
            f"{str(root)!r} must hold a folder for each class, or train, validation and test with a folder for each "
            f"class in them; found {found}; move or rename what is neither"
        )
    unlabeled = [path for top in beside if top in named for path in _images(top)[0]]
    others = [top for top in beside if top not in named]
    return parts, [
        *_finding("{} without a class folder beside the splits: left out", unlabeled, "image"),
        *_finding("{} beside the splits: left out", others, "folder"),
    ]


def _split_of(name: str) -> str:
    """The split that a folder of that name would be, such as `test_set` or `Validation images`, or ""."""
    words = re.findall("[a-z]+", name.casefold())
    return SPLIT_NAMES.get(words[0], "") if words and set(words[1:]) <= _OF_A_SPLIT else ""


def _alike(classes: Sequence[Path]) -> list[Finding]:
    """What is to say of folders that hold no image of their own, but the same folders: they may be splits."""
    inside = {folder: {inner.name for inner in _folders(folder)} for folder in classes}
    if len(classes) < 2 or len(set.intersection(*inside.values())) < 2:
        return []
    if any(path.is_file() and path.suffix.lower() in _SUFFIXES for folder in classes for path in _visible(folder)):
        return []
    text = "classes with the same folders in each, and no image beside them: if they are splits, call them so"
    return [Finding(text=text, names=tuple(map(str, classes)))]


def _images(folder: Path) -> tuple[list[Path], list[Path]]:
    """Image files and other files at any depth, sorted; links are followed.

    Hidden files, and what is in hidden folders, are some program's own: copies would be in two splits at once.
    """
    images, others, seen = list[Path](), list[Path](), set[str]()
    for where, folders, names in os.walk(folder, followlinks=True):
        # A link to a folder above would go round for ever.
        real = os.path.realpath(where)
        folders[:] = [] if real in seen else [name for name in folders if not _is_hidden(name)]
        for name in names if real not in seen else ():
            path = Path(where, name)
            if not _is_hidden(name):
                (images if path.suffix.lower() in _SUFFIXES and path.is_file() else others).append(path)
        seen.add(real)
    return sorted(images), sorted(others)


def _folders(root: Path) -> list[Path]:
    folders = [path for path in _visible(root) if path.is_dir()]
    for folder in folders:
        try:
            folder.name.encode()
        except UnicodeEncodeError:
            raise DatasetError(
                f"folders of classes need names in UTF-8; received {os.fsencode(folder.name)!r} in {str(root)!r}; "
                f"rename it"
            ) from None
    return folders


def _visible(root: Path) -> list[Path]:
    return sorted(path for path in root.iterdir() if not _is_hidden(path.name))


def _is_hidden(name: str) -> bool:
    return name.startswith(".") or name in _SYSTEMS


def _read(path: Path, config: DatasetConfig) -> tuple[np.ndarray, int] | None:
    """uint8 `(height, width, 1 or 3)` as people see the picture, and its number of pages.

    None for an unreadable image that is to be skipped.
    """
    from PIL import Image, ImageOps

    try:
        # Pillow warns of what it can do without; what it cannot is an error.
        with outside.door(DatasetError), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            outside.check_regular(path)
            with Image.open(path) as image:
                pages = getattr(image, "n_frames", 1)
                upright = ImageOps.exif_transpose(image)
                pixels = _flat(upright).convert("L" if config.grayscale else "RGB")
                array = np.asarray(fitted(pixels, config))
    except DatasetError as error:
        if config.skip_corrupt:
            logger.debug("%s cannot be read: %s", path, error)
            return None
        raise DatasetError(
            f"every image must be readable; {path} is not ({error}); remove it or set dataset.skip_corrupt"
        ) from error
    return array[..., None] if array.ndim == 2 else array, pages


def _flat(image: Image.Image) -> Image.Image:
    """Eight bits a channel, on `GROUND` where the picture is transparent.

    Raises:
        ValueError: numbers without a scale.
    """
    from PIL import Image

    if image.mode[0] in "IF":
        # Pillow would clip 16 bits to white instead of scaling them.
        levels = np.asarray(image)
        if image.mode == "F" or levels.min() < 0 or levels.max() > 65_535:
            raise ValueError(f"mode {image.mode} has levels without a scale; save it with 8 or 16 bits a channel")
        return Image.fromarray(((levels.astype(np.uint32) + 128) // 257).astype(np.uint8))
    if not image.has_transparency_data:
        return image
    return Image.alpha_composite(Image.new("RGBA", image.size, GROUND), image.convert("RGBA"))


def _info(
    config: DatasetConfig, labels: tuple[str, ...], images: Iterable[np.ndarray], counts: dict[str, int]
) -> DatasetInfo:
    first = next(iter(images), None)
    if first is None:
        raise DatasetError(f"no training image in {config.name!r} can be read")
    height, width, channels = first.shape
    return DatasetInfo(name=config.name, input_shape=(height, width, channels), labels=labels, images=counts)
