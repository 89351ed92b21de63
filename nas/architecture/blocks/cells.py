"""What the heads of detection share: a grid of cells, each of which answers for the objects whose centre it holds."""

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
    """A head whose network returns a map, a number of logits for each cell."""

    task: ClassVar[str] = "detection"
    classes: ObjectClasses


def boxes_of(logits: Tensor) -> Tensor:
    """Boxes ymin, xmin, ymax, xmax relative to the image, which they may exceed: `(batch, height * width * k, 4)`.

    Args:
        logits: `(batch, height, width, k, 4)`: of the centre's x and y within its cell, and of width and height as
            shares of the image's.
    """
    import numpy as np
    from keras import ops

    height, width, some = logits.shape[1:4]
    cells = np.stack(np.meshgrid(np.arange(width), np.arange(height)), axis=-1)[:, :, None]
    sides = ops.sigmoid(logits)
    centres = (sides[..., :2] + cells.astype(np.float32)) / np.array([width, height], np.float32)
    # Not by Keras' `convert_format`, which takes no symbolic tensor.
    low, high = centres - sides[..., 2:] / 2, centres + sides[..., 2:] / 2
    boxes = ops.concatenate([ops.flip(low, axis=-1), ops.flip(high, axis=-1)], axis=-1)
    return ops.reshape(boxes, (-1, height * width * some, 4))


def cells_of(boxes: Tensor, height: int, width: int) -> Tensor:
    """In which cell, row after row, the centre of each box is: int32 `(batch, boxes)`."""
    import numpy as np
    from keras import ops
    from keras.utils.bounding_boxes import convert_format

    centres = convert_format(boxes, "yxyx", "center_xywh")[..., :2]
    place = ops.floor(centres * np.array([width, height], np.float32))
    place = ops.cast(ops.clip(place, 0, np.array([width - 1, height - 1], np.float32)), "int32")
    return place[..., 1] * width + place[..., 0]


def candidates(boxes: Tensor, scores: Tensor) -> Tensor:
    """The task's answers `(batch, k, 4 + classes)`; boxes end at the image's border."""
    from keras import ops

    return ops.concatenate([ops.clip(boxes, 0.0, 1.0), scores], axis=-1)
