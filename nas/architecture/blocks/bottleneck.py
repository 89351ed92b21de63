"""The 1x1 bottleneck."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from nas.architecture.arithmetic import Padding
from nas.architecture.blocks.base import Block, register
from nas.architecture.blocks.convolution import Style
from nas.architecture.fields import ActivationName, Bias, Filters, Groups, Kernel, Normalization, Stride
from nas.architecture.graph import Graph, SymbolicTensor


@final
@register("bottleneck")
@dataclass(frozen=True, kw_only=True, slots=True)
class Bottleneck(Block):
    """A 1x1 convolution to few channels, a kxk convolution there, and a 1x1 convolution to `filters` channels.

    Attributes:
        filters: output channels.
        squeeze: channels between the two 1x1 convolutions.
        kernel, stride, padding, groups: of the middle convolution.
        bias, normalization, activation: of all three.
    """

    filters: Filters
    squeeze: Filters
    kernel: Kernel = 3
    stride: Stride = 1
    padding: Padding = "same"
    groups: Groups = 1
    bias: Bias = None
    normalization: Normalization = "batch"
    activation: ActivationName = "relu"

    def wire(self, graph: Graph, x: SymbolicTensor) -> SymbolicTensor:
        style = Style(self.bias, self.normalization, self.activation)
        x = style.conv(graph, x, self.squeeze, name="reduce")
        x = style.conv(
            graph,
            x,
            self.squeeze,
            self.kernel,
            stride=self.stride,
            padding=self.padding,
            groups=self.groups,
            name="conv",
        )
        return style.conv(graph, x, self.filters, name="expand")
