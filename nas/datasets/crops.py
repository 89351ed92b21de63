"""Crops of a detection set as a classification set, which is what R-CNN's network learns (Girshick et al., 2014).

Each object's box is warped to one size, and so is one near it that shows nearly the same. For each object there are up
to three crops of the same image that show background: one anywhere of the object's shape, and two near it, which show
a part of it, or it and what is around. Without these, a window on a part of an object is taken for the object.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from nas.datasets.spec import DatasetError, DatasetInfo, Split

if TYPE_CHECKING:
    import numpy.typing as npt

    from nas.config import DatasetConfig

    Boxes = npt.NDArray[np.float32]

BACKGROUND = "background"
"""Name of the first class."""

ALIKE, CLEAR, FAR = 0.7, 0.5, 0.3
"""Intersection over union with an object from which a crop shows it, below which a crop near it does not, as in the
paper, and below which one anywhere does not."""

NEAR = 2
"""Crops of background near an object."""

TRIES = 20
"""Boxes of one kind that are drawn for an object; if none of them is right, there is none."""

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
        drawn = _Draw((config.split_seed, _STREAM, *name.encode(), number))
        for box in objects:
            found = _around(box[:4], boxes[boxes[:, 4] != -1], drawn)
            crops += [_warped(image, each, config.side_of_crops) for each, _ in found]
            classes += [1 + int(box[4]) if shows else 0 for _, shows in found]
    if not crops:
        raise DatasetError(
            f"crops are of objects, and the {name} images show none; choose another dataset.split_seed, or larger "
            f"splits"
        )
    return Split(images=np.stack(crops), targets=np.array(classes, np.int64))


class _Draw:
    """Random numbers in [0, 1), the same for good: numpy promises raw bits alone."""

    def __init__(self, seed: tuple[int, ...]) -> None:
        self._bits = np.random.PCG64(seed)

    def __call__(self, *shape: int) -> Boxes:
        raw = self._bits.random_raw(math.prod(shape)) >> np.uint64(40)
        return (raw / 2**24).astype(np.float32).reshape(shape)


def _around(box: Boxes, marked: Boxes, draw: _Draw) -> list[tuple[Boxes, bool]]:
    """Boxes to be cut for an object, and whether each shows it."""
    sides = box[2:] - box[:2]
    corners = draw(TRIES, 2) * (1 - sides)
    anywhere = np.concatenate([corners, corners + sides], axis=1)
    close = _near(box, 0.15, draw)
    kinds = [
        (close, _overlaps(close, box[None])[:, 0] >= ALIKE, True),
        (anywhere, (_overlaps(anywhere, marked) < FAR).all(axis=1), False),
    ]
    for _ in range(NEAR):
        near = _near(box, 1, draw)
        kinds.append((near, (_overlaps(near, marked) < CLEAR).all(axis=1), False))
    return [(box, True), *((boxes[right][0].clip(0, 1), shows) for boxes, right, shows in kinds if right.any())]


def _near(box: Boxes, most: float, draw: _Draw) -> Boxes:
    """Boxes `(TRIES, 4)` around places in the image at most so many sides from the object's center.

    Their sides are up to 1 + most times as large or small; they are cut at the border.
    """
    sides = box[2:] - box[:2]
    centers = ((box[:2] + box[2:]) / 2 + (2 * draw(TRIES, 2) - 1) * most * sides).clip(0, 1)
    grown = 1 + draw(TRIES, 2) * most
    halves = np.where(draw(TRIES, 2) < 0.5, grown, 1 / grown) * sides / 2
    return np.concatenate([centers - halves, centers + halves], axis=1).clip(0, 1)


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
