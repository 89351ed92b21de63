"""What heads of detection share: candidates, and cells that answer for the objects whose centres they hold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from nas.architecture.blocks.head import Head
from nas.architecture.fields import ObjectClasses
from nas.architecture.keras_types import Tensor

RARE = -3.0
"""What the logit of "there is an object" begins with, 5 %: most cells have none, and to learn that takes epochs."""

BOX = (0.0, 0.0, -1.0, -1.0)
"""What a box's logits begin with: the middle of its cell, and 27 % of the image's width and height."""


@dataclass(frozen=True, kw_only=True, slots=True)
class DetectionHead(Head):
    """A head that finds objects, of one class or of several."""

    task: ClassVar[str] = "detection"
    classes: ObjectClasses


def boxes_of(logits: Tensor, height: int, width: int) -> Tensor:
    """Boxes ymin, xmin, ymax, xmax relative to the image, which they may exceed: `(batch, cells * k, 4)`.

    No operation in here is unknown to a microcontroller: no map of more than four axes, nothing reversed. Keras'
    `convert_format` takes no symbolic tensor.

    Args:
        logits: `(batch, cells * k, 4)`, k boxes a cell, the cells row after row: of the centre's y and x within its
            cell, and of height and width as shares of the image's.
        height: of the grid, in cells.
        width: of the grid, in cells.
    """
    import numpy as np
    from keras import ops

    cells = np.stack(np.divmod(np.arange(height * width), width), axis=-1).astype(np.float32)
    cells = np.repeat(cells, logits.shape[1] // len(cells), axis=0)[None]
    sides = ops.sigmoid(logits)
    centres = (sides[..., :2] + cells) * np.array([1 / height, 1 / width], np.float32)
    halves = sides[..., 2:] * 0.5
    return ops.concatenate([centres - halves, centres + halves], axis=-1)


def cells_of(boxes: Tensor, height: int, width: int) -> Tensor:
    """In which cell, row after row, the centre of each box is: int32 `(batch, boxes)`."""
    import numpy as np
    from keras import ops
    from keras.utils.bounding_boxes import convert_format

    centres = convert_format(boxes, "yxyx", "center_yxhw")[..., :2]
    place = ops.floor(centres * np.array([height, width], np.float32))
    place = ops.cast(ops.clip(place, 0, np.array([height - 1, width - 1], np.float32)), "int32")
    return place[..., 0] * width + place[..., 1]


def spared(truths: Tensor, cells: Tensor, count: int) -> Tensor:
    """1 for each of `count` cells, `(batch, count)`, that holds the centre of an ignored object, else 0.

    What such a cell says of objects is not judged.
    """
    from keras import ops

    return ops.max(ops.one_hot(ops.where(truths[..., 4] < -1, cells, -1), count), axis=1)


def candidates(boxes: Tensor, scores: Tensor) -> Tensor:
    """The task's answers `(batch, k, 4 + classes)`; boxes end at the image's border."""
    from keras import ops

    return ops.concatenate([ops.clip(boxes, 0.0, 1.0), scores], axis=-1)
