"""Crops of a detection set as a classification set, which is what R-CNN's network learns (Girshick et al., 2014).

Each object's box is warped to one size. For each there is a crop of the same shape from the same image that shows
background: it overlaps every object by less than `CLEAR`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from nas.datasets.spec import DatasetError, DatasetInfo, Split

if TYPE_CHECKING:
    import numpy.typing as npt

    from nas.config import DatasetConfig

    Boxes = npt.NDArray[np.float32]

BACKGROUND = "background"
"""Name of the first class."""

CLEAR = 0.3
"""Intersection over union with an object below which a crop shows background; as in the paper."""

TRIES = 20
"""Places at which background of one shape is looked for; after them, there is none."""

_STREAM = 3  # beside those of `splits`


def described(info: DatasetInfo, config: DatasetConfig) -> DatasetInfo:
    """What the crops of a data set look like.

    Raises:
        DatasetError: it has no boxes.
    """
    if info.task != "detection":
        raise DatasetError(f"dataset.as: crops cuts objects out, and {info.name!r} has no boxes; leave it out")
    side, labels = config.side_of_crops, (BACKGROUND, *info.labels)
    return DatasetInfo(name=info.name, input_shape=(side, side, info.input_shape[2]), labels=labels)


def cut(split: Split, name: str, config: DatasetConfig) -> Split:
    """The crops of a split, image by image: its objects, then background.

    Args:
        split: with boxes.
        name: of the split, which has random numbers of its own.
        config: how large crops are, and the seed.

    Raises:
        DatasetError: there is no object.
    """
    crops, classes = [], []
    for number, (image, boxes) in enumerate(zip(split.images, split.targets, strict=True)):
        objects = boxes[boxes[:, 4] >= 0]
        seed = (config.split_seed, _STREAM, *name.encode(), number)
        clear = _background(objects, boxes[boxes[:, 4] != -1], seed)
        crops += [_warped(image, box, config.side_of_crops) for box in (*objects[:, :4], *clear)]
        classes += [*(1 + objects[:, 4].astype(np.int64)), *[0] * len(clear)]
    if not crops:
        raise DatasetError(
            f"crops are of objects, and the {name} images show none; choose another dataset.split_seed, or larger "
            f"splits"
        )
    return Split(images=np.stack(crops), targets=np.array(classes, np.int64))


def _background(objects: Boxes, marked: Boxes, seed: tuple[int, ...]) -> list[Boxes]:
    """For each object a box of its shape that shows none of what is marked, where one is found."""
    # Raw bits, which numpy promises for good.
    places = (np.random.PCG64(seed).random_raw(len(objects) * TRIES * 2) >> np.uint64(40)) / 2**24
    found = []
    for box, tries in zip(objects, places.reshape(-1, TRIES, 2), strict=True):
        sides = box[2:4] - box[:2]
        corners = tries * (1 - sides)
        boxes = np.concatenate([corners, corners + sides], axis=1).astype(np.float32)
        free = np.flatnonzero((_overlaps(boxes, marked) < CLEAR).all(axis=1))
        found += [boxes[free[0]].clip(0, 1)] if len(free) else []
    return found


def _overlaps(boxes: Boxes, others: Boxes) -> Boxes:
    """Intersection over union of all pairs, `(n, m)`."""
    low = np.maximum(boxes[:, None, :2], others[:, :2])
    high = np.minimum(boxes[:, None, 2:4], others[:, 2:4])
    shared = (high - low).clip(0).prod(axis=-1)
    sizes = [(each[:, 2:4] - each[:, :2]).prod(axis=-1) for each in (boxes, others)]
    found: Boxes = shared / (sizes[0][:, None] + sizes[1] - shared)
    return found


def _warped(image: npt.NDArray[np.uint8], box: Boxes, side: int) -> npt.NDArray[np.uint8]:
    """What a box shows, whatever its shape, as a square."""
    from PIL import Image

    height, width, _ = image.shape
    top, left, bottom, right = (box * [height, width, height, width]).tolist()
    channels = [
        np.asarray(
            Image.fromarray(channel).resize((side, side), Image.Resampling.BILINEAR, box=(left, top, right, bottom))
        )
        for channel in np.moveaxis(image, -1, 0)
    ]
    return np.stack(channels, axis=-1)
