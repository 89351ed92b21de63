"""What a head is: the block that ends a network, and knows what the network's output means."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from nas.architecture.blocks.base import Block
from nas.architecture.keras_types import KerasLoss, Tensor


@dataclass(frozen=True, kw_only=True, slots=True)
class Head(Block):
    """A block that ends a network. Its kinds hold their layers, their loss and how outputs become answers."""

    is_head: ClassVar[bool] = True
    task: ClassVar[str]
    """Name of the task, in `nas.tasks.TASKS`."""
    takes_skips: ClassVar[bool] = False
    """Whether it reads `graph.skips`."""

    @abstractmethod
    def loss(self, targets: Tensor, outputs: Tensor, *, label_smoothing: float) -> Tensor:
        """What training minimizes: a number an example, `(batch,)`, by `keras.ops`.

        Args:
            targets: of the task; as float32 within Keras' `fit`.
            outputs: float32, of the network.
            label_smoothing: share of a target that is spread over all classes, in [0, 1). With 0, this is the loss that
                is recorded.
        """

    @abstractmethod
    def answers(self, outputs: Tensor) -> Tensor:
        """The task's answers from the network's outputs, by `keras.ops` that a saved Keras model can hold."""

    def keras_loss(self, *, label_smoothing: float) -> KerasLoss:
        """The mean of `loss` for `compile`, where a plain function would get targets of one channel without it."""
        import keras

        head = self

        class Loss(keras.losses.Loss):  # type: ignore[misc]
            def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
                return head.loss(y_true, y_pred, label_smoothing=label_smoothing)

        return Loss()
