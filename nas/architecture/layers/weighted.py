"""Layers with weights."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar, final

from nas.architecture.arithmetic import Shape
from nas.architecture.keras_types import KerasLayer, Tensor
from nas.architecture.layers.base import InPlace, RunByKeras, WithKernel
from nas.architecture.layers.facets import (
    ANY,
    KERNEL,
    NEVER,
    Call,
    Channels,
    DoesNotFitError,
    Fusion,
    Lowered,
    Mixed,
    Normalized,
    Range,
    Scattered,
    Sight,
    Symbol,
    WeightNumbers,
    Window,
)

_EPSILON = 1e-3
"""What batch normalization adds to a variance; Keras' default."""


def _beginning(prior: tuple[float, ...], kernel: str) -> dict[str, Any]:
    """Initializers of a kernel and its biases."""
    import keras

    if not prior:
        return {"kernel_initializer": kernel}
    usual = keras.initializers.get(kernel)
    small = keras.initializers.VarianceScaling(usual.scale / 100, usual.mode, usual.distribution)
    return {"kernel_initializer": small, "bias_initializer": keras.initializers.Constant(list(prior))}


@final
@dataclass(frozen=True, kw_only=True, slots=True)
class Conv2D(WithKernel):
    """Attributes:
    prior: what the outputs are near before training, one number a filter: the biases' first values, beside a kernel
        of a tenth of its usual size. () for no such thing.
    """

    filters: int
    window: Window
    groups: int = 1
    bias: bool = True
    prior: tuple[float, ...] = ()
    lowered: ClassVar = Lowered(kept=(107,), takes=KERNEL)

    @property
    def view(self) -> Window:
        return self.window

    @property
    def channels(self) -> Mixed:
        return Mixed(self.groups)

    @property
    def symbol(self) -> Symbol:
        notes = (f"{self.groups} groups",) if self.groups > 1 else ()
        return Symbol("conv", f"conv {self.window}, {self.filters}", notes)

    def output_shape(self, *inputs: Shape) -> Shape:
        (shape,) = inputs
        height, width = self.window.output(shape, "convolution")
        if shape[2] % self.groups or self.filters % self.groups:
            raise DoesNotFitError(
                f"`groups` must divide the input channels and the filters; received groups={self.groups} for "
                f"{shape[2]} channels and {self.filters} filters"
            )
        return height, width, self.filters

    def weights(self, inputs: tuple[Shape, ...], output: Shape) -> WeightNumbers:
        kernel = (*self.window.size, inputs[0][2] // self.groups, self.filters)
        return WeightNumbers(kernel=kernel, biases=self.filters * self.bias, uses=output[0] * output[1], measured=0)

    def canonical(self, inputs: tuple[Shape, ...], output: Shape) -> tuple[Any, ...]:
        return "conv", self.filters, *self.window.canonical(inputs[0], output), self.groups, self.bias

    def keras_layer(self, name: str, *, momentum: float) -> KerasLayer:
        import keras

        return keras.layers.Conv2D(
            self.filters,
            self.window.size,
            strides=self.window.stride,
            padding=self.window.padding,
            groups=self.groups,
            use_bias=self.bias,
            **_beginning(self.prior, "he_normal"),
            name=name,
        )

    def run(self, call: Call) -> Tensor:
        if self.groups > 1:
            return call.by_keras()
        import tensorflow as tf

        (x,), stride = call.inputs, self.window.stride
        if self.window.size == (1, 1) and stride != (1, 1):
            # On CPUs, TensorFlow's gradient of such a kernel writes beyond its memory for some shapes (2.21, oneDNN).
            x, stride = x[:, :: stride[0], :: stride[1]], (1, 1)
        x = tf.nn.conv2d(x, call.weight("kernel"), stride, self.window.padding.upper())
        return tf.nn.bias_add(x, call.weight("bias")) if self.bias else x


@final
@dataclass(frozen=True, kw_only=True, slots=True)
class Conv2DTranspose(WithKernel, RunByKeras):
    """Each pixel times a kernel, added up where its window lies on a map `factor` times as large; without a bias.

    Its window is twice as large as the factor. It begins as bilinear interpolation (Long et al., 2015), so the map
    has as many channels as it has filters.
    """

    filters: int
    factor: int
    # Numbers are added up in int32.
    lowered: ClassVar = Lowered(kept=(107,), takes=KERNEL, numbers=4, scratch=4)

    @property
    def _window(self) -> Window:
        return Window(size=(2 * self.factor,) * 2, stride=(self.factor,) * 2, padding="same")

    @property
    def view(self) -> Scattered:
        return Scattered(self._window)

    @property
    def channels(self) -> Mixed:
        return Mixed(groups=1, transposed=True)

    @property
    def symbol(self) -> Symbol:
        size = 2 * self.factor
        return Symbol("conv", f"deconv {size}×{size}, {self.filters}", (f"×{self.factor}",))

    def output_shape(self, *inputs: Shape) -> Shape:
        (shape,) = inputs
        if len(shape) != 3:
            raise DoesNotFitError(f"a transposed convolution needs a map; received a vector of {shape[0]:,}")
        if shape[2] != self.filters:
            raise DoesNotFitError(
                f"a transposed convolution keeps channels; received {shape[2]:,} for {self.filters:,} filters"
            )
        return shape[0] * self.factor, shape[1] * self.factor, self.filters

    def weights(self, inputs: tuple[Shape, ...], output: Shape) -> WeightNumbers:
        (shape,) = inputs
        kernel = (*self._window.size, shape[2], self.filters)
        return WeightNumbers(kernel=kernel, biases=0, uses=shape[0] * shape[1], measured=0)

    def canonical(self, inputs: tuple[Shape, ...], output: Shape) -> tuple[Any, ...]:
        return "conv_transpose", self.filters, self.factor

    def keras_layer(self, name: str, *, momentum: float) -> KerasLayer:
        import keras
        import numpy as np

        size = 2 * self.factor
        taps = 1 - np.abs((np.arange(size) + 0.5) / self.factor - 1)
        bilinear = np.outer(taps, taps)[:, :, None, None] * np.eye(self.filters)
        return keras.layers.Conv2DTranspose(
            self.filters,
            size,
            strides=self.factor,
            padding="same",
            use_bias=False,
            kernel_initializer=keras.initializers.Constant(bilinear.tolist()),
            name=name,
        )


@final
@dataclass(frozen=True, kw_only=True, slots=True)
class DepthwiseConv2D(WithKernel):
    window: Window
    bias: bool = True
    channels: ClassVar = Channels.FILTERED
    lowered: ClassVar = Lowered(kept=(107,), takes=KERNEL)

    @property
    def view(self) -> Window:
        return self.window

    @property
    def symbol(self) -> Symbol:
        return Symbol("conv", f"depthwise {self.window}")

    def output_shape(self, *inputs: Shape) -> Shape:
        (shape,) = inputs
        return *self.window.output(shape, "depthwise convolution"), shape[2]

    def weights(self, inputs: tuple[Shape, ...], output: Shape) -> WeightNumbers:
        kernel = (*self.window.size, output[2])
        return WeightNumbers(kernel=kernel, biases=output[2] * self.bias, uses=output[0] * output[1], measured=0)

    def canonical(self, inputs: tuple[Shape, ...], output: Shape) -> tuple[Any, ...]:
        return "depthwise", *self.window.canonical(inputs[0], output), self.bias

    def keras_layer(self, name: str, *, momentum: float) -> KerasLayer:
        import keras

        return keras.layers.DepthwiseConv2D(
            self.window.size,
            strides=self.window.stride,
            padding=self.window.padding,
            use_bias=self.bias,
            depthwise_initializer="he_normal",
            name=name,
        )

    def run(self, call: Call) -> Tensor:
        down, right = self.window.stride
        if down != right:
            return call.by_keras()
        import tensorflow as tf

        padding = self.window.padding.upper()
        x = tf.nn.depthwise_conv2d(call.inputs[0], call.weight("kernel"), (1, down, right, 1), padding)
        return tf.nn.bias_add(x, call.weight("bias")) if self.bias else x


@final
@dataclass(frozen=True, kw_only=True, slots=True)
class Dense(WithKernel, RunByKeras):
    """`prior` as in `Conv2D`."""

    units: int
    bias: bool = True
    prior: tuple[float, ...] = ()
    view: ClassVar = Sight.EVERYTHING
    channels: ClassVar = Mixed(groups=1)
    lowered: ClassVar = Lowered(kept=(113,), takes=KERNEL)

    @property
    def symbol(self) -> Symbol:
        return Symbol("dense", f"dense {self.units:,}")

    def output_shape(self, *inputs: Shape) -> Shape:
        (shape,) = inputs
        if len(shape) != 1:
            raise DoesNotFitError(f"a dense layer needs a vector; received a map of {'x'.join(map(str, shape))}")
        return (self.units,)

    def weights(self, inputs: tuple[Shape, ...], output: Shape) -> WeightNumbers:
        return WeightNumbers(kernel=(inputs[0][0], self.units), biases=self.units * self.bias, uses=1, measured=0)

    def canonical(self, inputs: tuple[Shape, ...], output: Shape) -> tuple[Any, ...]:
        return "dense", self.units, self.bias

    def keras_layer(self, name: str, *, momentum: float) -> KerasLayer:
        import keras

        begin = _beginning(self.prior, "glorot_uniform")
        return keras.layers.Dense(self.units, use_bias=self.bias, **begin, name=name)


@final
@dataclass(frozen=True, kw_only=True, slots=True)
class BatchNormalization(InPlace):
    is_identity: ClassVar = False
    symbol: ClassVar = Symbol("other", "batch norm", note="norm")
    channels: ClassVar = Normalized(_EPSILON)
    passes: ClassVar = NEVER
    # Alone it is a multiplication and an addition.
    lowered: ClassVar = Lowered(kept=(49, 72), joins=Fusion.SCALE, takes=Fusion.CLAMP)

    def output_range(self, *inputs: Range) -> Range:
        return ANY

    def weights(self, inputs: tuple[Shape, ...], output: Shape) -> WeightNumbers:
        return WeightNumbers(kernel=(4, output[-1]), biases=0, uses=0, measured=2 * output[-1])

    def canonical(self, inputs: tuple[Shape, ...], output: Shape) -> tuple[Any, ...]:
        return ("batch_norm",)

    def keras_layer(self, name: str, *, momentum: float) -> KerasLayer:
        import keras

        return keras.layers.BatchNormalization(momentum=momentum, epsilon=_EPSILON, name=name)

    def run(self, call: Call) -> Tensor:
        """One operation in float32; Keras takes a dozen, and twice that for the gradient."""
        import tensorflow as tf

        (x,) = call.inputs
        maps = tf.cast(x if len(x.shape) == 4 else tf.reshape(x, (x.shape[0], 1, 1, x.shape[-1])), tf.float32)
        unused = tf.zeros(0)
        y, mean, variance, *_ = tf.raw_ops.FusedBatchNormV3(
            x=maps,
            scale=call.weight("gamma", "float32"),
            offset=call.weight("beta", "float32"),
            mean=unused if call.by_batch else call.weight("moving_mean", "float32"),
            variance=unused if call.by_batch else call.weight("moving_variance", "float32"),
            epsilon=_EPSILON,
            is_training=call.by_batch,
        )
        if call.by_batch:
            # The operation reports the variance of a sample, with n - 1 in the denominator; Keras keeps the batch's.
            count = math.prod(maps.shape[:3])
            call.leave("moving_mean", mean)
            call.leave("moving_variance", variance * ((count - 1) / count) if count > 1 else variance)
        return tf.cast(y if len(x.shape) == 4 else tf.reshape(y, x.shape), x.dtype)
