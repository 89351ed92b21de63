"""mAP@50 as a metric of Keras, for training loops that are not ours."""

from __future__ import annotations

from collections.abc import Callable

from nas.architecture.keras_types import KerasMetric, Tensor
from nas.tasks.suppression import DETECTIONS, suppressed

BINS = 500
"""Of scores. In a bin, wrong detections count as if they came together with the right ones, not before or after."""


def make_binned_precision(name: str, answers: Callable[[Tensor], Tensor]) -> KerasMetric:
    """A `keras.metrics.Metric` of (targets, outputs) that counts right and wrong detections by class and score.

    Args:
        name: of the metric.
        answers: of a head: decodes outputs into candidates.
    """
    import keras
    import numpy as np
    from keras import ops

    class BinnedPrecision(keras.metrics.Metric):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__(name=name)
            self.counts: Tensor = None
            self.truths: Tensor = None

        def update_state(self, y_true: Tensor, y_pred: Tensor, sample_weight: Tensor | None = None) -> None:
            del sample_weight
            candidates, truths = answers(y_pred), ops.cast(y_true, "float32")
            classes = candidates.shape[-1] - 4
            if self.counts is None:
                self.counts = self.add_variable((2, classes, BINS), "zeros", name="counts")
                self.truths = self.add_variable((classes,), "zeros", name="truths")
            found = suppressed(candidates)
            # -1, of no detection and no truth, is no class and adds nothing.
            kinds = ops.one_hot(ops.cast(found[..., 4], "int32"), classes)
            bins = ops.one_hot(ops.cast(ops.minimum(found[..., 5] * BINS, BINS - 1), "int32"), BINS)
            counts = ops.stack([ops.einsum("nd,ndc,ndb->cb", each, kinds, bins) for each in _right(found, truths)])
            self.counts.assign_add(counts)
            self.truths.assign_add(ops.sum(ops.one_hot(ops.cast(truths[..., 4], "int32"), classes), axis=(0, 1)))

        def result(self) -> Tensor:
            if self.counts is None:
                return ops.zeros(())
            above = ops.cumsum(ops.flip(self.counts, axis=-1), axis=-1)
            right, wrong = above[0], above[1]
            precision = right / ops.maximum(right + wrong, 1)
            recall = right / ops.maximum(self.truths, 1)[:, None]
            reached = recall[..., None] >= np.linspace(0, 1, 101, dtype=np.float32)
            averages = ops.mean(ops.max(ops.where(reached, precision[..., None], 0.0), axis=1), axis=-1)
            there = ops.cast(self.truths > 0, "float32")
            return ops.sum(averages * there) / ops.maximum(ops.sum(there), 1)

    return BinnedPrecision()


def _right(found: Tensor, truths: Tensor) -> tuple[Tensor, Tensor]:
    """Whether a detection is right, and whether it is wrong, `(batch, d)` each: `average_precision.verdicts`."""
    from keras import ops
    from keras.utils.bounding_boxes import compute_iou

    labels, ignored = truths[..., 4], ops.cast(truths[..., 4] < -1, "float32")
    same = ops.equal(found[:, :, None, 4], ops.where(labels < -1, -2 - labels, labels)[:, None, :])
    same = ops.logical_and(same, found[:, :, None, 4] >= 0)
    shared = ops.where(same, compute_iou(found[..., :4], truths[..., :4], "yxyx"), 0.0)
    free, right, wrong = ops.ones_like(labels), [], []
    for turn in range(DETECTIONS):
        rank = ops.where(shared[:, turn] >= 0.5, shared[:, turn] + 2.0 * (1 - ignored), 0.0) * free
        best = ops.one_hot(ops.argmax(rank, axis=-1), rank.shape[-1])
        taken = best * ops.cast(ops.max(rank, axis=-1, keepdims=True) > 0, "float32")
        free = free - taken
        right.append(ops.sum(taken * (1 - ignored), axis=-1))
        wrong.append(1 - ops.sum(taken, axis=-1))
    return ops.stack(right, axis=-1), ops.stack(wrong, axis=-1)
