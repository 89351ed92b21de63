"""Layers that Keras does not have, composed of its operations.

Each is a small model inside the model and not a class of our own, so that a saved network can be loaded by a program
that knows Keras only.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, final

from nas.architecture.arithmetic import Shape
from nas.architecture.layers import DoesNotFitError, Layer


@final
@dataclass(frozen=True, kw_only=True, slots=True)
class LocalResponseNormalization(Layer):
    """x / (offset + alpha * sum of x^2 over `size` neighboring channels) ^ beta, in float32 whatever the precision."""

    size: int
    offset: float
    alpha: float
    beta: float

    def output_shape(self, *inputs: Shape) -> Shape:
        (shape,) = inputs
        if len(shape) != 3:
            raise DoesNotFitError(f"local response normalization needs a map; received a vector of {shape[0]:,}")
        return shape

    def canonical(self, inputs: tuple[Shape, ...], output: Shape) -> tuple[Any, ...]:
        return "lrn", self.size, self.offset, self.alpha, self.beta

    def keras_layer(self, name: str, *, momentum: float) -> Any:
        from keras import ops

        def normalize(x: Any) -> Any:
            channels = x.shape[-1]
            wide = ops.cast(x, "float32")
            before = self.size // 2
            squares = ops.pad(ops.square(wide), ((0, 0), (0, 0), (0, 0), (before, self.size - 1 - before)))
            total = squares[..., :channels]
            for step in range(1, self.size):
                total = total + squares[..., step : step + channels]
            return ops.cast(wide * ops.power(self.offset + self.alpha * total, -self.beta), x.dtype)

        return _as_layer(normalize, name)


@final
@dataclass(frozen=True, kw_only=True, slots=True)
class AdaptivePool2D(Layer):
    """A map of any size pooled into `bins` x `bins`, which cover it and are of sizes as equal as possible.

    Bin i of n along a side of s pixels begins at floor(i * s / n) and ends before ceil((i + 1) * s / n); neighbors
    share a pixel where n does not divide s. (Keras' AdaptiveMaxPooling2D fails where n divides s.)
    """

    pool: Literal["max", "average"]
    bins: int

    def output_shape(self, *inputs: Shape) -> Shape:
        (shape,) = inputs
        if len(shape) != 3:
            raise DoesNotFitError(f"spatial pooling needs a map; received a vector of {shape[0]:,}")
        return self.bins, self.bins, shape[2]

    def edges(self, size: int) -> list[tuple[int, int]]:
        """First pixel of each bin along a side, and the one behind its last.

        >>> AdaptivePool2D(pool="max", bins=3).edges(7)
        [(0, 3), (2, 5), (4, 7)]
        """
        return [(i * size // self.bins, -(-(i + 1) * size // self.bins)) for i in range(self.bins)]

    def canonical(self, inputs: tuple[Shape, ...], output: Shape) -> tuple[Any, ...]:
        return "adaptive", self.pool, self.bins

    def keras_layer(self, name: str, *, momentum: float) -> Any:
        from keras import ops

        reduce = ops.max if self.pool == "max" else ops.mean

        def pool(x: Any) -> Any:
            _, height, width, _ = x.shape
            x = ops.stack([reduce(x[:, a:b], axis=1) for a, b in self.edges(height)], axis=1)
            return ops.stack([reduce(x[:, :, a:b], axis=2) for a, b in self.edges(width)], axis=2)

        return _as_layer(pool, name)


def _as_layer(function: Callable[[Any], Any], name: str) -> Callable[[Any], Any]:
    """What a Keras layer is to a Keras tensor."""

    def apply(x: Any) -> Any:
        import keras

        inner = keras.Input(x.shape[1:], dtype=x.dtype, name=f"{name}_input")
        return keras.Model(inner, function(inner), name=name)(x)

    return apply
