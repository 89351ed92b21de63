"""From candidates to detections: of boxes that show the same object, the one with the highest score."""

from __future__ import annotations

from nas.architecture.boxes import overlaps, unhidden
from nas.architecture.keras_types import Tensor

CANDIDATES, DETECTIONS = 64, 32
"""Boxes of an image among which is chosen, and those that are left at most."""

OVERLAP = 0.5
"""Intersection over union above which two boxes of a class show one object."""

LEAST_SCORE = 0.01
"""Of a detection. Lower ones hardly change a score, and fill the answers."""


def suppressed(candidates: Tensor, *, among: int = CANDIDATES) -> Tensor:
    """Non-maximum suppression, class by class, by `keras.ops`.

    Args:
        candidates: `(batch, k, 4 + classes)`: ymin, xmin, ymax, xmax, and a score in [0, 1] for each class.
        among: how many boxes of an image are looked at, those with the highest scores.

    Returns:
        `(batch, DETECTIONS, 6)`: ymin, xmin, ymax, xmax, class, score, by falling score. Where there are fewer, rows of
        class -1, all else 0.
    """
    import numpy as np
    from keras import ops

    boxes, scores = candidates[..., :4], candidates[..., 4:]
    places, classes = scores.shape[1:]
    some = min(among, places * classes)
    best, chosen = ops.top_k(ops.reshape(scores, (-1, places * classes)), some)
    boxes = ops.take_along_axis(boxes, (chosen // classes)[..., None], axis=1)
    labels = ops.cast(chosen % classes, "float32")
    same = ops.equal(labels[:, :, None], labels[:, None, :])
    kept = unhidden(ops.logical_and(overlaps(boxes, boxes) > OVERLAP, same))
    scores = best * kept * ops.cast(best >= LEAST_SCORE, "float32")
    found = ops.concatenate([boxes, labels[..., None]], axis=-1)
    if some < DETECTIONS:
        found, scores = (
            ops.pad(each, [[0, 0], [0, DETECTIONS - some], *more]) for each, more in ((found, [[0, 0]]), (scores, []))
        )
    scores, order = ops.top_k(scores, DETECTIONS)
    found = ops.take_along_axis(found, order[..., None], axis=1)
    nothing = np.array([0, 0, 0, 0, -1], np.float32)
    found = ops.where(scores[..., None] > 0, found, nothing)
    return ops.concatenate([found, scores[..., None]], axis=-1)


def as_served(found: Tensor) -> dict[str, Tensor]:
    """What `suppressed` returns, as a SavedModel answers.

    `boxes` float32 `(n, DETECTIONS, 4)`: ymin, xmin, ymax, xmax in [0, 1]; `scores` float32 `(n, DETECTIONS)`;
    `classes` int32 `(n, DETECTIONS)`; `count` int32 `(n,)`: how many there are. Rows behind them are zeros, their
    class is -1.
    """
    from keras import ops

    classes = ops.cast(found[..., 4], "int32")
    count = ops.sum(ops.cast(classes >= 0, "int32"), axis=-1)
    return {"boxes": found[..., :4], "scores": found[..., 5], "classes": classes, "count": count}
