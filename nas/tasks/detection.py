"""Where the objects of an image are, and what they are."""

from __future__ import annotations

import html
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, final

from nas.architecture.keras_types import KerasMetric, Tensor
from nas.objectives import Score
from nas.tasks.average_precision import COCO_OVERLAPS, mean_average_precision, verdicts
from nas.tasks.base import Agreement, Breakdown, Framing, Movement, TargetError, Task, register
from nas.tasks.binned_precision import make_binned_precision
from nas.tasks.labels import check_names
from nas.tasks.precision_recall import breakdown
from nas.tasks.suppression import DETECTIONS, as_served, suppressed
from nas.tasks.tiles import tiles

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Array = npt.NDArray[Any]

LEFT = 0.25
"""Share of a box that must still be in a moved image for the box to stay."""

COCO = Score(name="coco_map", heading="COCO mAP")

SHOWN = 0.3
"""Score from which a picture shows a detection."""

_TRUE, _RIGHT, _WRONG = 'stroke="#ffd166" stroke-dasharray="2 2"', 'stroke="#2ec4b6"', 'stroke="#ff4d5e"'
"""Of the boxes in a picture."""


@final
@register
class Detection(Task):
    """Targets are float32 `(n, most, 5)`: ymin, xmin, ymax, xmax in [0, 1], and the class.

    A row of class -1 is no box. Class -2 - c is a box of class c that is no object to be learned and counts neither as
    found nor as missed, such as VOC's difficult ones.

    Answers are candidates, float32 `(n, k, 4 + classes)`: a box, cut at the image's border, and a score in [0, 1] for
    each class. They change with the network's outputs without jumps, so exports are compared on them. Detections are
    what `nas.tasks.suppression` leaves of them.

    The score is mAP@50, the mean over classes of the average precision where a detection needs an intersection over
    union of 0.5 with its object. It is what small networks are compared by; COCO's mean over stricter overlaps measures
    chiefly how exact the borders are, which maps of few cells cannot be. `val_coco_map` is that mean, for searches that
    want it.
    """

    name = "detection"
    score = Score(name="map", heading="mAP@50")
    others = (COCO,)
    answer = "candidates"
    is_pictured = True

    def check_labels(self, labels: Sequence[str], data: str) -> None:
        check_names(labels, data, fewest=1)

    def check_targets(
        self, targets: Array, labels: Sequence[str], data: str, *, input_shape: tuple[int, int, int]
    ) -> None:
        import numpy as np

        del input_shape  # boxes are relative to it
        if targets.dtype != "float32" or targets.ndim != 3 or targets.shape[2] != 5 or not targets.shape[1]:
            raise TargetError(f"boxes must be float32 (n, most, 5); {data} has {targets.dtype} {targets.shape}")
        classes = targets[..., 4]
        # Written so that what is not a number fails too.
        if not ((classes == np.round(classes)) & (classes >= -1 - len(labels)) & (classes < len(labels))).all():
            raise TargetError(
                f"a box's class must be a whole number in 0..{len(labels) - 1}, -1 for no box, or -2 - class for one "
                f"that is ignored; {data} has {classes.min():g}..{classes.max():g}"
            )
        boxes = targets[..., :4]
        right = (boxes >= 0).all(-1) & (boxes <= 1).all(-1) & (boxes[..., :2] < boxes[..., 2:]).all(-1)
        if (wrong := np.argwhere(~right & (classes != -1))).size:
            image, row = wrong[0]
            sides = ", ".join(f"{side:g}" for side in boxes[image, row])
            raise TargetError(
                f"a box must be ymin, xmin, ymax, xmax as shares of the image's height and width, in [0, 1], each min "
                f"below its max; {data} has ({sides}) in row {row} of image {image}; divide pixels by the image's "
                f"size, and cut boxes at its border"
            )

    def chance(self, labels: Sequence[str], score: Score | None = None) -> float:
        """Nothing: no box that is drawn blindly is right."""
        return 0.0

    def described(self, labels: Sequence[str]) -> str:
        return f"boxes of {len(labels)} class{'es' * (len(labels) > 1)}"

    def strata(self, targets: Array) -> npt.NDArray[np.int64]:
        """Of each image the rarest of its classes, as each split should have some of each; without a box, -1."""
        import numpy as np

        classes = targets[..., 4].astype(np.int64)
        kinds = np.arange(max(classes.max(initial=0), 0) + 1)
        images_with = (classes[..., None] == kinds).any(axis=1)
        counts = np.where(images_with, images_with.sum(axis=0), len(targets) + 1)
        return np.where(images_with.any(axis=1), counts.argmin(axis=1), -1)

    def lacking(self, targets: Array, labels: Sequence[str]) -> str:
        absent = sorted(set(range(len(labels))) - set(targets[..., 4].ravel().tolist()))
        if not absent:
            return ""
        some = ", ".join(repr(labels[label]) for label in absent[:3]) + ", ..." * (len(absent) > 3)
        return f"boxes of {len(absent)} of the {len(labels)} classes ({some})"

    def move(self, targets: Tensor, movement: Movement) -> Tensor:
        """Boxes move with their images and are cut at the border; those of which little is left are dropped."""
        import tensorflow as tf

        sides = tf.constant([movement.height, movement.width] * 2, tf.float32)
        boxes, classes = targets[..., :4], targets[..., 4:]
        if movement.flipped is not None:
            top, left, bottom, right = tf.unstack(boxes, axis=-1)
            flipped = tf.stack([top, 1 - right, bottom, 1 - left], axis=-1)
            boxes = tf.where(movement.flipped[:, None, None], flipped, boxes)
        if movement.down is not None:
            by = tf.cast(tf.stack([movement.down, movement.right] * 2, axis=-1), tf.float32)
            boxes += (by / sides)[:, None]
        inside = tf.clip_by_value(boxes, 0.0, 1.0)
        before, after = (tf.reduce_prod(each[..., 2:] - each[..., :2], axis=-1) for each in (boxes, inside))
        gone = (after < LEFT * before) | tf.equal(classes[..., 0], -1)
        return tf.where(gone[..., None], -1.0, tf.concat([inside, classes], axis=-1))

    def resize(self, targets: Array, shape: tuple[int, int], framing: Framing) -> Array:
        """Boxes in shares of what is shown, cut at its border; those of which little is left are dropped."""
        import numpy as np

        corner = np.array([framing.top, framing.left] * 2)
        shown = np.array([framing.bottom - framing.top, framing.right - framing.left] * 2)
        boxes = (targets[..., :4] * np.array([*shape, *shape]) - corner) / shown
        inside = boxes.clip(0, 1)
        before, after = ((each[..., 2:] - each[..., :2]).prod(axis=-1) for each in (boxes, inside))
        gone = (after < LEFT * before) | (targets[..., 4] == -1)
        made = np.concatenate([inside, targets[..., 4:]], axis=-1)
        return np.where(gone[..., None], -1, made).astype(np.float32)

    def evidence(self, targets: Tensor, answers: Tensor) -> Tensor:
        """Detections, then the truths with a column of zeros: `(batch, DETECTIONS + most, 6)`."""
        from keras import ops

        truths = ops.pad(ops.cast(targets, "float32"), [[0, 0], [0, 0], [0, 1]])
        return ops.concatenate([suppressed(answers), truths], axis=1)

    def score_of(self, evidence: Array, score: Score | None = None) -> float:
        detections, truths = evidence[:, :DETECTIONS], evidence[:, DETECTIONS:, :5]
        if score == COCO:
            return mean_average_precision(detections, truths, COCO_OVERLAPS)
        return mean_average_precision(detections, truths)

    def breakdown(self, evidence: Array, labels: Sequence[str]) -> Breakdown:
        return breakdown(evidence[:, :DETECTIONS], evidence[:, DETECTIONS:, :5], labels)

    def keras_metric(self, answers: Callable[[Tensor], Tensor]) -> KerasMetric:
        """`val_map` to two digits or three: scores are counted in bins, because Keras keeps no detections."""
        return make_binned_precision(self.score.name, answers)

    def check_answers(self, shape: tuple[int | None, ...], labels: Sequence[str]) -> str:
        if len(shape) == 2 and shape[0] and shape[1] == 4 + len(labels):
            return ""
        return (
            f"must return candidates (k, {4 + len(labels)}): ymin, xmin, ymax, xmax, and a score for each of the "
            f"{len(labels)} classes; its output is {shape}"
        )

    def served(self, answers: Tensor) -> dict[str, Tensor]:
        """What `suppressed` leaves of the candidates, by falling score, as `as_served` names it."""
        return as_served(suppressed(answers))

    def compare(self, expected: Array, received: Array, *, tolerance: float) -> Agreement:
        """Candidate by candidate: all numbers are sigmoids, or products of them, and lie in [0, 1]."""
        import numpy as np

        difference = float(np.abs(expected - received).max())
        # Written so that a difference that is not a number fails too.
        if difference <= tolerance:
            return Agreement(largest_difference=difference)
        problem = f"boxes or scores differ by up to {difference:.2g} ({tolerance:.2g} allowed)"
        return Agreement(largest_difference=difference, problem=problem)

    def marked(
        self, images: npt.NDArray[np.uint8], targets: Array, labels: Sequence[str]
    ) -> tuple[npt.NDArray[np.uint8], list[str]]:
        """The boxes dashed, with their classes' names as tooltips; those that are ignored are left out."""
        sides = [*images.shape[1:3]] * 2
        return images, [
            "".join(_rectangle(box[:4] * sides, labels[int(box[4])], _TRUE) for box in boxes if box[4] >= 0)
            for boxes in targets
        ]

    def picture(self, images: npt.NDArray[np.uint8], targets: Array, answers: Array, labels: Sequence[str]) -> str:
        """True boxes dashed; detections of a score of `SHOWN` and more green if they are right, else red and named."""
        import numpy as np

        found = np.array(suppressed(answers))
        found[found[..., 5] < SHOWN, 4] = -1
        right = verdicts(found, targets, np.array([0.5]))[0] == 1
        captions, marks = [], []
        sides = [*images.shape[1:3]] * 2
        _, truths = self.marked(images, targets, labels)
        for truth, target, detected, hits in zip(truths, targets, found, right, strict=True):
            drawn, wrong, objects = [truth], 0, int((target[:, 4] >= 0).sum())
            for box, hit in zip(detected, hits, strict=True):
                if box[4] >= 0:
                    name = labels[int(box[4])]
                    drawn.append(_rectangle(box[:4] * sides, f"{name} {box[5]:.0%}", _RIGHT if hit else _WRONG))
                    if not hit:
                        wrong += 1
                        drawn.append(_name(name, box[:2] * sides[:2], sides[0]))
            caption = f"{hits.sum()}/{objects}" + f", {wrong} wrong" * (wrong > 0)
            captions.append((caption, int(hits.sum()) == objects and not wrong))
            marks.append("".join(drawn))
        return tiles(images, captions, marks)


def _rectangle(box: Array, title: str, style: str) -> str:
    top, left, bottom, right = box
    return (
        f'<rect x="{left:.2f}" y="{top:.2f}" width="{right - left:.2f}" height="{bottom - top:.2f}" fill="none" '
        f'vector-effect="non-scaling-stroke" {style}><title>{html.escape(title)}</title></rect>'
    )


def _name(name: str, corner: Array, height: int) -> str:
    """Above the box, or within it at the image's upper edge."""
    size = height / 8
    y = max(corner[0] - size / 8, size)
    return f'<text x="{corner[1]:.2f}" y="{y:.2f}" font-size="{size:.2f}" fill="#ff4d5e">{html.escape(name)}</text>'
