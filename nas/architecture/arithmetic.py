"""Output sizes, weights and multiply-adds of the layers, as plain integer arithmetic.

Maps are `(height, width, channels)`, channels last, without the batch axis. A multiply-add (MAC) is one
multiplication and one addition; biases, normalization, activations and pooling count none, as in the literature.
"""

from __future__ import annotations

from typing import Literal

Shape = tuple[int, ...]
"""`(height, width, channels)` of one example's map, or `(units,)` of a vector."""

Padding = Literal["same", "valid"]


def same_padding(size: int, window: int, stride: int) -> tuple[int, int]:
    """Zeros before and after one axis under "same" padding: the output has ceil(size / stride) positions.

    >>> same_padding(8, window=3, stride=1), same_padding(8, window=3, stride=2), same_padding(8, window=2, stride=2)
    ((1, 1), (0, 1), (0, 0))
    """
    total = max((-(-size // stride) - 1) * stride + window - size, 0)
    return total // 2, total - total // 2


def padded(size: int, window: int, stride: int, padding: Padding) -> tuple[int, int]:
    """Zeros before and after one axis."""
    return same_padding(size, window, stride) if padding == "same" else (0, 0)


def positions(size: int, window: int, stride: int, pad: int = 0) -> int:
    """Positions of a window along one axis, floor((size - window + pad) / stride) + 1; below 1: it does not fit.

    `pad` is the sum of both sides.

    >>> positions(32, window=5, stride=1), positions(227, window=11, stride=4), positions(2, window=3, stride=1)
    (28, 55, 0)
    """
    return (size - window + pad) // stride + 1


def slide(size: int, window: int, stride: int, padding: Padding) -> int:
    """Positions of a window along one axis under a padding; below 1: it does not fit.

    >>> slide(32, window=3, stride=2, padding="same"), slide(32, window=3, stride=2, padding="valid")
    (16, 15)
    """
    return -(-size // stride) if padding == "same" else positions(size, window, stride)


def elements(shape: Shape) -> int:
    """Numbers in one example's tensor."""
    product = 1
    for size in shape:
        product *= size
    return product
