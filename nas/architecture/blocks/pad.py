"""Zero padding."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, final

from nas.architecture.blocks.base import Block, register
from nas.architecture.fields import Whole
from nas.architecture.graph import Graph, SymbolicTensor
from nas.architecture.layers import DoesNotFitError, ZeroPad2D

_Pixels = Annotated[int, Whole(0, 4_096)]


@final
@register("pad")
@dataclass(frozen=True, kw_only=True, slots=True)
class Pad(Block):
    """Zeros around the map.

    Attributes:
        amount: zeros on each side.
        to: smallest height and width of the result; what is missing is added, half of it on each side, an odd one
            below and on the right. A larger map stays as it is.
    """

    amount: _Pixels = 0
    to: _Pixels = 0

    def wire(self, graph: Graph, x: SymbolicTensor) -> SymbolicTensor:
        if len(x.shape) != 3:
            raise DoesNotFitError(f"padding needs a map; received a vector of {x.shape[0]:,}")
        (top, bottom), (left, right) = (self._zeros(size) for size in x.shape[:2])
        return graph.add(ZeroPad2D(top=top, bottom=bottom, left=left, right=right), x, name="pad")

    def _zeros(self, size: int) -> tuple[int, int]:
        """Before and after one axis."""
        missing = max(0, self.to - size - 2 * self.amount)
        return self.amount + missing // 2, self.amount + missing - missing // 2
