"""The members that every layer has, and those that several layers share."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar, final

from nas.architecture.arithmetic import Shape
from nas.architecture.keras_types import KerasLayer, Tensor
from nas.architecture.layers.facets import (
    ANY,
    NEVER,
    Call,
    Lowered,
    Passes,
    Range,
    ReceptiveField,
    Sight,
    Symbol,
    Treatment,
    WeightNumbers,
)


class Layer(ABC):
    """One layer without its weights. Shapes are those of one example, without the batch axis.

    No other module tells layer classes apart: whatever counting, drawing, training and inheritance need to know is a
    member here. No member has a default, so a class that lacks one cannot be instantiated.
    """

    @property
    @abstractmethod
    def is_identity(self) -> bool:
        """Whether the layer passes every input on unchanged, also in training; such a layer is left out."""

    @property
    @abstractmethod
    def in_place(self) -> bool:
        """Whether the output can overwrite the input."""

    @abstractmethod
    def output_shape(self, *inputs: Shape) -> Shape:
        """Shape of the output.

        Raises:
            DoesNotFitError: the layer cannot take these inputs.
        """

    @abstractmethod
    def weights(self, inputs: tuple[Shape, ...], output: Shape) -> WeightNumbers | None:
        """Its parameters and multiply-adds; None without any."""

    @abstractmethod
    def canonical(self, inputs: tuple[Shape, ...], output: Shape) -> tuple[Any, ...]:
        """Equal for layers that compute the same function of the same weights on these inputs."""

    @abstractmethod
    def keras_layer(self, name: str, *, momentum: float) -> KerasLayer:
        """The Keras layer; `momentum` is batch normalization's."""

    @abstractmethod
    def run(self, call: Call) -> Tensor:
        """The output of a batch, by an operation that is traced faster than the Keras layer, or by that layer."""

    @property
    @abstractmethod
    def lowered(self) -> Lowered:
        """What is left of it in an int8 file, and what that takes on a microcontroller."""

    @property
    @abstractmethod
    def symbol(self) -> Symbol:
        """The layer in a drawing."""

    @property
    @abstractmethod
    def view(self) -> ReceptiveField:
        """What one output sees of a map."""

    @property
    @abstractmethod
    def channels(self) -> Treatment:
        """Which output channels depend on which input channels, and by which weights."""

    @property
    @abstractmethod
    def passes(self) -> Passes:
        """The inputs that it leaves as they are in inference."""

    @abstractmethod
    def output_range(self, *inputs: Range) -> Range:
        """Range of the output in inference, whatever the weights."""


class WithoutWeights(Layer):
    @final
    def weights(self, inputs: tuple[Shape, ...], output: Shape) -> None:
        return None


class WithKernel(Layer):
    """A layer that multiplies its input by a kernel; the output can have any value."""

    is_identity: ClassVar = False
    in_place: ClassVar = False
    passes: ClassVar = NEVER

    @final
    def output_range(self, *inputs: Range) -> Range:
        return ANY


class InPlace(Layer):
    """A layer that changes each pixel, and can write over it."""

    in_place: ClassVar = True
    view: ClassVar = Sight.PIXEL

    @final
    def output_shape(self, *inputs: Shape) -> Shape:
        return inputs[0]


class WithinInputs(Layer):
    """A layer whose output lies between its smallest and its largest input."""

    @final
    def output_range(self, *inputs: Range) -> Range:
        return min(low for low, _ in inputs), max(high for _, high in inputs)


class RunByKeras(Layer):
    """A layer that is run by Keras: it is rare, or Keras is fast enough."""

    @final
    def run(self, call: Call) -> Tensor:
        return call.by_keras()


def small_model(function: Callable[..., Tensor], name: str) -> KerasLayer:
    """A Keras layer composed of Keras' operations on one tensor or several.

    It is a small model inside the model and not a class of our own, so that a saved network can be loaded by a program
    that knows Keras only.
    """

    def apply(x: Tensor | list[Tensor]) -> Tensor:
        import keras

        several = x if isinstance(x, list) else [x]
        names = [f"{name}_input{place or ''}" for place in range(len(several))]
        inner = [keras.Input(x.shape[1:], dtype=x.dtype, name=of) for of, x in zip(names, several, strict=True)]
        return keras.Model(inner if isinstance(x, list) else inner[0], function(*inner), name=name)(x)

    return apply
