"""Which class each pixel of an image belongs to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, final

from nas.architecture.keras_types import KerasMetric, Tensor
from nas.architecture.pixel_loss import IGNORED
from nas.objectives import Score
from nas.tasks.base import Agreement, Breakdown, Framing, Movement, TargetError, Task, register
from nas.tasks.labels import check_names
from nas.tasks.overlap_by_class import breakdown
from nas.tasks.overlay import overlaid
from nas.tasks.probabilities import compare
from nas.tasks.tiles import tiles

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Array = npt.NDArray[Any]

MOST_CLASSES = IGNORED
"""Masks are uint8."""


@final
@register
class Segmentation(Task):
    """Targets are masks, uint8 `(n, height, width)`, a class a pixel or 255, which is ignored.

    Answers are float32 class probabilities `(n, height, width, classes)`. The score is mean IoU: of each class the
    pixels that are rightly of it, divided by those that are of it by mask or answer, over the whole split; then the
    mean over the classes that occur in a mask or an answer (as in PASCAL VOC's and Long et al.'s evaluation).
    """

    name = "segmentation"
    score = Score(name="miou", heading="mean IoU")
    answer = "probabilities"
    is_pictured = True
    is_sized = True

    def check_labels(self, labels: Sequence[str], data: str) -> None:
        check_names(labels, data, fewest=2)
        if len(labels) > MOST_CLASSES:
            raise TargetError(f"masks tell at most {MOST_CLASSES} classes apart; {data} has {len(labels):,}")

    def check_targets(
        self, targets: Array, labels: Sequence[str], data: str, *, input_shape: tuple[int, int, int]
    ) -> None:
        if targets.dtype != "uint8" or targets.shape[1:] != input_shape[:2]:
            height, width, _ = input_shape
            raise TargetError(
                f"masks must be uint8 (n, {height}, {width}), as large as the images; {data} has {targets.dtype} "
                f"{targets.shape}"
            )
        import numpy as np

        values = np.flatnonzero(np.bincount(targets.reshape(-1), minlength=256))
        if values[0] == IGNORED:
            raise TargetError(f"masks must show a class somewhere; {data} has nothing but {IGNORED}, which is ignored")
        if wrong := [int(value) for value in values if len(labels) <= value < IGNORED]:
            raise TargetError(
                f"masks must hold 0..{len(labels) - 1}, or {IGNORED} for pixels to ignore; {data} has {wrong[0]}"
            )

    def chance(self, labels: Sequence[str], score: Score | None = None) -> float:
        """No mask of a single class has more than this: its own IoU, and 0 for each of the others."""
        return 1 / len(labels)

    def described(self, labels: Sequence[str]) -> str:
        return f"masks of {len(labels)} classes"

    def strata(self, targets: Array) -> npt.NDArray[np.int64]:
        """Of the classes in an image, the one that is in the fewest images: rare ones reach every split."""
        import numpy as np

        present = _present(targets, MOST_CLASSES)
        images = np.where(present, present.sum(axis=0), len(targets) + 1)
        strata: npt.NDArray[np.int64] = images.argmin(axis=1).astype(np.int64)
        return strata

    def lacking(self, targets: Array, labels: Sequence[str]) -> str:
        import numpy as np

        there = np.flatnonzero(_present(targets, len(labels)).any(axis=0)).tolist()
        absent = [label for number, label in enumerate(labels) if number not in there]
        if not absent:
            return ""
        some = ", ".join(map(repr, absent[:3])) + ", ..." * (len(absent) > 3)
        return f"{len(absent)} of the {len(labels)} classes ({some})"

    def move(self, targets: Tensor, movement: Movement) -> Tensor:
        """Masks flipped and shifted as their images; what is shifted in is ignored."""
        import tensorflow as tf

        if movement.flipped is not None:
            targets = tf.where(movement.flipped[:, None, None], tf.reverse(targets, axis=[2]), targets)
        if movement.down is not None and movement.right is not None:
            rows = tf.range(movement.height) - movement.down[:, None]
            columns = tf.range(movement.width) - movement.right[:, None]
            inside = ((rows >= 0) & (rows < movement.height))[:, :, None]
            inside &= ((columns >= 0) & (columns < movement.width))[:, None, :]
            targets = tf.gather(targets, tf.clip_by_value(rows, 0, movement.height - 1), axis=1, batch_dims=1)
            targets = tf.gather(targets, tf.clip_by_value(columns, 0, movement.width - 1), axis=2, batch_dims=1)
            targets = tf.where(inside, targets, tf.constant(IGNORED, targets.dtype))
        return targets

    def resize(self, targets: Array, shape: tuple[int, int], framing: Framing) -> Array:
        """The nearest pixel's class; what was padded is ignored."""
        import numpy as np

        rows = _sampled(framing.top, framing.bottom, framing.height)
        columns = _sampled(framing.left, framing.right, framing.width)
        inside = ((rows >= 0) & (rows < shape[0]))[:, None] & ((columns >= 0) & (columns < shape[1]))
        taken = targets[:, rows.clip(0, shape[0] - 1)][:, :, columns.clip(0, shape[1] - 1)]
        return np.where(inside, taken, np.uint8(IGNORED))

    def evidence(self, targets: Tensor, answers: Tensor) -> Tensor:
        """Pixels rightly of each class, of it by answer, and of it by mask: `(batch, 3, classes)`."""
        from keras import ops

        targets = ops.cast(targets, "int32")
        # An ignored pixel is of class -1, which has no place in a one-hot row.
        targets = ops.where(targets == IGNORED, -1, targets)
        classes = answers.shape[-1]
        true = ops.one_hot(targets, classes, dtype="float32")
        predicted = ops.one_hot(ops.where(targets < 0, -1, ops.argmax(answers, axis=-1)), classes, dtype="float32")
        return ops.stack([ops.sum(each, axis=(1, 2)) for each in (true * predicted, predicted, true)], axis=1)

    def score_of(self, evidence: Array, score: Score | None = None) -> float:
        del score  # there is no other
        right, predicted, true = evidence.sum(axis=0, dtype="float64")
        union = predicted + true - right
        return float((right[union > 0] / union[union > 0]).mean()) if union.any() else 0.0

    def breakdown(self, evidence: Array, labels: Sequence[str]) -> Breakdown:
        return breakdown(evidence, labels)

    def keras_metric(self, answers: Callable[[Tensor], Tensor]) -> KerasMetric:
        import keras
        from keras import ops

        task = self

        class MeanIoU(keras.metrics.Metric):  # type: ignore[misc]
            """Keras' own must be told how many classes there are; an epoch's answers say so."""

            def __init__(self) -> None:
                super().__init__(name=task.score.name)
                self.counts = self.add_variable((3, MOST_CLASSES), "zeros", name="counts")

            def update_state(self, y_true: Tensor, y_pred: Tensor, sample_weight: Tensor | None = None) -> None:
                del sample_weight  # pixels are ignored by their class
                found = ops.sum(task.evidence(y_true, answers(y_pred)), axis=0)
                self.counts.assign_add(ops.pad(found, [[0, 0], [0, MOST_CLASSES - found.shape[1]]]))

            def result(self) -> Tensor:
                right, predicted, true = ops.unstack(self.counts)
                union = predicted + true - right
                seen = ops.sum(ops.cast(union > 0, "float32"))
                return ops.sum(right / ops.maximum(union, 1.0)) / ops.maximum(seen, 1.0)

        return MeanIoU()

    def check_answers(self, shape: tuple[int | None, ...], labels: Sequence[str]) -> str:
        if len(shape) == 3 and shape[-1] == len(labels):
            return ""
        return f"must return {len(labels)} numbers a pixel, one a class; its output is {shape}"

    def served(self, answers: Tensor) -> dict[str, Tensor]:
        """The most probable class of each pixel, uint8 `(n, height, width)`."""
        from keras import ops

        return {"mask": ops.cast(ops.argmax(answers, axis=-1), "uint8")}

    def compare(self, expected: Array, received: Array, *, tolerance: float) -> Agreement:
        """As probabilities of images are compared, pixel by pixel."""
        before, after = (each.reshape(-1, each.shape[-1]) for each in (expected, received))
        return compare(before, after, tolerance=tolerance, of="pixel")

    def marked(
        self, images: npt.NDArray[np.uint8], targets: Array, labels: Sequence[str]
    ) -> tuple[npt.NDArray[np.uint8], list[str]]:
        """Each image under its mask."""
        import numpy as np

        del labels
        return np.stack([overlaid(*each) for each in zip(images, targets, strict=True)]), [""] * len(images)

    def picture(self, images: npt.NDArray[np.uint8], targets: Array, answers: Array, labels: Sequence[str]) -> str:
        """Each image twice, under its true mask and under the answer."""
        import numpy as np

        shown, captions = [], []
        for image, target, answer in zip(images, targets, answers, strict=True):
            found = answer.argmax(axis=-1).astype(np.uint8)
            score = self.score_of(np.asarray(self.evidence(target[None], answer[None])))
            shown += [overlaid(image, target), overlaid(image, np.where(target == IGNORED, target, found))]
            captions += [("truth", True), (f"mean IoU {score:.2f}", score >= 0.5)]
        return tiles(np.stack(shown), captions)


def _present(masks: Array, classes: int) -> npt.NDArray[np.bool_]:
    """Which of the classes are in which mask: `(n, classes)`."""
    import numpy as np

    present = np.zeros((len(masks), 256), np.bool_)
    present[np.arange(len(masks))[:, None], masks.reshape(len(masks), -1)] = True
    return present[:, :classes]


def _sampled(first: float, last: float, count: int) -> npt.NDArray[np.int64]:
    """The pixels below the centers of `count` pixels between two borders."""
    import numpy as np

    places: npt.NDArray[np.int64] = np.floor(first + (np.arange(count) + 0.5) * (last - first) / count).astype(np.int64)
    return places
