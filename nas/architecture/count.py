"""What a network costs, known before any TensorFlow object exists."""

from __future__ import annotations

from collections.abc import Iterable
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
        return total((self, other))


def total(counts: Iterable[Count]) -> Count:
    """Of consecutive parts."""
    trainable = non_trainable = macs = peak = 0
    for count in counts:
        trainable += count.trainable
        non_trainable += count.non_trainable
        macs += count.macs
        peak = max(peak, count.activation_bytes)
    return Count(trainable=trainable, non_trainable=non_trainable, macs=macs, activation_bytes=peak)


FREE = Count()
"""Of a layer without weights and multiply-adds."""
