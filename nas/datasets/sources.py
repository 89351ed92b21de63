"""Where data sets come from: one module a source, asked in this order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from nas.datasets import digits, folder, npz, splits, tfds_source

if TYPE_CHECKING:
    from nas.config import DatasetConfig
    from nas.datasets.spec import Arrays, DatasetInfo, DatasetSpec


class Source(Protocol):
    """What a module must define to be a source."""

    def accepts(self, config: DatasetConfig) -> bool:
        """Whether `config.name` means something to this source."""

    def peek(self, config: DatasetConfig) -> DatasetInfo:
        """Shape and labels, without TensorFlow and without reading all images."""

    def load_arrays(self, config: DatasetConfig) -> Arrays:
        """All images, in an order that never changes."""


SOURCES: tuple[Source, ...] = (
    digits,
    npz,
    folder,
    tfds_source,  # accepts everything: stays last
)


def load(config: DatasetConfig) -> DatasetSpec:
    """The data set in three disjoint splits, fixed by `config.split_seed`.

    Raises:
        DatasetError: unknown, not on this machine, or unfit.
    """
    return splits.split(_source(config).load_arrays(config), config)


def peek(config: DatasetConfig) -> DatasetInfo:
    """Shape and labels of a data set; TensorFlow is not imported.

    Raises:
        DatasetError: unknown, not on this machine, or unfit.
    """
    return _source(config).peek(config)


def _source(config: DatasetConfig) -> Source:
    return next(source for source in SOURCES if source.accepts(config))
