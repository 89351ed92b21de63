"""What a step of training minimizes: the head's loss, with weights of classes, and of mixed images."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, final

import numpy as np
import numpy.typing as npt

from nas.architecture.keras_types import KerasLoss, Tensor
from nas.config import TrainingConfig
from nas.training.distillation import Lesson
from nas.training.own import Own, each_image

if TYPE_CHECKING:
    from nas.architecture.blocks import Head
    from nas.datasets.spec import DatasetSpec


def weights_of_classes(training: TrainingConfig, data: DatasetSpec) -> npt.NDArray[np.float32] | None:
    """What an image of each class counts, 1 in the mean over the training images; None: all count alike."""
    if training.class_weights == "none":
        return None
    counts = np.bincount(data.train.targets, minlength=len(data.info.labels))
    if training.class_weights == "balanced":
        weights = 1.0 / np.maximum(counts, 1)
    else:
        weights = np.array([training.class_weights.get(label, 1.0) for label in data.info.labels])
    return np.asarray(weights * counts.sum() / (weights * counts).sum(), np.float32)


@final
class Objective:
    """The loss of a training.

    Args:
        head: whose loss it is.
        training: how.
        data: whose training images say how large classes are.
        lesson: of a teacher, whose answers then stand behind each target: `gather` puts them there.
        own: of the user, whose loss comes in place of the head's.
    """

    def __init__(
        self,
        head: Head,
        training: TrainingConfig,
        data: DatasetSpec,
        lesson: Lesson | None = None,
        own: Own | None = None,
    ) -> None:
        self.head, self.smoothing, self.lesson = head, training.label_smoothing, lesson
        self.own_loss = None if own is None else own.loss
        self.weights = weights_of_classes(training, data)
        self.mixes = bool(training.augmentation.mixup or training.augmentation.cutmix)
        self.is_packed = self.mixes or lesson is not None
        self.is_plain = self.weights is None and not self.is_packed and not self.smoothing

    def __call__(self, targets: Tensor, outputs: Tensor) -> Tensor:
        """What is minimized: a number an example, `(batch,)`."""
        losses = self._of(self.own(targets), outputs)
        if self.mixes:
            share = targets[:, 2]
            losses = share * losses + (1 - share) * self._of(targets[:, 1], outputs)
        if self.lesson is None:
            return losses
        weight, taught = self.lesson.weight, targets[:, 3 if self.mixes else 1 :]
        return (1 - weight) * losses + weight * self.lesson.loss(taught, outputs)

    def recorded(self, targets: Tensor, outputs: Tensor) -> Tensor:
        """The plain loss on the images' own targets, comparable between settings: `(batch,)`."""
        return self._plain(self.own(targets), outputs, smoothing=0.0)

    def own(self, targets: Tensor) -> Tensor:
        """The targets of images, of mixed ones that of the larger share."""
        return targets[:, 0] if self.is_packed else targets

    def like_a_batch(self, targets: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """An array with the shape and type that targets have in a batch of training."""
        if not self.is_packed:
            return targets
        columns = (3 if self.mixes else 1) + (0 if self.lesson is None else self.lesson.answers.shape[1])
        return np.zeros((len(targets), columns), np.float32)

    def keras_loss(self) -> KerasLoss:
        """The same for `compile`."""
        if self.weights is None and not self.is_packed and self.own_loss is None:
            return self.head.keras_loss(label_smoothing=self.smoothing)
        import keras

        objective = self

        class Loss(keras.losses.Loss):  # type: ignore[misc]
            def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
                return objective(y_true, y_pred)

        return Loss()

    def _of(self, targets: Tensor, outputs: Tensor) -> Tensor:
        losses = self._plain(targets, outputs, smoothing=self.smoothing)
        if self.weights is None:
            return losses
        from keras import ops

        return losses * ops.take(ops.convert_to_tensor(self.weights), ops.cast(targets, "int32"))

    def _plain(self, targets: Tensor, outputs: Tensor, *, smoothing: float) -> Tensor:
        """Whatever the classes weigh."""
        if self.own_loss is not None:
            return each_image(self.own_loss, targets, outputs)
        return self.head.loss(targets, outputs, label_smoothing=smoothing)
