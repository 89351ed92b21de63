"""What a network costs, known before any TensorFlow object exists."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Count:
    """The cost of a layer, a block or a network; counts of consecutive parts add up.

    Attributes:
        trainable: weights that training changes.
        non_trainable: weights that it does not, such as the moving statistics of batch normalization.
        macs: multiply-adds of one example.
        activation_bytes: the most bytes of float32 maps that are alive at once for one example; the larger of the
            two in a sum. Normalization, activation, dropout and flattening work in place.
    """

    trainable: int = 0
    non_trainable: int = 0
    macs: int = 0
    activation_bytes: int = 0

    @property
    def parameters(self) -> int:
        """All weights, as `keras.Model.count_params()` counts them."""
        return self.trainable + self.non_trainable

    def __add__(self, other: Count) -> Count:
        return Count(
            trainable=self.trainable + other.trainable,
            non_trainable=self.non_trainable + other.non_trainable,
            macs=self.macs + other.macs,
            activation_bytes=max(self.activation_bytes, other.activation_bytes),
        )
