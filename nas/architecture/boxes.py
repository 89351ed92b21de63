"""Arithmetic on boxes, by `keras.ops` that take symbolic tensors too, which those of `keras.utils` do not.

Boxes are ymin, xmin, ymax, xmax as shares of the image's height and width.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from nas.architecture.keras_types import Tensor

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

Box = tuple[float, float, float, float]

ROUNDS = 16
"""Of a suppression, which ends sooner: among 64 boxes, chains of which each hides the next one had at most 8 in 3,000
random images."""


def overlaps(first: Tensor, second: Tensor) -> Tensor:
    """Intersection over union of all pairs of `(batch, n, 4)` and `(batch, m, 4)`: `(batch, n, m)`."""
    from keras import ops

    first, second = first[:, :, None], second[:, None]
    low = ops.maximum(first[..., :2], second[..., :2])
    high = ops.minimum(first[..., 2:], second[..., 2:])
    shared = ops.prod(ops.relu(high - low), axis=-1)
    own, other = (ops.prod(each[..., 2:] - each[..., :2], axis=-1) for each in (first, second))
    # In this order: LiteRT's converter fails at a sum of (n, 1) and (1, m).
    return shared / ops.maximum(own - shared + other, 1e-9)


def unhidden(hides: Tensor) -> Tensor:
    """1 for each box that a suppression leaves, else 0: `(batch, n)`.

    A box is hidden by a better one that is not itself hidden. All boxes are decided at once, again and again, until
    nothing changes: after n rounds, all are right that stand at the n-th place of a chain (Blelloch et al., 2012).

    Args:
        hides: bool `(batch, n, n)`: whether a box, a row, would make way for the other, a column. Boxes stand by
            falling score, so that only those before it count.
    """
    import numpy as np
    from keras import ops

    count = hides.shape[1]
    better = ops.cast(hides, "float32") * np.tril(np.ones((count, count), np.float32), -1)
    kept = ops.ones_like(better[..., 0])
    for _ in range(min(ROUNDS, count)):
        kept = ops.cast(ops.matmul(better, kept[..., None])[..., 0] < 0.5, "float32")
    return kept


def moved(boxes: Tensor, steps: Tensor) -> Tensor:
    """Boxes `(..., 4)` after steps `(..., 4)`: the centre moves by y and x, in sides of the box, and the sides change.

    As in R-CNN (Girshick et al., 2014), but for the sides' factor. There it is exp(t), which microcontrollers lack in
    whole numbers; here it is (2 * sigmoid(t))^2, at most 4, equal to it in value and slope at 0.
    """
    from keras import ops

    sides = boxes[..., 2:] - boxes[..., :2]
    middles = boxes[..., :2] + sides * 0.5
    # The steps come first: an array of NumPy's on the left would want the numbers of a symbolic tensor.
    centres = steps[..., :2] * sides + middles
    half = ops.sigmoid(steps[..., 2:])
    halves = half * half * (sides * 2.0)
    return ops.concatenate([centres - halves, centres + halves], axis=-1)


def before_move(boxes: Tensor, steps: Tensor) -> Tensor:
    """The boxes that `moved` made these of."""
    from keras import ops

    sides = (boxes[..., 2:] - boxes[..., :2]) / (4.0 * ops.square(ops.sigmoid(steps[..., 2:])))
    centres = (boxes[..., :2] + boxes[..., 2:]) * 0.5 - steps[..., :2] * sides
    return ops.concatenate([centres - sides * 0.5, centres + sides * 0.5], axis=-1)


def anchors(height: int, width: int, shapes: tuple[tuple[float, float], ...]) -> npt.NDArray[np.float32]:
    """Boxes of each shape, `(height, width)`, around the centre of each cell of a grid: `(cells * shapes, 4)`."""
    import numpy as np

    cells = np.stack(np.divmod(np.arange(height * width), width), axis=-1)
    centres = (cells[:, None] + 0.5) / np.array([height, width])
    halves: npt.NDArray[Any] = np.array(shapes)[None] / 2
    return np.concatenate([centres - halves, centres + halves], axis=-1).reshape(-1, 4).astype(np.float32)


def box_shapes(sizes: tuple[float, ...], ratios: tuple[float, ...]) -> tuple[tuple[float, float], ...]:
    """`(height, width)` of a box of each size, the root of its area, and of each ratio of height to width."""
    # Not by a power, whose last digit differs among machines, and with it a network's identity.
    roots = [math.sqrt(ratio) for ratio in ratios]
    return tuple((size * root, size / root) for size in sizes for root in roots)


def windows(shapes: tuple[tuple[float, float], ...]) -> tuple[Box, ...]:
    """Boxes of each shape all over the image, in equal steps of at most half of their sides.

    >>> len(windows(((0.5, 0.5),))), windows(((0.5, 1.5),))
    (9, ((0.0, 0.0, 0.5, 1.0), (0.25, 0.0, 0.75, 1.0), (0.5, 0.0, 1.0, 1.0)))
    """
    found = []
    for height, width in shapes:
        tops, lefts = _starts(height), _starts(width)
        found += [(top, left, top + min(height, 1), left + min(width, 1)) for top in tops for left in lefts]
    return tuple(found)


def _starts(side: float) -> list[float]:
    # Rounded, so that a side that is no binary fraction takes no step more.
    steps = math.ceil(round(2 / side - 2, 6)) if side < 1 else 0
    return [place * (1 - side) / steps for place in range(steps + 1)] if steps else [0.0]
