"""The primitive layers that blocks are wired from: shape, cost, canonical form and Keras layer side by side.

Every formula stands here once; blocks only connect layers.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, final

from nas.architecture.arithmetic import (
    Padding,
    Shape,
    conv_weights,
    elements,
    padded,
    slide,
)
from nas.architecture.count import FREE, Count
from nas.errors import NasError

Pair = tuple[int, int]


class DoesNotFitError(NasError):
    """A layer cannot take the map that reaches it; the message says why and what to change."""


def pair(value: int | Pair) -> Pair:
    return (value, value) if isinstance(value, int) else value


class Layer(ABC):
    """One layer without its weights. Shapes are those of one example, without the batch axis."""

    in_place: ClassVar[bool] = False
    """Whether the output can overwrite the input."""

    @property
    def is_identity(self) -> bool:
        """Whether the layer passes every input on unchanged."""
        return False

    @abstractmethod
    def output_shape(self, *inputs: Shape) -> Shape:
        """Shape of the output.

        Raises:
            DoesNotFitError: the layer cannot take these inputs.
        """

    def count(self, inputs: tuple[Shape, ...], output: Shape) -> Count:
        """Parameters and multiply-adds (memory is a property of the whole graph)."""
        del inputs, output
        return FREE

    @abstractmethod
    def canonical(self, inputs: tuple[Shape, ...], output: Shape) -> tuple[Any, ...]:
        """Equal for layers that compute the same function of the same weights on these inputs."""

    @abstractmethod
    def keras_layer(self, name: str, *, momentum: float) -> Any:
        """The Keras layer; `momentum` is batch normalization's."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Window:
    """A window that slides over a map: `(height, width)` each."""

    size: Pair
    stride: Pair
    padding: Padding

    def output(self, shape: Shape, what: str) -> Pair:
        """Positions of the window along height and width.

        Raises:
            DoesNotFitError: the window is larger than the map.
        """
        if len(shape) != 3:
            raise DoesNotFitError(f"{what} needs a map of height x width x channels; received a vector of {shape[0]:,}")
        height = slide(shape[0], self.size[0], self.stride[0], self.padding)
        width = slide(shape[1], self.size[1], self.stride[1], self.padding)
        if height < 1 or width < 1:
            raise DoesNotFitError(
                f"a {self.size[0]}x{self.size[1]} {what} with valid padding does not fit a {shape[0]}x{shape[1]} map; "
                f"use same padding, a smaller window, or less downsampling before it"
            )
        return height, width

    def canonical(self, shape: Shape, output: Shape) -> tuple[Any, ...]:
        """Size, resolved zeros and stride; a stride that is never taken is 1."""
        (height, width), (down, right) = self.size, self.stride
        zeros = padded(shape[0], height, down, self.padding), padded(shape[1], width, right, self.padding)
        return self.size, (down if output[0] > 1 else 1, right if output[1] > 1 else 1), zeros


@final
@dataclass(frozen=True, kw_only=True, slots=True)
class Conv2D(Layer):
    filters: int
    window: Window
    groups: int = 1
    bias: bool = True

    def output_shape(self, *inputs: Shape) -> Shape:
        (shape,) = inputs
        height, width = self.window.output(shape, "convolution")
        if shape[2] % self.groups or self.filters % self.groups:
            raise DoesNotFitError(
                f"`groups` must divide the input channels and the filters; received groups={self.groups} for "
                f"{shape[2]} channels and {self.filters} filters"
            )
        return height, width, self.filters

    def count(self, inputs: tuple[Shape, ...], output: Shape) -> Count:
        weights = conv_weights(self.window.size, inputs[0][2], self.filters, self.groups)
        return Count(trainable=weights + self.filters * self.bias, macs=weights * output[0] * output[1])

    def canonical(self, inputs: tuple[Shape, ...], output: Shape) -> tuple[Any, ...]:
        return "conv", self.filters, *self.window.canonical(inputs[0], output), self.groups, self.bias

    def keras_layer(self, name: str, *, momentum: float) -> Any:
        import keras

        return keras.layers.Conv2D(
            self.filters,
            self.window.size,
            strides=self.window.stride,
            padding=self.window.padding,
            groups=self.groups,
            use_bias=self.bias,
            kernel_initializer="he_normal",
            name=name,
        )


