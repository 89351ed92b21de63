"""From candidates to detections: of boxes that show the same object, the one with the highest score."""

from __future__ import annotations

from nas.architecture.keras_types import Tensor

CANDIDATES, DETECTIONS = 64, 32
"""Boxes of an image among which is chosen, and those that are left at most."""

OVERLAP = 0.5
"""Intersection over union above which two boxes of a class show one object."""

LEAST_SCORE = 0.01
"""Of a detection. Lower ones hardly change a score, and fill the answers."""

ROUNDS = 16
"""Of the suppression, which ends sooner: among 64 boxes, chains of which each hides the next one had at most 8 in 3,000
random images."""


def suppressed(candidates: Tensor) -> Tensor:
    """Non-maximum suppression, class by class, by `keras.ops`.

    A box is hidden by a better one that is not itself hidden. All boxes are decided at once, again and again, until
    nothing changes: after n rounds, all are right that stand at the n-th place of a chain (Blelloch et al., 2012).

    Args:
        candidates: `(batch, k, 4 + classes)`: ymin, xmin, ymax, xmax, and a score in [0, 1] for each class.

    Returns:
        `(batch, DETECTIONS, 6)`: ymin, xmin, ymax, xmax, class, score, by falling score. Where there are fewer, rows of
        class -1, all else 0.
    """
    import numpy as np
    from keras import ops

    boxes, scores = candidates[..., :4], candidates[..., 4:]
    places, classes = scores.shape[1:]
    some = min(CANDIDATES, places * classes)
    best, chosen = ops.top_k(ops.reshape(scores, (-1, places * classes)), some)
    boxes = ops.take_along_axis(boxes, (chosen // classes)[..., None], axis=1)
    labels = ops.cast(chosen % classes, "float32")
    overlaps = _overlaps(boxes) > OVERLAP
    same = ops.equal(labels[:, :, None], labels[:, None, :])
    hides = ops.cast(ops.logical_and(overlaps, same), "float32") * np.tril(np.ones((some, some), np.float32), -1)
    kept = ops.ones_like(best)
    for _ in range(min(ROUNDS, some)):
        kept = ops.cast(ops.matmul(hides, kept[..., None])[..., 0] < 0.5, "float32")
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


def _overlaps(boxes: Tensor) -> Tensor:
    """Intersection over union of all pairs, `(batch, n, n)`. Keras' `compute_iou` takes no symbolic tensor."""
    from keras import ops

    low = ops.maximum(boxes[:, :, None, :2], boxes[:, None, :, :2])
    high = ops.minimum(boxes[:, :, None, 2:], boxes[:, None, :, 2:])
    shared = ops.prod(ops.relu(high - low), axis=-1)
    sizes = ops.prod(boxes[..., 2:] - boxes[..., :2], axis=-1)
    return shared / ops.maximum(sizes[:, :, None] + sizes[:, None, :] - shared, 1e-9)
