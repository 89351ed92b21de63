"""Pictures in folders of the user's: which files they are, and what is in them."""

from __future__ import annotations

import logging
import os
import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, final

import numpy as np

from nas.datasets.images import GROUND, fitted
from nas.datasets.spec import SPLIT_NAMES, DatasetError, Finding
from nas.files import outside
from nas.quantity import counted

if TYPE_CHECKING:
    from PIL import Image

    from nas.config import DatasetConfig

logger = logging.getLogger(__name__)

SUFFIXES = {
    *(".apng", ".avif", ".bmp", ".dib", ".gif", ".j2k", ".jfif", ".jp2", ".jpe", ".jpeg", ".jpg", ".mpo", ".pbm"),
    *(".pgm", ".png", ".pnm", ".ppm", ".tga", ".tif", ".tiff", ".webp"),
}


_SYSTEMS = {"__MACOSX", "@eaDir", "lost+found", "$RECYCLE.BIN", "System Volume Information"}
"""Folders that some system makes, with thumbnails and remains in them: as hidden ones."""

_OF_A_SPLIT = {"set", "images", "image", "imgs", "img", "data", "dataset", "split"}
"""What may stand behind the name of a split."""


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class Picture:
    """What is in a file.

    Attributes:
        pixels: uint8 `(height, width, 1 or 3)`, in the size that the user wants.
        pages: how many the file has; the pixels are those of the first.
        shape: (height, width) in the file, upright.
    """

    pixels: np.ndarray
    pages: int
    shape: tuple[int, int]


def finding(text: str, paths: Sequence[Path], noun: str) -> list[Finding]:
    """What is to say about some files; nothing without one."""
    return [Finding(text=text.format(counted(len(paths), noun)), names=tuple(map(str, paths)))] if paths else []


def unreadable(paths: Sequence[Path]) -> list[Finding]:
    """What is to say about files that were skipped."""
    told = finding("{} cannot be read (left out with dataset.skip_corrupt)", paths, "file")
    return [replace(each, unreadable=True) for each in told]


def split_of(name: str) -> str:
    """The split that a folder of that name would be, such as `test_set` or `Validation images`, or ""."""
    words = re.findall("[a-z]+", name.casefold())
    return SPLIT_NAMES.get(words[0], "") if words and set(words[1:]) <= _OF_A_SPLIT else ""


def images_in(folder: Path) -> tuple[list[Path], list[Path]]:
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
                (images if path.suffix.lower() in SUFFIXES and path.is_file() else others).append(path)
        seen.add(real)
    return sorted(images), sorted(others)


def folders(root: Path) -> list[Path]:
    found = [path for path in visible(root) if path.is_dir()]
    for folder in found:
        try:
            folder.name.encode()
        except UnicodeEncodeError:
            raise DatasetError(
                f"folders of classes need names in UTF-8; received {os.fsencode(folder.name)!r} in {str(root)!r}; "
                f"rename it"
            ) from None
    return found


def visible(root: Path) -> list[Path]:
    return sorted(path for path in root.iterdir() if not _is_hidden(path.name))


def _is_hidden(name: str) -> bool:
    return name.startswith(".") or name in _SYSTEMS


def read(path: Path, config: DatasetConfig) -> Picture | None:
    """A picture as people see it; None for an unreadable one that is to be skipped.

    Raises:
        DatasetError: it cannot be read.
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
    return Picture(
        pixels=array[..., None] if array.ndim == 2 else array, pages=pages, shape=(upright.height, upright.width)
    )


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
