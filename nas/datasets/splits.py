"""Which image is in which split: disjoint, by class where possible, fixed by a seed."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import numpy as np

from nas.datasets.spec import Arrays, DatasetError, DatasetSpec

if TYPE_CHECKING:
    from nas.config import DatasetConfig

logger = logging.getLogger(__name__)

# One random stream a question, so that another validation_fraction does not move the test split.
_TEST, _VALIDATION, _LIMIT = range(3)


def split(arrays: Arrays, config: DatasetConfig) -> DatasetSpec:
    """Three splits of what a source brought; a split that the data set brings itself is kept as it is.

    Raises:
        DatasetError: too few images for the fractions that are asked for.
    """
    train, validation, test = arrays.train, arrays.validation, arrays.test
    if test is None:
        rest, drawn = draw(train.labels, _share(len(train), config.test_fraction), (config.split_seed, _TEST))
        train, test = train.take(rest), train.take(drawn)
    if validation is None:
        count = _share(len(train), config.validation_fraction)
        rest, drawn = draw(train.labels, count, (config.split_seed, _VALIDATION))
        train, validation = train.take(rest), train.take(drawn)
    if config.train_limit is not None and config.train_limit < len(train):
        train = train.take(draw(train.labels, config.train_limit, (config.split_seed, _LIMIT))[1])
    for name, part in (("train", train), ("validation", validation), ("test", test)):
        absent = np.setdiff1d(np.arange(arrays.info.classes), part.labels)
        if len(absent):
            some = ", ".join(repr(arrays.info.labels[label]) for label in absent[:3]) + ", ..." * (len(absent) > 3)
            logger.warning(
                "%s: the %s images lack %d of the %d classes (%s); add images of each, or take it out",
                arrays.info.name,
                name,
                len(absent),
                arrays.info.classes,
                some,
            )
    return DatasetSpec(info=arrays.info, train=train, validation=validation, test=test)


def draw(labels: np.ndarray, count: int, seed: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """`count` random positions of `labels`, each class in proportion to its size, to the nearest image.

    Args:
        labels: int `(n,)`.
        count: 0..n.
        seed: fixes the draw, on every machine and under every numpy.

    Returns:
        The positions left and the positions drawn, both ascending.
    """
    # Raw bits and a stable sort: numpy promises those streams for good, but not those of its shuffle.
    order = np.argsort(np.random.PCG64(seed).random_raw(len(labels)), kind="stable")
    by_class = np.argsort(labels[order], kind="stable")
    _, starts, sizes = np.unique(labels[order][by_class], return_index=True, return_counts=True)
    rank = np.arange(len(labels)) - np.repeat(starts, sizes)
    # An image's height in its class, in (0, 1): the lowest `count` heights are a share of every class.
    height = np.empty(len(labels))
    height[by_class] = (rank + 0.5) / np.repeat(sizes, sizes)
    drawn = np.zeros(len(labels), dtype=bool)
    drawn[order[np.argsort(height, kind="stable")[:count]]] = True
    return np.flatnonzero(~drawn), np.flatnonzero(drawn)


def _share(count: int, fraction: float) -> int:
    """At least one image held back, and at least one left."""
    if count < 2:
        raise DatasetError(f"at least 3 images are needed for three disjoint splits; received {count:,} to divide")
    return min(max(1, round(count * fraction)), count - 1)
