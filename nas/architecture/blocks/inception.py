"""The inception module."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from nas.architecture.blocks.base import Block, register
from nas.architecture.blocks.convolution import Style
from nas.architecture.fields import ActivationName, Bias, Normalization, OptionalFilters, PoolName
from nas.architecture.graph import Graph, SymbolicTensor
from nas.architecture.layers import Concatenate, DoesNotFitError, Pool2D, Window


@final
@register("inception")
@dataclass(frozen=True, kw_only=True, slots=True)
class Inception(Block):
    """Parallel 1x1, 1x1-3x3, 1x1-5x5 and pool-1x1 branches, concatenated (Szegedy et al., 2015).

    Attributes:
        branch1x1: filters of the 1x1 branch. A branch of 0 filters is left out.
        branch3x3, branch5x5: filters of the convolution of this size.
        reduce3x3, reduce5x5: filters of the 1x1 reduction before it; 0 leaves it out, and the convolution sees the
            whole input.
        branch_pool: filters of the 1x1 convolution after the 3x3 pooling of stride 1.
        pool: kind of that pooling.
        stacked: two 3x3 convolutions in place of the 5x5 one.
        bias, normalization, activation: of every convolution.
    """

    branch1x1: OptionalFilters
    branch3x3: OptionalFilters
    branch5x5: OptionalFilters
    branch_pool: OptionalFilters
    reduce3x3: OptionalFilters = 0
    reduce5x5: OptionalFilters = 0
    pool: PoolName = "max"
    stacked: bool = False
    bias: Bias = None
    normalization: Normalization = "batch"
    activation: ActivationName = "relu"

    def wire(self, graph: Graph, x: SymbolicTensor) -> SymbolicTensor:
        style = Style(self.bias, self.normalization, self.activation)
        branches = []
        if self.branch1x1:
            branches.append(style.conv(graph, x, self.branch1x1, name="b1"))
        if self.branch3x3:
            y = style.conv(graph, x, self.reduce3x3, name="b3_reduce") if self.reduce3x3 else x
            branches.append(style.conv(graph, y, self.branch3x3, 3, name="b3"))
        if self.branch5x5:
            y = style.conv(graph, x, self.reduce5x5, name="b5_reduce") if self.reduce5x5 else x
            if self.stacked:
                y = style.conv(graph, y, self.branch5x5, 3, name="b5_first")
            branches.append(style.conv(graph, y, self.branch5x5, 3 if self.stacked else 5, name="b5"))
        if self.branch_pool:
            window = Window(size=(3, 3), stride=(1, 1), padding="same")
            y = graph.add(Pool2D(pool=self.pool, window=window), x, name="pool")
            branches.append(style.conv(graph, y, self.branch_pool, name="pool_project"))
        if not branches:
            raise DoesNotFitError(
                "at least one branch needs filters; set branch1x1, branch3x3, branch5x5 or branch_pool"
            )
        return graph.join(Concatenate(), branches, name="concatenate")
