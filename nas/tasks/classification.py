"""Which one of several classes an image belongs to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, final

from nas.architecture.keras_types import KerasMetric, Tensor
from nas.objectives import Score
from nas.tasks.base import Agreement, Framing, Movement, TargetError, Task, register
from nas.tasks.labels import check_names
from nas.tasks.probabilities import compare
from nas.tasks.tiles import tiles

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Array = npt.NDArray[Any]


@final
@register
class Classification(Task):
    """Targets are int64 `(n,)`, answers float32 class probabilities `(n, classes)`; the score is accuracy."""

    name = "classification"
    score = Score(name="accuracy", heading="accuracy")
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

    def chance(self, labels: Sequence[str]) -> float:
        return 1 / len(labels)

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
        del movement  # it changes no class
        return targets

    def resize(self, targets: Array, shape: tuple[int, int], framing: Framing) -> Array:
        del shape, framing  # they change no class
        return targets

    def evidence(self, targets: Tensor, answers: Tensor) -> Tensor:
        """1 for a right answer, else 0: `(batch,)`."""
        from keras import ops

        right = ops.equal(ops.argmax(answers, axis=-1), ops.cast(targets, "int32"))
        return ops.cast(right, "float32")

    def score_of(self, evidence: Array) -> float:
        return float(evidence.sum(dtype="float64")) / len(evidence)

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

    def picture(self, images: npt.NDArray[np.uint8], targets: Array, answers: Array, labels: Sequence[str]) -> str:
        captions = []
        for target, answer in zip(targets, answers, strict=True):
            best = int(answer.argmax())
            wrong = "" if best == target else f", is {labels[int(target)]}"
            captions.append((f"{labels[best]} {answer[best]:.0%}{wrong}", not wrong))
        return tiles(images, captions)