@final
@dataclass(frozen=True, kw_only=True, slots=True)
class DepthwiseConv2D(Layer):
    window: Window
    bias: bool = True

    def output_shape(self, *inputs: Shape) -> Shape:
        (shape,) = inputs
        return *self.window.output(shape, "depthwise convolution"), shape[2]

    def count(self, inputs: tuple[Shape, ...], output: Shape) -> Count:
        weights = conv_weights(self.window.size, 1, output[2])
        return Count(trainable=weights + output[2] * self.bias, macs=weights * output[0] * output[1])

    def canonical(self, inputs: tuple[Shape, ...], output: Shape) -> tuple[Any, ...]:
        return "depthwise", *self.window.canonical(inputs[0], output), self.bias

    def keras_layer(self, name: str, *, momentum: float) -> Any:
        import keras

        return keras.layers.DepthwiseConv2D(
            self.window.size,
            strides=self.window.stride,
            padding=self.window.padding,
            use_bias=self.bias,
            depthwise_initializer="he_normal",
            name=name,
        )


@final
@dataclass(frozen=True, kw_only=True, slots=True)
class Pool2D(Layer):
    pool: Literal["max", "average"]
    window: Window

    @property
    def is_identity(self) -> bool:
        return self.window.size == (1, 1) and self.window.stride == (1, 1)

    def output_shape(self, *inputs: Shape) -> Shape:
        (shape,) = inputs
        return *self.window.output(shape, "pooling window"), shape[2]

    def canonical(self, inputs: tuple[Shape, ...], output: Shape) -> tuple[Any, ...]:
        # A 1x1 window has nothing to average: both kinds only pick every n-th pixel.
        return "pick" if self.window.size == (1, 1) else self.pool, *self.window.canonical(inputs[0], output)

    def keras_layer(self, name: str, *, momentum: float) -> Any:
        import keras

        kinds = {"max": keras.layers.MaxPooling2D, "average": keras.layers.AveragePooling2D}
        return kinds[self.pool](self.window.size, strides=self.window.stride, padding=self.window.padding, name=name)


@final
@dataclass(frozen=True, kw_only=True, slots=True)
class ZeroPad2D(Layer):
    """Rows and columns of zeros around a map."""

    top: int
    bottom: int
    left: int
    right: int

    @property
    def is_identity(self) -> bool:
        return not (self.top or self.bottom or self.left or self.right)

    def output_shape(self, *inputs: Shape) -> Shape:
        (shape,) = inputs
        return shape[0] + self.top + self.bottom, shape[1] + self.left + self.right, shape[2]

    def canonical(self, inputs: tuple[Shape, ...], output: Shape) -> tuple[Any, ...]:
        return "zeros", (self.top, self.bottom), (self.left, self.right)

    def keras_layer(self, name: str, *, momentum: float) -> Any:
        import keras

        return keras.layers.ZeroPadding2D(((self.top, self.bottom), (self.left, self.right)), name=name)


@final
@dataclass(frozen=True, kw_only=True, slots=True)
class BatchNormalization(Layer):
    in_place: ClassVar[bool] = True

    def output_shape(self, *inputs: Shape) -> Shape:
        return inputs[0]

    def count(self, inputs: tuple[Shape, ...], output: Shape) -> Count:
        return Count(trainable=2 * output[-1], non_trainable=2 * output[-1])

    def canonical(self, inputs: tuple[Shape, ...], output: Shape) -> tuple[Any, ...]:
        return ("batch_norm",)

    def keras_layer(self, name: str, *, momentum: float) -> Any:
        import keras

        return keras.layers.BatchNormalization(momentum=momentum, name=name)


@final
@dataclass(frozen=True, kw_only=True, slots=True)
class Activation(Layer):
    """`softmax` is the network's last layer and runs in float32 whatever the precision."""

    in_place: ClassVar[bool] = True
    function: str

    @property
    def is_identity(self) -> bool:
        return self.function == "linear"

    def output_shape(self, *inputs: Shape) -> Shape:
        return inputs[0]

    def canonical(self, inputs: tuple[Shape, ...], output: Shape) -> tuple[Any, ...]:
        return ("activation", self.function)

    def keras_layer(self, name: str, *, momentum: float) -> Any:
        import keras

        dtype = "float32" if self.function == "softmax" else None
        return keras.layers.Activation(self.function, name=name, dtype=dtype)


