"""A head of convolutions only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from nas.architecture.arithmetic import Padding
from nas.architecture.blocks.base import register
from nas.architecture.blocks.class_map import class_map
from nas.architecture.blocks.classifier import ClassificationHead, probabilities
from nas.architecture.fields import ActivationName, DenseUnits, Kernel, Normalization, PoolName, Rate
from nas.architecture.graph import Graph, SymbolicTensor
from nas.architecture.layers import GlobalPool2D


@final
@register("fully_convolutional")
@dataclass(frozen=True, kw_only=True, slots=True)
class FullyConvolutionalHead(ClassificationHead):
    """Convolutions in place of dense layers, one map a class, each map's mean, class probabilities.

    A dense layer on a map of k x k pixels is a k x k convolution; it then takes larger maps too (Long et al., 2015).

    Attributes:
        classes: how many probabilities.
        units: channels of the convolutions before the last.
        kernel: side of the first convolution; the others are 1x1.
        padding: of the first; with `same` a map of any size will do.
        pool: how each class' map becomes one number.
        dropout: before each convolution but the first of several.
        normalization, activation: of every convolution but the last.
    """

    units: DenseUnits = ()
    kernel: Kernel = 1
    padding: Padding = "same"
    pool: PoolName = "average"
    dropout: Rate = 0.0
    normalization: Normalization = "none"
    activation: ActivationName = "relu"

    def wire(self, graph: Graph, x: SymbolicTensor) -> SymbolicTensor:
        x = class_map(graph, x, self)
        x = graph.add(GlobalPool2D(pool=self.pool), x, name="vector")
        return probabilities(graph, x)
