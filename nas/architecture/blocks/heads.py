"""Heads of classification: from a map to class probabilities."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from nas.architecture.blocks.base import register
from nas.architecture.blocks.classifier import ClassificationHead, classify
from nas.architecture.fields import ActivationName, AutoRate, DenseUnits, PoolName, Rate
from nas.architecture.graph import Graph, SymbolicTensor
from nas.architecture.layers import Flatten, GlobalPool2D


@final
@register("global_pool")
@dataclass(frozen=True, kw_only=True, slots=True)
class GlobalPoolHead(ClassificationHead):
    """Each channel's mean or largest value, dense layers, class probabilities.

    Attributes:
        classes: how many probabilities.
        pool: `average` or `max`.
        units: widths of the dense layers before the last.
        dropout: before each dense layer.
        input_dropout: before the first of them; `auto` is `dropout`.
        activation: after each dense layer but the last.
    """

    pool: PoolName = "average"
    units: DenseUnits = ()
    dropout: Rate = 0.0
    input_dropout: AutoRate = None
    activation: ActivationName = "relu"

    def wire(self, graph: Graph, x: SymbolicTensor) -> SymbolicTensor:
        return classify(graph, graph.add(GlobalPool2D(pool=self.pool), x, name="vector"), self)


@final
@register("flatten")
@dataclass(frozen=True, kw_only=True, slots=True)
class FlattenHead(ClassificationHead):
    """All of the map as one vector, dense layers, class probabilities.

    Attributes:
        classes: how many probabilities.
        units: widths of the dense layers before the last.
        dropout: before each dense layer.
        input_dropout: before the first of them; `auto` is `dropout`.
        activation: after each dense layer but the last.
    """

    units: DenseUnits = ()
    dropout: Rate = 0.0
    input_dropout: AutoRate = None
    activation: ActivationName = "relu"

    def wire(self, graph: Graph, x: SymbolicTensor) -> SymbolicTensor:
        return classify(graph, graph.add(Flatten(), x, name="vector"), self)
