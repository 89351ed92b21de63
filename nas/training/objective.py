"""What a step of training minimizes: the head's loss, with weights of classes, and of mixed images."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, final

import numpy as np
import numpy.typing as npt

from nas.architecture.keras_types import KerasLoss, Tensor
from nas.config import TrainingConfig

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
    """

    def __init__(self, head: Head, training: TrainingConfig, data: DatasetSpec) -> None:
        self.head, self.smoothing = head, training.label_smoothing
        self.weights = weights_of_classes(training, data)
        self.mixes = bool(training.augmentation.mixup or training.augmentation.cutmix)
        self.is_plain = self.weights is None and not self.mixes and not self.smoothing

    def __call__(self, targets: Tensor, outputs: Tensor) -> Tensor:
        """What is minimized: a number an example, `(batch,)`."""
        if not self.mixes:
            return self._of(targets, outputs)
        own, other, share = targets[:, 0], targets[:, 1], targets[:, 2]
        return share * self._of(own, outputs) + (1 - share) * self._of(other, outputs)

    def recorded(self, targets: Tensor, outputs: Tensor) -> Tensor:
        """The plain loss on the images' own targets, comparable between settings: `(batch,)`."""
        return self.head.loss(self.own(targets), outputs, label_smoothing=0.0)

    def own(self, targets: Tensor) -> Tensor:
        """The targets of images, of mixed ones that of the larger share."""
        return targets[:, 0] if self.mixes else targets

    def keras_loss(self) -> KerasLoss:
        """The same for `compile`."""
        if self.weights is None and not self.mixes:
            return self.head.keras_loss(label_smoothing=self.smoothing)
        import keras

        objective = self

        class Loss(keras.losses.Loss):  # type: ignore[misc]
            def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
                return objective(y_true, y_pred)

        return Loss()

    def _of(self, targets: Tensor, outputs: Tensor) -> Tensor:
        losses: Any = self.head.loss(targets, outputs, label_smoothing=self.smoothing)
        if self.weights is None:
            return losses
        from keras import ops

        return losses * ops.take(ops.convert_to_tensor(self.weights), ops.cast(targets, "int32"))
