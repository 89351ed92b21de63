"""Heads: from a map to class probabilities."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

from nas.architecture.blocks.base import Block, register
from nas.architecture.fields import ActivationName, Classes, DenseUnits, PoolName, Rate
from nas.architecture.graph import Graph, Tensor
from nas.architecture.layers import Activation, Dense, Dropout, Flatten, GlobalPool2D, Layer


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
        activation: after each dense layer but the last.
    """

    is_head: ClassVar[bool] = True
    classes: Classes
    pool: PoolName = "average"
    units: DenseUnits = ()
    dropout: Rate = 0.0
    activation: ActivationName = "relu"

    def wire(self, graph: Graph, x: Tensor) -> Tensor:
        return _classify(graph, x, GlobalPool2D(pool=self.pool), self)


@final
@register("flatten")
@dataclass(frozen=True, kw_only=True, slots=True)
class FlattenHead(Block):
    """All of the map as one vector, dense layers, class probabilities.

    Attributes:
        classes: how many probabilities.
        units: widths of the dense layers before the last.
        dropout: before each dense layer.
        activation: after each dense layer but the last.
    """

    is_head: ClassVar[bool] = True
    classes: Classes
    units: DenseUnits = ()
    dropout: Rate = 0.0
    activation: ActivationName = "relu"

    def wire(self, graph: Graph, x: Tensor) -> Tensor:
        return _classify(graph, x, Flatten(), self)


def _classify(graph: Graph, x: Tensor, to_vector: Layer, head: GlobalPoolHead | FlattenHead) -> Tensor:
    x = graph.add(to_vector, x, name="vector")
    for number, units in enumerate(head.units, start=1):
        x = graph.add(Dropout(rate=head.dropout), x, name=f"dropout_{number}")
        x = graph.add(Dense(units=units), x, name=f"dense_{number}")
        x = graph.add(Activation(function=head.activation), x, name=f"dense_{number}_{head.activation}")
    x = graph.add(Dropout(rate=head.dropout), x, name="dropout")
    x = graph.add(Dense(units=head.classes), x, name="classes")
    return graph.add(Activation(function="softmax"), x, name="probabilities")
