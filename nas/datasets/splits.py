"""Which image is in which split: disjoint, with a share of each stratum where possible, fixed by a seed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from nas.datasets import crops
from nas.datasets.spec import Arrays, DatasetError, DatasetInfo, DatasetSpec, Finding
from nas.tasks import TASKS

if TYPE_CHECKING:
    from nas.config import DatasetConfig

# One random stream a question, so that another validation_fraction does not move the test split.
_TEST, _VALIDATION, _LIMIT = range(3)


def split(arrays: Arrays, config: DatasetConfig) -> DatasetSpec:
    """Three splits of what a source brought; a split that the data set brings itself is kept as it is.

    Raises:
        DatasetError: too few images for the fractions that are asked for.
    """
    train, validation, test = arrays.train, arrays.validation, arrays.test
    task = TASKS[arrays.info.task]
    if test is None:
        rest, drawn = draw(
            task.strata(train.targets), _share(len(train), config.test_fraction), (config.split_seed, _TEST)
        )
        train, test = train.take(rest), train.take(drawn)
    if validation is None:
        count = _share(len(train), config.validation_fraction)
        rest, drawn = draw(task.strata(train.targets), count, (config.split_seed, _VALIDATION))
        train, validation = train.take(rest), train.take(drawn)
    if config.train_limit is not None and config.train_limit < len(train):
        train = train.take(draw(task.strata(train.targets), config.train_limit, (config.split_seed, _LIMIT))[1])
    splits, info = {"train": train, "validation": validation, "test": test}, arrays.info
    if config.form == "crops":
        # After the images were divided: all crops of an image are in one split.
        info = crops.described(info, config)
        splits = {name: crops.cut(part, name, config) for name, part in splits.items()}
        task = TASKS[info.task]
    lacking = [
        Finding(text=f"the {name} images lack {absent}; add images of each, or take it out")
        for name, part in splits.items()
        if (absent := task.lacking(part.targets, info.labels))
    ]
    return DatasetSpec(
        info=info,
        **splits,
        drawn=tuple(name for name in ("validation", "test") if getattr(arrays, name) is None),
        findings=(*arrays.findings, *lacking),
    )


def validation_images(info: DatasetInfo, config: DatasetConfig) -> int:
    """How many images the validation split will have, as far as the source has told; 0 if it has not."""
    count = info.images.get("validation", 0)
    left = info.images.get("train", 0)
    if count or left < 4:
        return count
    if not info.images.get("test"):
        left -= _share(left, config.test_fraction)
    return _share(left, config.validation_fraction)


def draw(strata: np.ndarray, count: int, seed: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """`count` random positions, of each stratum in proportion to its size, to the nearest image.

    Args:
        strata: int `(n,)`: whose share a split has, such as class labels.
        count: 0..n.
        seed: fixes the draw, on every machine and under every numpy.

    Returns:
        The positions left and the positions drawn, both ascending.
    """
    # Raw bits and a stable sort: numpy promises those streams for good, but not those of its shuffle.
    order = np.argsort(np.random.PCG64(seed).random_raw(len(strata)), kind="stable")
    grouped = np.argsort(strata[order], kind="stable")
    _, starts, sizes = np.unique(strata[order][grouped], return_index=True, return_counts=True)
    rank = np.arange(len(strata)) - np.repeat(starts, sizes)
    # An image's height in its stratum, in (0, 1): the lowest `count` heights are a share of every stratum.
    height = np.empty(len(strata))
    height[grouped] = (rank + 0.5) / np.repeat(sizes, sizes)
    drawn = np.zeros(len(strata), dtype=bool)
    drawn[order[np.argsort(height, kind="stable")[:count]]] = True
    return np.flatnonzero(~drawn), np.flatnonzero(drawn)


def _share(count: int, fraction: float) -> int:
    """At least one image held back, and at least one left."""
    if count < 2:
        raise DatasetError(f"at least 3 images are needed for three disjoint splits; received {count:,} to divide")
    return min(max(1, round(count * fraction)), count - 1)
