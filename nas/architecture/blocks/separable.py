"""The depthwise-separable convolution."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from nas.architecture.arithmetic import Padding
from nas.architecture.blocks.base import Block, register
from nas.architecture.blocks.convolution import Style
from nas.architecture.fields import ActivationName, Bias, Filters, Kernel, Normalization, Stride
from nas.architecture.graph import Graph, SymbolicTensor


@final
@register("separable")
@dataclass(frozen=True, kw_only=True, slots=True)
class Separable(Block):
    """A kxk convolution of each channel alone, then a 1x1 convolution across channels (Howard et al., 2017).

    Attributes:
        filters: output channels of the 1x1 convolution.
        kernel, stride, padding: of the depthwise convolution.
        bias, normalization, activation: of both.
    """

    filters: Filters
    kernel: Kernel = 3
    stride: Stride = 1
    padding: Padding = "same"
    bias: Bias = None
    normalization: Normalization = "batch"
    activation: ActivationName = "relu"

    def wire(self, graph: Graph, x: SymbolicTensor) -> SymbolicTensor:
        style = Style(self.bias, self.normalization, self.activation)
        x = style.depthwise(graph, x, self.kernel, stride=self.stride, padding=self.padding, name="depthwise")
        return style.conv(graph, x, self.filters, name="pointwise")
