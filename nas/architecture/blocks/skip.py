"""A way past the blocks that follow, from a map to the head."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from nas.architecture.blocks.base import Block, register
from nas.architecture.blocks.convolution import Style
from nas.architecture.fields import Classes
from nas.architecture.graph import Graph, SymbolicTensor


@final
@register("skip")
@dataclass(frozen=True, kw_only=True, slots=True)
class Skip(Block):
    """The map goes on as it is, and through a 1x1 convolution to the head, which adds it to its own (FCN's score maps).

    Attributes:
        classes: channels of the convolution.
    """

    classes: Classes

    def wire(self, graph: Graph, x: SymbolicTensor) -> SymbolicTensor:
        graph.hand_over(Style(True, "none", "linear").conv(graph, x, self.classes, name="classes"))
        return x
