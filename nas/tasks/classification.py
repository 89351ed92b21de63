"""Which one of several classes an image belongs to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, final

from nas.architecture.keras_types import KerasMetric, Tensor
from nas.objectives import Score
from nas.tasks.base import Agreement, Breakdown, Framing, Movement, TargetError, Task, register
from nas.tasks.confusion import balanced_accuracy, breakdown, confusion, macro_f1
from nas.tasks.labels import check_names
from nas.tasks.probabilities import compare
from nas.tasks.tiles import tiles

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Array = npt.NDArray[Any]


BALANCED = Score(name="balanced_accuracy", heading="balanced accuracy")
TOP = 5

F1 = Score(name="f1", heading="F1")
TOP5 = Score(name="top5_accuracy", heading="top-5 accuracy", is_share=True)


@final
@register
class Classification(Task):
    """Targets are int64 `(n,)`, answers float32 class probabilities `(n, classes)`; the score is accuracy.

    Where classes are of different sizes, balanced accuracy (the mean share of each class that is recognized) and F1
    (macro: the mean over classes of the harmonic mean of precision and recall) count each class alike. Both leave out
    classes that a split has none of.
    """

    name = "classification"
    score = Score(name="accuracy", heading="accuracy", is_share=True)
    others = (BALANCED, F1, TOP5)
    follows = frozenset({"flip", "shift", "rotation", "zoom", "mixup", "cutmix"})
    answer = "probabilities"

    def check_labels(self, labels: Sequence[str], data: str) -> None:
        check_names(labels, data, fewest=2)

    def check_targets(
        self, targets: Array, labels: Sequence[str], data: str, *, input_shape: tuple[int, int, int]
    ) -> None:
        del input_shape  # a class has no place
        if targets.dtype != "int64" or targets.ndim != 1:
            raise TargetError(f"labels must be int64 (n,); {data} has {targets.dtype} {targets.shape}")
        low, high = int(targets.min()), int(targets.max())
        if low < 0 or high >= len(labels):
            raise TargetError(f"labels must lie in 0..{len(labels) - 1}; {data} has {low}..{high}")

    def chance(self, labels: Sequence[str], score: Score | None = None) -> float:
        if score != TOP5:
            return 1 / len(labels)
        if len(labels) <= TOP:
            raise TargetError(f"{TOP5.objective} needs more than {TOP} classes; the data have {len(labels)}")
        return TOP / len(labels)

    def described(self, labels: Sequence[str]) -> str:
        return f"{len(labels)} classes"

    def strata(self, targets: Array) -> npt.NDArray[np.int64]:
        return targets

    def lacking(self, targets: Array, labels: Sequence[str]) -> str:
        absent = sorted(set(range(len(labels))) - set(targets.tolist()))
        if not absent:
            return ""
        some = ", ".join(repr(labels[label]) for label in absent[:3]) + ", ..." * (len(absent) > 3)
        return f"{len(absent)} of the {len(labels)} classes ({some})"

    def move(self, targets: Tensor, movement: Movement) -> Tensor:
        import tensorflow as tf  # of which the stream of batches is made, whatever trains

        if movement.share is None:
            return targets  # a class has no place
        both = (targets, tf.gather(targets, movement.partner), movement.share)
        return tf.stack([tf.cast(each, tf.float32) for each in both], axis=-1)

    def resize(self, targets: Array, shape: tuple[int, int], framing: Framing) -> Array:
        del shape, framing  # they change no class
        return targets

    def evidence(self, targets: Tensor, answers: Tensor) -> Tensor:
        """The class, the class of the largest probability, and how many are larger than that of the class:
        `(batch, 3)`.
        """
        from keras import ops

        classes = ops.cast(targets, "int32")
        # Fewer operations than a gather, which is traced anew for each network.
        own = ops.sum(answers * ops.one_hot(classes, answers.shape[-1]), axis=-1, keepdims=True)
        larger = ops.sum(ops.cast(ops.greater(answers, own), "float32"), axis=-1)
        largest = ops.argmax(answers, axis=-1)
        return ops.stack([ops.cast(classes, "float32"), ops.cast(largest, "float32"), larger], axis=-1)

    def score_of(self, evidence: Array, score: Score | None = None) -> float:
        if score == BALANCED:
            return balanced_accuracy(confusion(evidence))
        if score == F1:
            return macro_f1(confusion(evidence))
        if score == TOP5:
            return float((evidence[:, 2] < TOP).sum()) / len(evidence)
        return float((evidence[:, 0] == evidence[:, 1]).sum()) / len(evidence)

    def breakdown(self, evidence: Array, labels: Sequence[str]) -> Breakdown:
        return breakdown(confusion(evidence, len(labels)), labels)

    def keras_metric(self, answers: Callable[[Tensor], Tensor]) -> KerasMetric:
        """Keras' own: a model that is saved with it opens without this package."""
        import keras

        del answers  # the largest output is the largest probability
        return keras.metrics.SparseCategoricalAccuracy(name=self.score.name)

    def check_answers(self, shape: tuple[int | None, ...], labels: Sequence[str]) -> str:
        if shape == (len(labels),):
            return ""
        return f"must return {len(labels)} numbers, one a class; its output is {shape}"

    def served(self, answers: Tensor) -> dict[str, Tensor]:
        return {self.answer: answers}

    def compare(self, expected: Array, received: Array, *, tolerance: float) -> Agreement:
        return compare(expected, received, tolerance=tolerance, of="image")

    def caption(self, target: Array, labels: Sequence[str]) -> str:
        """The name of the image's class."""
        return labels[int(target)]

    def picture(self, images: npt.NDArray[np.uint8], targets: Array, answers: Array, labels: Sequence[str]) -> str:
        captions = []
        for target, answer in zip(targets, answers, strict=True):
            best = int(answer.argmax())
            wrong = "" if best == target else f", is {labels[int(target)]}"
            captions.append((f"{labels[best]} {answer[best]:.0%}{wrong}", not wrong))
        return tiles(images, captions)
