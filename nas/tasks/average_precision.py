"""Mean average precision of a split's detections: in numpy, equal to COCO's own evaluation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Array = npt.NDArray[Any]

COCO_OVERLAPS = tuple(0.5 + 0.05 * step for step in range(10))
"""Least overlaps over which COCO's mAP is averaged (Lin et al., 2014)."""


def mean_average_precision(detections: Array, truths: Array, overlaps: Sequence[float] = (0.5,)) -> float:
    """The mean over classes, and over least overlaps, of the average precision; 0 without any truth.

    Arguments are those of `precisions`.
    """
    _, found = precisions(detections, truths, overlaps)
    return float(found.mean()) if found.size else 0.0


def precisions(
    detections: Array, truths: Array, overlaps: Sequence[float] = (0.5,)
) -> tuple[npt.NDArray[np.int64], Array]:
    """The classes that there are, and for each the precision at 101 recalls from 0 to 1: `(overlaps, classes, 101)`.

    In each image, the detections of a class take their turns from the highest score down. Each takes the free truth of
    its class that it overlaps most, at least so much; then it is right, and without one it is wrong. What takes an
    ignored truth is neither. The precision at a recall is the highest at that recall or beyond.

    Args:
        detections: `(images, d, 6)`: ymin, xmin, ymax, xmax, class, score, by falling score; class -1: none.
        truths: `(images, t, 5)`: ymin, xmin, ymax, xmax, class; -1: none; -2 - c: one of class c to be ignored.
        overlaps: least intersection over union of a detection with the truth that it takes, in (0, 1].
    """
    import numpy as np

    judged = verdicts(detections, truths, np.asarray(overlaps))
    classes = np.unique(truths[..., 4][truths[..., 4] >= 0]).astype(np.int64)
    found = np.zeros((len(overlaps), len(classes), 101))
    for place, label in enumerate(classes):
        count = np.sum(truths[..., 4] == label)
        ours = detections[..., 4] == label
        # Equal scores stay in the order of the images, as in COCO's evaluation.
        order = np.argsort(-detections[..., 5][ours], kind="stable")
        for number, verdict in enumerate(judged[:, ours][:, order]):
            right = np.cumsum(verdict[verdict >= 0] == 1)
            precision = right / np.arange(1, len(right) + 1)
            highest = np.maximum.accumulate(precision[::-1])[::-1]
            places = np.searchsorted(right / count, np.linspace(0, 1, 101), side="left")
            found[number, place] = np.append(highest, 0.0)[places]
    return classes, found


def verdicts(detections: Array, truths: Array, overlaps: Array) -> npt.NDArray[np.int8]:
    """Of each detection at each least overlap, whether it is right: 1 right, 0 wrong, -1 neither.

    Arguments are those of `precisions`; the result is `(overlaps, images, d)`.
    """
    import numpy as np

    # Of two truths that are overlapped alike the last is taken, as in COCO's evaluation.
    truths = truths[:, ::-1]
    labels, ignored = truths[..., 4], truths[..., 4] < -1
    same = detections[:, :, None, 4] == np.where(ignored, -2 - labels, labels)[:, None, :]
    shared = np.where(same & (detections[:, :, None, 4] >= 0), _overlaps(detections, truths), 0.0)
    free = np.ones((len(overlaps), *labels.shape), bool)
    judged = np.zeros((len(overlaps), *detections.shape[:2]), np.int8)
    for turn in range(detections.shape[1]):
        enough = free & (shared[:, turn] >= overlaps[:, None, None])
        # Any truth that counts comes before the ignored ones.
        rank = np.where(enough, shared[:, turn] + 2.0 * ~ignored, 0.0)
        best = rank.argmax(-1)[..., None]
        found = np.take_along_axis(rank, best, -1) > 0
        np.put_along_axis(free, best, np.take_along_axis(free, best, -1) & ~found, -1)
        neither = np.take_along_axis(np.broadcast_to(ignored, free.shape), best, -1)
        judged[:, :, turn] = np.where(found, np.where(neither, -1, 1), 0)[..., 0]
    return judged


def _overlaps(boxes: Array, others: Array) -> Array:
    """Intersection over union of all pairs, `(images, a, b)`, of boxes `(images, a, 4 or more)`, in float64."""
    import numpy as np

    boxes, others = (each[..., :4].astype(np.float64) for each in (boxes, others))
    first, second = boxes[:, :, None], others[:, None]
    low, high = np.maximum(first[..., :2], second[..., :2]), np.minimum(first[..., 2:], second[..., 2:])
    shared = np.prod(np.maximum(high - low, 0), axis=-1)
    sizes = [np.prod(each[..., 2:] - each[..., :2], axis=-1) for each in (first, second)]
    both = sizes[0] + sizes[1] - shared
    found: Array = np.divide(shared, both, out=np.zeros_like(shared), where=both > 0)
    return found