@final
@dataclass(frozen=True, kw_only=True, slots=True)
class Dense(Layer):
    units: int
    bias: bool = True

    def output_shape(self, *inputs: Shape) -> Shape:
        (shape,) = inputs
        if len(shape) != 1:
            raise DoesNotFitError(f"a dense layer needs a vector; received a map of {'x'.join(map(str, shape))}")
        return (self.units,)

    def count(self, inputs: tuple[Shape, ...], output: Shape) -> Count:
        weights = inputs[0][0] * self.units
        return Count(trainable=weights + self.units * self.bias, macs=weights)

    def canonical(self, inputs: tuple[Shape, ...], output: Shape) -> tuple[Any, ...]:
        return "dense", self.units, self.bias

    def keras_layer(self, name: str, *, momentum: float) -> Any:
        import keras

        return keras.layers.Dense(self.units, use_bias=self.bias, name=name)


@final
@dataclass(frozen=True, kw_only=True, slots=True)
class GlobalPool2D(Layer):
    pool: Literal["max", "average"]

    def output_shape(self, *inputs: Shape) -> Shape:
        (shape,) = inputs
        if len(shape) != 3:
            raise DoesNotFitError(f"global pooling needs a map; received a vector of {shape[0]:,}")
        return (shape[2],)

    def canonical(self, inputs: tuple[Shape, ...], output: Shape) -> tuple[Any, ...]:
        # On a 1x1 map there is nothing to pool: it only flattens.
        return ("flatten",) if inputs[0][:2] == (1, 1) else ("global", self.pool)

    def keras_layer(self, name: str, *, momentum: float) -> Any:
        import keras

        kinds = {"max": keras.layers.GlobalMaxPooling2D, "average": keras.layers.GlobalAveragePooling2D}
        return kinds[self.pool](name=name)


@final
@dataclass(frozen=True, kw_only=True, slots=True)
class Flatten(Layer):
    in_place: ClassVar[bool] = True

    def output_shape(self, *inputs: Shape) -> Shape:
        return (elements(inputs[0]),)

    def canonical(self, inputs: tuple[Shape, ...], output: Shape) -> tuple[Any, ...]:
        return ("flatten",)

    def keras_layer(self, name: str, *, momentum: float) -> Any:
        import keras

        return keras.layers.Flatten(name=name)


@final
@dataclass(frozen=True, kw_only=True, slots=True)
class Dropout(Layer):
    in_place: ClassVar[bool] = True
    rate: float

    @property
    def is_identity(self) -> bool:
        return self.rate == 0

    def output_shape(self, *inputs: Shape) -> Shape:
        return inputs[0]

    def canonical(self, inputs: tuple[Shape, ...], output: Shape) -> tuple[Any, ...]:
        return "dropout", self.rate

    def keras_layer(self, name: str, *, momentum: float) -> Any:
        import keras

        return keras.layers.Dropout(self.rate, name=name)


@final
@dataclass(frozen=True, kw_only=True, slots=True)
class Add(Layer):
    def output_shape(self, *inputs: Shape) -> Shape:
        if len(set(inputs)) != 1:
            raise DoesNotFitError(f"only maps of one shape can be added; received {', '.join(map(str, inputs))}")
        return inputs[0]

    def canonical(self, inputs: tuple[Shape, ...], output: Shape) -> tuple[Any, ...]:
        return ("add",)

    def keras_layer(self, name: str, *, momentum: float) -> Any:
        import keras

        return keras.layers.Add(name=name)


@final
@dataclass(frozen=True, kw_only=True, slots=True)
class Concatenate(Layer):
    """Side by side along the channels."""

    def output_shape(self, *inputs: Shape) -> Shape:
        if len({shape[:-1] for shape in inputs}) != 1:
            raise DoesNotFitError(
                f"concatenated maps need one height and width; received {', '.join(map(str, inputs))}"
            )
        return *inputs[0][:-1], sum(shape[-1] for shape in inputs)

    def canonical(self, inputs: tuple[Shape, ...], output: Shape) -> tuple[Any, ...]:
        return ("concatenate",)

    def keras_layer(self, name: str, *, momentum: float) -> Any:
        import keras

        return keras.layers.Concatenate(name=name)
