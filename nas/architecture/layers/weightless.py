"""Layers without weights that pool nothing: what happens to single numbers, and where they stand."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, final

from nas.architecture.arithmetic import Shape, elements
from nas.architecture.keras_types import KerasLayer, Tensor
from nas.architecture.layers.base import InPlace, RunByKeras, WithinInputs, WithoutWeights, small_model
from nas.architecture.layers.facets import (
    ALWAYS,
    ANY,
    NEVER,
    ON_ONE_PIXEL,
    Call,
    Channels,
    DoesNotFitError,
    Fusion,
    Lowered,
    Passes,
    Range,
    Sight,
    Stretch,
    Symbol,
)

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

_NOT_NEGATIVE = Passes(0.0, math.inf)
_CLAMP, _ONE = Lowered(kept=(24,), joins=Fusion.CLAMP), Lowered(kept=(24,))
_FUNCTIONS: dict[str, tuple[Channels, Passes, Lowered]] = {
    "linear": (Channels.ALONE, ALWAYS, Lowered(kept=())),
    "relu": (Channels.ALONE, _NOT_NEGATIVE, _CLAMP),
    "relu6": (Channels.ALONE, Passes(0.0, 6.0), _CLAMP),
    "leaky_relu": (Channels.ALONE, _NOT_NEGATIVE, _ONE),
    "elu": (Channels.ALONE, _NOT_NEGATIVE, _ONE),
    "gelu": (Channels.ALONE, NEVER, _ONE),
    "silu": (Channels.ALONE, NEVER, Lowered(kept=(24, 49))),
    "hard_silu": (Channels.ALONE, NEVER, _ONE),
    "tanh": (Channels.ALONE, NEVER, _ONE),
    "sigmoid": (Channels.ALONE, NEVER, _ONE),
    "softmax": (Channels.COMPARED, NEVER, _ONE),
}
"""Activations by Keras' names."""


@final
@dataclass(frozen=True, kw_only=True, slots=True)
class Activation(WithoutWeights, InPlace):
    """`softmax` runs in float32 whatever the precision."""

    function: str

    def __post_init__(self) -> None:
        if self.function not in _FUNCTIONS:
            raise ValueError(f"nothing is known of the activation {self.function!r}; there are {', '.join(_FUNCTIONS)}")

    @property
    def is_identity(self) -> bool:
        return self.function == "linear"

    @property
    def channels(self) -> Channels:
        return _FUNCTIONS[self.function][0]

    @property
    def passes(self) -> Passes:
        return _FUNCTIONS[self.function][1]

    @property
    def lowered(self) -> Lowered:
        return _FUNCTIONS[self.function][2]

    @property
    def symbol(self) -> Symbol:
        text = self.function.replace("_", " ")
        return Symbol("other", text, note=text)

    def output_range(self, *inputs: Range) -> Range:
        (values,), passes = inputs, self.passes
        if self.function in ("relu", "relu6"):
            low, high = (min(max(value, passes.low), passes.high) for value in values)
            return low, high
        if self.function in ("sigmoid", "softmax"):
            return 0.0, 1.0
        return values if passes.holds((), values) else ANY

    def canonical(self, inputs: tuple[Shape, ...], output: Shape) -> tuple[Any, ...]:
        return ("activation", self.function)

    def keras_layer(self, name: str, *, momentum: float) -> KerasLayer:
        import keras

        dtype = "float32" if self.function == "softmax" else None
        return keras.layers.Activation(self.function, name=name, dtype=dtype)

    def run(self, call: Call) -> Tensor:
        if self.function != "relu":
            return call.by_keras()
        import tensorflow as tf

        return tf.nn.relu(call.inputs[0])


@final
@dataclass(frozen=True, kw_only=True, slots=True)
class Dropout(WithoutWeights, InPlace, WithinInputs, RunByKeras):
    rate: float
    channels: ClassVar = Channels.ALONE
    passes: ClassVar = ALWAYS
    lowered: ClassVar = Lowered(kept=())

    @property
    def is_identity(self) -> bool:
        return self.rate == 0

    @property
    def symbol(self) -> Symbol:
        text = f"dropout {self.rate:g}"
        return Symbol("other", text, note=text)

    def canonical(self, inputs: tuple[Shape, ...], output: Shape) -> tuple[Any, ...]:
        return "dropout", self.rate

    def keras_layer(self, name: str, *, momentum: float) -> KerasLayer:
        import keras

        return keras.layers.Dropout(self.rate, name=name)


