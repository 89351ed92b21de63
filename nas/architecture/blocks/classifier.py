"""What the heads of classification share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Protocol

from nas.architecture.blocks.head import Head
from nas.architecture.fields import Classes
from nas.architecture.graph import Graph, SymbolicTensor
from nas.architecture.keras_types import KerasLoss, Tensor
from nas.architecture.layers import Activation, Dense, Dropout


@dataclass(frozen=True, kw_only=True, slots=True)
class ClassificationHead(Head):
    """A head whose network returns class probabilities."""

    task: ClassVar[str] = "classification"
    classes: Classes

    def loss(self, targets: Tensor, outputs: Tensor, *, label_smoothing: float) -> Tensor:
        """Cross entropy in nats."""
        import keras

        if not label_smoothing:
            return keras.losses.sparse_categorical_crossentropy(targets, outputs)
        one_hot = keras.ops.one_hot(keras.ops.cast(targets, "int32"), outputs.shape[-1])
        return keras.losses.categorical_crossentropy(one_hot, outputs, label_smoothing=label_smoothing)

    def keras_loss(self, *, label_smoothing: float) -> KerasLoss:
        """Keras' own where it can be: a model that is saved with it opens without this package."""
        import keras

        if not label_smoothing:
            return keras.losses.SparseCategoricalCrossentropy()
        return Head.keras_loss(self, label_smoothing=label_smoothing)

    def answers(self, outputs: Tensor) -> Tensor:
        """The class probabilities, as they are."""
        return outputs


def probabilities(graph: Graph, x: SymbolicTensor) -> SymbolicTensor:
    """Class probabilities from a number a class."""
    return graph.add(Activation(function="softmax"), x, name="probabilities")


class DenseLayers(Protocol):
    """The options of the dense layers that end a head."""

    @property
    def classes(self) -> int: ...
    @property
    def units(self) -> tuple[int, ...]: ...
    @property
    def dropout(self) -> float: ...
    @property
    def input_dropout(self) -> float | None: ...
    @property
    def activation(self) -> str: ...


def classify(graph: Graph, x: SymbolicTensor, head: DenseLayers) -> SymbolicTensor:
    """From a vector to class probabilities, by dense layers."""
    rate = head.dropout if head.input_dropout is None else head.input_dropout
    for number, units in enumerate(head.units, start=1):
        x = graph.add(Dropout(rate=rate), x, name=f"dropout_{number}")
        x = graph.add(Dense(units=units), x, name=f"dense_{number}")
        x = graph.add(Activation(function=head.activation), x, name=f"dense_{number}_{head.activation}")
        rate = head.dropout
    x = graph.add(Dropout(rate=rate), x, name="dropout")
    return probabilities(graph, graph.add(Dense(units=head.classes), x, name="classes"))
