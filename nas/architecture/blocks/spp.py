"""Spatial pyramid pooling."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from nas.architecture.blocks.base import register
from nas.architecture.blocks.classifier import ClassificationHead, classify
from nas.architecture.fields import ActivationName, AutoRate, DenseUnits, Levels, PoolName, Rate
from nas.architecture.graph import Graph, SymbolicTensor
from nas.architecture.layers import AdaptivePool2D, Concatenate, Flatten, GlobalPool2D, Layer


@final
@register("spp")
@dataclass(frozen=True, kw_only=True, slots=True)
class SpatialPyramidHead(ClassificationHead):
    """A vector of one length from a map of any size, dense layers, class probabilities (He et al., 2014).

    Each level n pools the map into n x n bins that cover it, of sizes as equal as possible, whatever the map's size;
    the bins of all levels, channel by channel, are the vector.

    Attributes:
        classes: how many probabilities.
        levels: bins along each side, level by level.
        pool: `max` or `average`, of each bin.
        units: widths of the dense layers before the last.
        dropout: before each dense layer.
        input_dropout: before the first of them; `auto` is `dropout`.
        activation: after each dense layer but the last.
    """

    levels: Levels = (4, 2, 1)
    pool: PoolName = "max"
    units: DenseUnits = ()
    dropout: Rate = 0.0
    input_dropout: AutoRate = None
    activation: ActivationName = "relu"

    def wire(self, graph: Graph, x: SymbolicTensor) -> SymbolicTensor:
        vectors = []
        for place, bins in enumerate(self.levels, start=1):
            layer: Layer = GlobalPool2D(pool=self.pool) if bins == 1 else AdaptivePool2D(pool=self.pool, bins=bins)
            y = graph.add(layer, x, name=f"level_{place}")
            vectors.append(y if bins == 1 else graph.add(Flatten(), y, name=f"level_{place}_vector"))
        return classify(graph, graph.join(Concatenate(), vectors, name="vector"), self)
