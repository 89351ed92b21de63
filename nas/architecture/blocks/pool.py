"""Pooling."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from nas.architecture.arithmetic import Padding
from nas.architecture.blocks.base import Block, register
from nas.architecture.fields import AutoStride, Kernel, PoolName
from nas.architecture.graph import Graph, SymbolicTensor
from nas.architecture.layers import Pool2D, Window, pair


@final
@register("pool")
@dataclass(frozen=True, kw_only=True, slots=True)
class Pool(Block):
    """The largest or the mean value of each window, channel by channel; no weights.

    Attributes:
        pool: `max` or `average`; the zeros of same padding are left out of both.
        size: side of the window.
        stride: step of the window; `auto` is its size. A smaller one overlaps.
        padding: `valid` drops the rest that no whole window covers.
    """

    pool: PoolName = "max"
    size: Kernel = 2
    stride: AutoStride = None
    padding: Padding = "valid"

    def wire(self, graph: Graph, x: SymbolicTensor) -> SymbolicTensor:
        size = pair(self.size)
        stride = size if self.stride is None else pair(self.stride)
        return graph.add(
            Pool2D(pool=self.pool, window=Window(size=size, stride=stride, padding=self.padding)),
            x,
            name="pool",
        )
