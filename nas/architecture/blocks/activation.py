"""An activation of its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from nas.architecture.blocks.base import Block, register
from nas.architecture.blocks.convolution import Style
from nas.architecture.fields import ActivationName, Normalization
from nas.architecture.graph import Graph, SymbolicTensor


@final
@register("activation")
@dataclass(frozen=True, kw_only=True, slots=True)
class ActivationBlock(Block):
    """Normalization, then activation, where no convolution comes right before them.

    Attributes:
        normalization: `batch` or `none`, before the activation.
        activation: after the normalization.
    """

    normalization: Normalization = "none"
    activation: ActivationName = "relu"

    def wire(self, graph: Graph, x: SymbolicTensor) -> SymbolicTensor:
        return Style(None, self.normalization, self.activation).activate(graph, x, name="activation")
