"""Heads: from a map to class probabilities."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Protocol, final

from nas.architecture.blocks.base import Block, register
from nas.architecture.fields import ActivationName, AutoRate, Classes, DenseUnits, PoolName, Rate
from nas.architecture.graph import Graph, Tensor
from nas.architecture.layers import Activation, Dense, Dropout, Flatten, GlobalPool2D


@final
@register("global_pool")
@dataclass(frozen=True, kw_only=True, slots=True)
class GlobalPoolHead(Block):
    """Each channel's mean or largest value, dense layers, class probabilities.

    Attributes:
        classes: how many probabilities.
        pool: `average` or `max`.
        units: widths of the dense layers before the last.
        dropout: before each dense layer.
        input_dropout: before the first of them; `auto` is `dropout`.
        activation: after each dense layer but the last.
    """

    is_head: ClassVar[bool] = True
    classes: Classes
    pool: PoolName = "average"
    units: DenseUnits = ()
    dropout: Rate = 0.0
    input_dropout: AutoRate = None
    activation: ActivationName = "relu"

    def wire(self, graph: Graph, x: Tensor) -> Tensor:
        return classify(graph, graph.add(GlobalPool2D(pool=self.pool), x, name="vector"), self)


@final
@register("flatten")
@dataclass(frozen=True, kw_only=True, slots=True)
class FlattenHead(Block):
    """All of the map as one vector, dense layers, class probabilities.

    Attributes:
        classes: how many probabilities.
        units: widths of the dense layers before the last.
        dropout: before each dense layer.
        input_dropout: before the first of them; `auto` is `dropout`.
        activation: after each dense layer but the last.
    """

    is_head: ClassVar[bool] = True
    classes: Classes
    units: DenseUnits = ()
    dropout: Rate = 0.0
    input_dropout: AutoRate = None
    activation: ActivationName = "relu"

    def wire(self, graph: Graph, x: Tensor) -> Tensor:
        return classify(graph, graph.add(Flatten(), x, name="vector"), self)


class Classifier(Protocol):
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


def classify(graph: Graph, x: Tensor, head: Classifier) -> Tensor:
    """From a vector to class probabilities."""
    rate = head.dropout if head.input_dropout is None else head.input_dropout
    for number, units in enumerate(head.units, start=1):
        x = graph.add(Dropout(rate=rate), x, name=f"dropout_{number}")
        x = graph.add(Dense(units=units), x, name=f"dense_{number}")
        x = graph.add(Activation(function=head.activation), x, name=f"dense_{number}_{head.activation}")
        rate = head.dropout
    x = graph.add(Dropout(rate=rate), x, name="dropout")
    x = graph.add(Dense(units=head.classes), x, name="classes")
    return graph.add(Activation(function="softmax"), x, name="probabilities")
