"""Boxes of several splits as arrays of one shape."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

Boxes = npt.NDArray[np.float32]


def padded(rows: Mapping[str, Sequence[Boxes]]) -> dict[str, Boxes]:
    """Of each split float32 `(n, most, 5)`, with -1 where there is no box.

    Args:
        rows: by split: of each image `(boxes, 5)`.
    """
    most = max([1, *(len(boxes) for some in rows.values() for boxes in some)])
    made = {}
    for split, some in rows.items():
        made[split] = np.full((len(some), most, 5), -1, np.float32)
        for row, boxes in zip(made[split], some, strict=True):
            row[: len(boxes)] = boxes
    return made