@final
@dataclass(frozen=True, kw_only=True, slots=True)
class LocalResponseNormalization(WithoutWeights, RunByKeras):
    """x / (offset + alpha * sum of x^2 over `size` neighboring channels) ^ beta, in float32 whatever the precision."""

    size: int
    offset: float
    alpha: float
    beta: float
    is_identity: ClassVar = False
    in_place: ClassVar = False
    symbol: ClassVar = Symbol("other", "local response norm")
    view: ClassVar = Sight.PIXEL
    channels: ClassVar = Channels.COMPARED
    passes: ClassVar = NEVER
    lowered: ClassVar = _ONE

    def output_shape(self, *inputs: Shape) -> Shape:
        (shape,) = inputs
        if len(shape) != 3:
            raise DoesNotFitError(f"local response normalization needs a map; received a vector of {shape[0]:,}")
        return shape

    def output_range(self, *inputs: Range) -> Range:
        # It divides by something positive.
        return (0.0 if inputs[0][0] >= 0 else -math.inf), math.inf

    def canonical(self, inputs: tuple[Shape, ...], output: Shape) -> tuple[Any, ...]:
        return "lrn", self.size, self.offset, self.alpha, self.beta

    def keras_layer(self, name: str, *, momentum: float) -> KerasLayer:
        from keras import ops

        def normalize(x: Tensor) -> Tensor:
            channels = x.shape[-1]
            wide = ops.cast(x, "float32")
            before = self.size // 2
            squares = ops.pad(ops.square(wide), ((0, 0), (0, 0), (0, 0), (before, self.size - 1 - before)))
            total = squares[..., :channels]
            for step in range(1, self.size):
                total = total + squares[..., step : step + channels]
            return ops.cast(wide * ops.power(self.offset + self.alpha * total, -self.beta), x.dtype)

        return small_model(normalize, name)


@final
@dataclass(frozen=True, kw_only=True, slots=True)
class ZeroPad2D(WithoutWeights, RunByKeras):
    """Rows and columns of zeros around a map."""

    top: int
    bottom: int
    left: int
    right: int
    in_place: ClassVar = False
    symbol: ClassVar = Symbol("other", "zero padding")
    view: ClassVar = Sight.PIXEL
    channels: ClassVar = Channels.ALONE
    passes: ClassVar = NEVER
    lowered: ClassVar = Lowered(kept=(24,), numbers=8)

    @property
    def is_identity(self) -> bool:
        return not (self.top or self.bottom or self.left or self.right)

    def output_shape(self, *inputs: Shape) -> Shape:
        (shape,) = inputs
        return shape[0] + self.top + self.bottom, shape[1] + self.left + self.right, shape[2]

    def output_range(self, *inputs: Range) -> Range:
        return min(inputs[0][0], 0.0), max(inputs[0][1], 0.0)

    def canonical(self, inputs: tuple[Shape, ...], output: Shape) -> tuple[Any, ...]:
        return "zeros", (self.top, self.bottom), (self.left, self.right)

    def keras_layer(self, name: str, *, momentum: float) -> KerasLayer:
        import keras

        return keras.layers.ZeroPadding2D(((self.top, self.bottom), (self.left, self.right)), name=name)


@final
@dataclass(frozen=True, kw_only=True, slots=True)
class Resize2D(WithoutWeights, WithinInputs):
    """A map stretched to another height and width, bilinear between the centers of its pixels."""

    height: int
    width: int
    is_identity: ClassVar = False
    in_place: ClassVar = False
    channels: ClassVar = Channels.ALONE
    passes: ClassVar = NEVER
    lowered: ClassVar = Lowered(kept=(192,), numbers=2)

    @property
    def view(self) -> Stretch:
        return Stretch(self.height, self.width)

    @property
    def symbol(self) -> Symbol:
        return Symbol("other", "resize")

    def output_shape(self, *inputs: Shape) -> Shape:
        (shape,) = inputs
        if len(shape) != 3:
            raise DoesNotFitError(f"only a map can be resized; received a vector of {shape[0]:,}")
        if self.height < shape[0] or self.width < shape[1]:
            raise DoesNotFitError(
                f"a map is resized to at least its own size; received {shape[0]}x{shape[1]} for "
                f"{self.height}x{self.width}"
            )
        return self.height, self.width, shape[2]

    def canonical(self, inputs: tuple[Shape, ...], output: Shape) -> tuple[Any, ...]:
        return "resize", self.height, self.width

    def keras_layer(self, name: str, *, momentum: float) -> KerasLayer:
        import keras

        return keras.layers.Resizing(self.height, self.width, interpolation="bilinear", name=name)

    def run(self, call: Call) -> Tensor:
        """Two matrix products: XLA has no gradient of TensorFlow's operation, and on one core they are faster."""
        import tensorflow as tf

        (x,) = call.inputs
        down, across = (
            tf.constant(_stretching(before, after), x.dtype)
            for before, after in zip(x.shape[1:3], (self.height, self.width), strict=True)
        )
        return tf.einsum("hy,wx,nyxc->nhwc", down, across, x)


