"""Where data sets come from: one module a source."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from nas.datasets import digits, folder, in_memory, npz, splits, tfds_catalog, tfds_source
from nas.datasets.embedded import DIGITS
from nas.datasets.spec import DatasetError
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
SOURCES.add("npz", npz)
SOURCES.add("digits", digits)


def load(config: DatasetConfig) -> DatasetSpec:
    """The data set in three disjoint splits, fixed by `config.split_seed`.

    Raises:
        DatasetError: unknown, not on this machine, or unfit.
    """
    return splits.split(_source(config).load_arrays(config), config)


def peek(config: DatasetConfig) -> DatasetInfo:
    """ImageShape and labels of a data set; TensorFlow is not imported.

    Raises:
        DatasetError: unknown, not on this machine, or unfit.
    """
    return _source(config).peek(config)


def is_users_own(config: DatasetConfig) -> bool:
    """Whether the images are files of the user's, which may have any fault, and not those of a data set."""
    return _source(config) in (folder, npz)


def _source(config: DatasetConfig) -> Source:
    if config.name == in_memory.NAME:
        raise DatasetError(
            f"{in_memory.NAME!r} are images that a Python program has given, as in nas.search(dataset=(images, "
            f"labels)); give them again, or write './{in_memory.NAME}' for a folder of that name"
        )
    _check_unambiguous(config)
    return next(source for source in reversed([*SOURCES.values()]) if source.accepts(config))


def _check_unambiguous(config: DatasetConfig) -> None:
    """Refuse a bare name that a folder in the current directory and a data set both have."""
    name = config.name
    is_folder = Path(name).name == name and name not in ("", "..") and Path(name).is_dir()
    if is_folder and (name == DIGITS.name or tfds_catalog.is_ready(name, config.data_dir)):
        raise DatasetError(
            f"dataset {name!r} is a folder here and a data set too; write {f'./{name}'!r} for the folder, or start "
            f"from another directory for the data set"
        )
