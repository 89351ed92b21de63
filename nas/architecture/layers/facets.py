"""The vocabulary in which a layer describes itself."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, Flag, auto
from typing import Any, Literal, Protocol, final

from nas.architecture.arithmetic import Padding, Shape, padded, slide
from nas.architecture.count import Count
from nas.architecture.keras_types import Tensor
from nas.errors import NasError

Pair = tuple[int, int]

Range = tuple[float, float]
"""Smallest and largest value that a tensor can have."""

ANY: Range = (-math.inf, math.inf)


class DoesNotFitError(NasError):
    """A layer cannot take the map that reaches it; the message says why and what to change."""


def pair(value: int | Pair) -> Pair:
    return (value, value) if isinstance(value, int) else value


@final
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

    def __str__(self) -> str:
        """Size, and stride unless 1, as drawings have it."""
        height, width = self.stride
        stride = "" if (height, width) == (1, 1) else f" /{height}" if height == width else f" /{height}×{width}"
        return f"{self.size[0]}×{self.size[1]}{stride}"


@final
@dataclass(frozen=True, slots=True)
class Bins:
    """Windows that cover a map of any size, `count` along each side, of sizes as equal as possible."""

    count: int

    def edges(self, size: int) -> list[tuple[int, int]]:
        """First pixel of each bin along a side, and the one behind its last.

        >>> Bins(3).edges(7)
        [(0, 3), (2, 5), (4, 7)]
        """
        return [(i * size // self.count, -(-(i + 1) * size // self.count)) for i in range(self.count)]


@final
@dataclass(frozen=True, slots=True)
class Scattered:
    """The pixels over whose windows on the output a pixel of the output lies: a convolution turned around."""

    window: Window


@final
@dataclass(frozen=True, slots=True)
class Stretch:
    """The pixels around an output's place on a map that is stretched to `(height, width)`: two along each side."""

    height: int
    width: int


class Sight(Enum):
    """What an output sees of a map, if not a window of it."""

    PIXEL = auto()  # what is at its own place
    EVERYTHING = auto()  # all of the map, or a part that may be anywhere


ReceptiveField = Window | Scattered | Bins | Stretch | Sight


@final
@dataclass(frozen=True, kw_only=True, slots=True)
class WeightNumbers:
    """The numbers of a layer's weights.

    Attributes:
        kernel: factors of the number of weights without biases.
        biases: number of biases.
        uses: multiplications per weight and example; biases count none.
        measured: number of those that are not trained but measured.
    """

    kernel: tuple[int, ...]
    biases: int
    uses: int
    measured: int

    @property
    def count(self) -> Count:
        """Parameters and multiply-adds (memory is a property of the whole graph)."""
        kernel = math.prod(self.kernel)
        trainable = kernel + self.biases - self.measured
        return Count(trainable=trainable, non_trainable=self.measured, macs=kernel * self.uses)

    @property
    def formula(self) -> str:
        """Such as `11*11*3*96 + 96`."""
        return "*".join(map(str, self.kernel)) + (f" + {self.biases}" if self.biases else "")


class Channels(Enum):
    """How a layer treats channels, if it is neither `Mixed` nor `Normalized`."""

    ALONE = auto()  # each output channel is the same function of one of the first input's channels; no weights
    FILTERED = auto()  # each alone, by a kernel of `(height, width, channels, 1)` and a bias
    COMPARED = auto()  # each output channel depends on several input channels, without weights
    SUMMED = auto()  # several inputs are added channel by channel
    JOINED = auto()  # several inputs stand side by side
    FLATTENED = auto()  # the channels of all pixels stand one after the other


@final
@dataclass(frozen=True, slots=True)
class Mixed:
    """Matrix products with a kernel of `(..., input channels / groups, output channels)`, and a bias.

    Attributes:
        groups: of channels that see each other.
        transposed: whether the kernel's last two axes are the other way round.
    """

    groups: int
    transposed: bool = False


@final
@dataclass(frozen=True, slots=True)
class Normalized:
    """Each channel alone: (x - moving_mean) / sqrt(moving_variance + epsilon) * gamma + beta."""

    epsilon: float


Treatment = Channels | Mixed | Normalized


@final
@dataclass(frozen=True, slots=True)
class Passes:
    """The inputs that a layer leaves as they are in inference: equal numbers in equal channels.

    Attributes:
        low, high: smallest and largest number that is passed on.
        one_pixel: whether the map must have one pixel, or be a vector.
    """

    low: float
    high: float
    one_pixel: bool = False

    def holds(self, shape: Shape, values: Range = ANY) -> bool:
        """Whether a tensor of this shape, with values in this range, is passed on."""
        fits = not self.one_pixel or all(size == 1 for size in shape[:-1])
        return fits and self.low <= values[0] and values[1] <= self.high


NEVER, ALWAYS = Passes(math.inf, -math.inf), Passes(-math.inf, math.inf)
ON_ONE_PIXEL = Passes(-math.inf, math.inf, one_pixel=True)


class Fusion(Flag):
    """What LiteRT's converter makes part of the operator before."""

    SCALE = auto()  # a factor and a summand a channel go into the kernel and the biases
    CLAMP = auto()  # a limit, as of ReLU
    VIEW = auto()  # a map of one pixel as a vector


NOTHING = Fusion(0)


@final
@dataclass(frozen=True, kw_only=True, slots=True)
class Lowered:
    """What LiteRT's converter makes of a layer in whole numbers, and what TFLM keeps of that.

    Attributes:
        kept: bytes that TFLM keeps of each operator of the layer, beside those that any operator and any tensor take;
            measured, with addresses of 8 bytes. Empty: nothing is left of the layer.
        joins: how it becomes part of the operator before; then it is no operator itself.
        takes: what its last operator takes in.
        numbers: that each operator reads beside maps and weights, int32: axes or a shape.
        scratch: bytes that each number of an output needs besides while it is computed.
        lacks: an operator that it needs and that there is not in whole numbers; "" for none.
        is_known: whether all of this is; else nothing is predicted of a network that has the layer.
    """

    kept: tuple[int, ...]
    joins: Fusion = NOTHING
    takes: Fusion = NOTHING
    numbers: int = 0
    scratch: int = 0
    lacks: str = ""
    is_known: bool = True


KERNEL = Fusion.SCALE | Fusion.CLAMP
"""What a convolution or a dense layer takes in."""


@final
@dataclass(frozen=True, slots=True)
class Symbol:
    """A layer in a drawing.

    Attributes:
        kind: decides the color of its box.
        title: what it does, such as `conv 3×3, 64`.
        notes: more of it, such as `2 groups`.
        note: of a layer that works in place: what is written into the box before it, instead of a box of its own.
        takes_notes: whether its own box takes the notes of layers that follow.
    """

    kind: Literal["conv", "pool", "dense", "join", "other"]
    title: str
    notes: tuple[str, ...] = ()
    note: str = ""
    takes_notes: bool = True


class Call(Protocol):
    """A layer at work on a batch, its weights given as values. Tensors are TensorFlow's.

    Attributes:
        inputs: in the layer's precision.
        training: whether to drop out.
        by_batch: whether to normalize by the batch.
    """

    inputs: Sequence[Tensor]
    training: bool
    by_batch: bool

    def weight(self, name: str, dtype: str | None = None) -> Tensor:
        """A weight by its name in Keras; in the layer's precision unless another is named."""

    def leave(self, name: str, value: Tensor) -> None:
        """Records this batch's value of a moving statistic."""

    def by_keras(self) -> Tensor:
        """The output of the Keras layer."""
