"""Where data sets come from: one module a source."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from nas.datasets import coco, crops, digit_scenes, digits, folder, masks_folder, npz, splits, tfds_source
from nas.datasets.spec import DatasetError, user_path
from nas.files.paths import ARRAYS, located
from nas.registry import Registry

if TYPE_CHECKING:
    from nas.config import DatasetConfig
    from nas.datasets.spec import Arrays, DatasetInfo, DatasetSpec


class Source(Protocol):
    """What a module must define to be a source."""

    def accepts(self, config: DatasetConfig) -> bool:
        """Whether `config.name` means something to this source."""

    def peek(self, config: DatasetConfig) -> DatasetInfo:
        """ImageShape and labels, without TensorFlow and without reading all images."""

    def load_arrays(self, config: DatasetConfig) -> Arrays:
        """All images, in an order that never changes."""


SOURCES: Registry[Source] = Registry("source of data")
"""Asked from the last to the first, which takes what no other wants: a TFDS name, or an error that says so."""

SOURCES.add("tfds", tfds_source)
SOURCES.add("folder", folder)
SOURCES.add("masks", masks_folder)
SOURCES.add("coco", coco)
SOURCES.add("npz", npz)
SOURCES.add("digits", digits)
SOURCES.add("digit_scenes", digit_scenes)


def load(config: DatasetConfig) -> DatasetSpec:
    """The data set in three disjoint splits, fixed by `config.split_seed`.

    Raises:
        DatasetError: unknown, not on this machine, or unfit.
    """
    source, config = _found(config)
    return splits.split(source.load_arrays(config), config)


def peek(config: DatasetConfig) -> DatasetInfo:
    """ImageShape and labels of a data set; TensorFlow is not imported.

    Raises:
        DatasetError: unknown, not on this machine, or unfit.
    """
    source, config = _found(config)
    info = source.peek(config)
    return info if config.form is None else crops.described(info, config)


def look(config: DatasetConfig) -> tuple[DatasetSpec, bool]:
    """The user's own files as a search will have them, without TensorFlow; and whether to the pixel.

    Raises:
        DatasetError: what a search would refuse.
    """
    source, config = _found(config)
    if source is not npz:
        return load(config), True
    exact = config.image_size is None and not config.grayscale
    return splits.split(npz.load_arrays(config, preview=not exact), config), exact


def is_users_own(config: DatasetConfig) -> bool:
    """Whether the images are files of the user's, which may have any fault, and not those of a data set."""
    return _found(config)[0] in (folder, masks_folder, coco, npz)


def _found(config: DatasetConfig) -> tuple[Source, DatasetConfig]:
    """The source of a data set, and where it is if it is files."""
    if config.name == ARRAYS:
        raise DatasetError(
            f"{ARRAYS!r} are images that a Python program has given, as in nas.search(dataset=(images, labels)); give "
            f"them again, or write './{ARRAYS}' for a folder of that name"
        )
    with user_path():
        config = config.model_copy(update={"name": located(config.name, Path(), config.data_dir)})
    source = next(source for source in reversed([*SOURCES.values()]) if source.accepts(config))
    if config.keys and source not in (npz, tfds_source):
        raise DatasetError(
            f"dataset.keys names arrays of an .npz or features of a TFDS set; {config.name!r} has none; leave it out"
        )
    if config.classes is not None and (source is digit_scenes or source.peek(config).task != "segmentation"):
        raise DatasetError(
            f"dataset.classes names the values in masks; {config.name!r} has names for its classes; leave it out"
        )
    return source, config
