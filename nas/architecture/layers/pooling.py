"""Layers that pool each channel alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal, final

from nas.architecture.arithmetic import Shape
from nas.architecture.keras_types import KerasLayer, Tensor
from nas.architecture.layers.base import RunByKeras, WithinInputs, WithoutWeights, small_model
from nas.architecture.layers.facets import (
    NEVER,
    ON_ONE_PIXEL,
    Bins,
    Call,
    Channels,
    DoesNotFitError,
    Fusion,
    Lowered,
    Sight,
    Symbol,
    Window,
)


@final
@dataclass(frozen=True, kw_only=True, slots=True)
class Pool2D(WithoutWeights, WithinInputs):
    pool: Literal["max", "average"]
    window: Window
    in_place: ClassVar = False
    channels: ClassVar = Channels.ALONE
    passes: ClassVar = NEVER
    lowered: ClassVar = Lowered(kept=(71,), takes=Fusion.CLAMP)

    @property
    def is_identity(self) -> bool:
        return self.window.size == (1, 1) and self.window.stride == (1, 1)

    @property
    def view(self) -> Window:
        return self.window

    @property
    def symbol(self) -> Symbol:
        return Symbol("pool", f"{self.pool} pool {self.window}")

    def output_shape(self, *inputs: Shape) -> Shape:
        (shape,) = inputs
        return *self.window.output(shape, "pooling window"), shape[2]

    def canonical(self, inputs: tuple[Shape, ...], output: Shape) -> tuple[Any, ...]:
        # A 1x1 window has nothing to average: both kinds only pick every n-th pixel.
        return "pick" if self.window.size == (1, 1) else self.pool, *self.window.canonical(inputs[0], output)

    def keras_layer(self, name: str, *, momentum: float) -> KerasLayer:
        import keras

        kinds = {"max": keras.layers.MaxPooling2D, "average": keras.layers.AveragePooling2D}
        return kinds[self.pool](self.window.size, strides=self.window.stride, padding=self.window.padding, name=name)

    def run(self, call: Call) -> Tensor:
        import tensorflow as tf

        pool = tf.nn.max_pool2d if self.pool == "max" else tf.nn.avg_pool2d
        return pool(call.inputs[0], self.window.size, self.window.stride, self.window.padding.upper())


@final
@dataclass(frozen=True, kw_only=True, slots=True)
class GlobalPool2D(WithoutWeights, WithinInputs, RunByKeras):
    pool: Literal["max", "average"]
    is_identity: ClassVar = False
    in_place: ClassVar = False
    view: ClassVar = Sight.EVERYTHING
    channels: ClassVar = Channels.ALONE
    passes: ClassVar = ON_ONE_PIXEL
    lowered: ClassVar = Lowered(kept=(225,), numbers=2)

    @property
    def symbol(self) -> Symbol:
        return Symbol("pool", f"global {self.pool} pool")

    def output_shape(self, *inputs: Shape) -> Shape:
        (shape,) = inputs
        if len(shape) != 3:
            raise DoesNotFitError(f"global pooling needs a map; received a vector of {shape[0]:,}")
        return (shape[2],)

    def canonical(self, inputs: tuple[Shape, ...], output: Shape) -> tuple[Any, ...]:
        # On a 1x1 map there is nothing to pool: it only flattens.
        return ("flatten",) if inputs[0][:2] == (1, 1) else ("global", self.pool)

    def keras_layer(self, name: str, *, momentum: float) -> KerasLayer:
        import keras

        kinds = {"max": keras.layers.GlobalMaxPooling2D, "average": keras.layers.GlobalAveragePooling2D}
        return kinds[self.pool](name=name)


@final
@dataclass(frozen=True, kw_only=True, slots=True)
class AdaptivePool2D(WithoutWeights, WithinInputs, RunByKeras):
    """A map of any size pooled into `bins` x `bins`, which cover it and are of sizes as equal as possible.

    Bin i of n along a side of s pixels begins at floor(i * s / n) and ends before ceil((i + 1) * s / n); neighbors
    share a pixel where n does not divide s. (Keras' AdaptiveMaxPooling2D fails where n divides s.)
    """

    pool: Literal["max", "average"]
    bins: int
    is_identity: ClassVar = False
    in_place: ClassVar = False
    channels: ClassVar = Channels.ALONE
    passes: ClassVar = NEVER

    @property
    def view(self) -> Bins:
        return Bins(self.bins)

    @property
    def lowered(self) -> Lowered:
        # Along each side a slice and a reduction a bin, then a stack.
        return Lowered(kept=(24,) * (2 * (2 * self.bins + 1)))

    @property
    def symbol(self) -> Symbol:
        return Symbol("pool", f"{self.pool} pool into {self.bins}×{self.bins}")

    def output_shape(self, *inputs: Shape) -> Shape:
        (shape,) = inputs
        if len(shape) != 3:
            raise DoesNotFitError(f"spatial pooling needs a map; received a vector of {shape[0]:,}")
        return self.bins, self.bins, shape[2]

    def canonical(self, inputs: tuple[Shape, ...], output: Shape) -> tuple[Any, ...]:
        return "adaptive", self.pool, self.bins

    def keras_layer(self, name: str, *, momentum: float) -> KerasLayer:
        from keras import ops

        reduce, edges = ops.max if self.pool == "max" else ops.mean, self.view.edges

        def pool(x: Tensor) -> Tensor:
            _, height, width, _ = x.shape
            x = ops.stack([reduce(x[:, a:b], axis=1) for a, b in edges(height)], axis=1)
            return ops.stack([reduce(x[:, :, a:b], axis=2) for a, b in edges(width)], axis=2)

        return small_model(pool, name)