def _stretching(before: int, after: int) -> npt.NDArray[np.float64]:
    """What each of the pixels before, a column, is to each after: `(after, before)`, rows of sum 1."""
    import numpy as np

    places = ((np.arange(after) + 0.5) * before / after - 0.5).clip(0, before - 1)
    distances: npt.NDArray[np.float64] = np.abs(places[:, None] - np.arange(before))
    return np.maximum(0, 1 - distances)


@final
@dataclass(frozen=True, kw_only=True, slots=True)
class Flatten(WithoutWeights, WithinInputs, RunByKeras):
    is_identity: ClassVar = False
    in_place: ClassVar = True
    symbol: ClassVar = Symbol("other", "flatten")
    view: ClassVar = Sight.EVERYTHING
    channels: ClassVar = Channels.FLATTENED
    passes: ClassVar = ON_ONE_PIXEL
    lowered: ClassVar = Lowered(kept=(193,), joins=Fusion.VIEW, numbers=2)

    def output_shape(self, *inputs: Shape) -> Shape:
        return (elements(inputs[0]),)

    def canonical(self, inputs: tuple[Shape, ...], output: Shape) -> tuple[Any, ...]:
        return ("flatten",)

    def keras_layer(self, name: str, *, momentum: float) -> KerasLayer:
        import keras

        return keras.layers.Flatten(name=name)


@final
@dataclass(frozen=True, kw_only=True, slots=True)
class Add(WithoutWeights):
    is_identity: ClassVar = False
    in_place: ClassVar = False
    symbol: ClassVar = Symbol("join", "add")
    view: ClassVar = Sight.PIXEL
    channels: ClassVar = Channels.SUMMED
    passes: ClassVar = NEVER
    lowered: ClassVar = Lowered(kept=(72,), takes=Fusion.CLAMP)

    def output_shape(self, *inputs: Shape) -> Shape:
        if len(set(inputs)) != 1:
            raise DoesNotFitError(f"only maps of one shape can be added; received {', '.join(map(str, inputs))}")
        return inputs[0]

    def output_range(self, *inputs: Range) -> Range:
        return sum(low for low, _ in inputs), sum(high for _, high in inputs)

    def canonical(self, inputs: tuple[Shape, ...], output: Shape) -> tuple[Any, ...]:
        return ("add",)

    def keras_layer(self, name: str, *, momentum: float) -> KerasLayer:
        import keras

        return keras.layers.Add(name=name)

    def run(self, call: Call) -> Tensor:
        import tensorflow as tf

        return functools.reduce(tf.add, call.inputs)


@final
@dataclass(frozen=True, kw_only=True, slots=True)
class Concatenate(WithoutWeights, WithinInputs):
    """Side by side along the channels."""

    is_identity: ClassVar = False
    in_place: ClassVar = False
    # What follows belongs to what comes next: a dense block normalizes before its convolutions.
    symbol: ClassVar = Symbol("join", "concatenate", takes_notes=False)
    view: ClassVar = Sight.PIXEL
    channels: ClassVar = Channels.JOINED
    passes: ClassVar = NEVER
    lowered: ClassVar = Lowered(kept=(88,))

    def output_shape(self, *inputs: Shape) -> Shape:
        if len({shape[:-1] for shape in inputs}) != 1:
            raise DoesNotFitError(
                f"concatenated maps need one height and width; received {', '.join(map(str, inputs))}"
            )
        return *inputs[0][:-1], sum(shape[-1] for shape in inputs)

    def canonical(self, inputs: tuple[Shape, ...], output: Shape) -> tuple[Any, ...]:
        return ("concatenate",)

    def keras_layer(self, name: str, *, momentum: float) -> KerasLayer:
        import keras

        return keras.layers.Concatenate(name=name)

    def run(self, call: Call) -> Tensor:
        import tensorflow as tf

        return tf.concat(call.inputs, -1)
