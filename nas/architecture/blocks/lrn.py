"""Local response normalization."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, final

from nas.architecture.blocks.base import Block, register
from nas.architecture.fields import Depth, Real
from nas.architecture.graph import Graph, SymbolicTensor
from nas.architecture.layers import LocalResponseNormalization


@final
@register("lrn")
@dataclass(frozen=True, kw_only=True, slots=True)
class LocalResponse(Block):
    """Each value divided by (offset + alpha * sum of squares over neighboring channels) ^ beta; no weights.

    As AlexNet has it (Krizhevsky et al., 2012), with its numbers as defaults. Programs that divide alpha by the number
    of channels write it `size` times as large.

    Attributes:
        size: how many neighboring channels, the value's own included.
        offset: the paper's k.
        alpha: weight of the sum.
        beta: exponent.
    """

    size: Depth = 5
    offset: Annotated[float, Real(0.001, 1_000)] = 2.0
    alpha: Annotated[float, Real(0, 1_000)] = 1e-4
    beta: Annotated[float, Real(0, 10)] = 0.75

    def wire(self, graph: Graph, x: SymbolicTensor) -> SymbolicTensor:
        layer = LocalResponseNormalization(size=self.size, offset=self.offset, alpha=self.alpha, beta=self.beta)
        return graph.add(layer, x, name="lrn")
