"""Residual blocks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, final

from nas.architecture.blocks.base import Block, register
from nas.architecture.blocks.convolution import Style
from nas.architecture.fields import (
    ActivationName,
    Bias,
    Depth,
    Filters,
    Groups,
    Kernel,
    Normalization,
    Stride,
)
from nas.architecture.graph import Graph, SymbolicTensor
from nas.architecture.layers import Activation, Add


@final
@register("residual")
@dataclass(frozen=True, kw_only=True, slots=True)
class Residual(Block):
    """Convolutions whose result is added to their input (He et al., 2016).

    The shortcut is the identity, or a 1x1 projection exactly when height, width or channels change. The last
    activation comes after the sum.

    Attributes:
        filters: output channels.
        form: `basic` is `convolutions` kxk ones; `bottleneck` is 1x1, kxk, 1x1.
        squeeze: channels inside the bottleneck form; `basic` has none of it.
        convolutions: how many the basic form has; the original has 2.
        kernel, groups: of the kxk convolutions.
        stride: of the first convolution (in the bottleneck form of the one that `stride_at` names) and of the
            projection.
        stride_at: `first` as in the paper, or `middle`, the kxk one.
        bias, normalization, activation: of every convolution.
        projection: `normalized` as the convolutions are, or `plain`, without a normalization of its own.
    """

    filters: Filters
    form: Literal["basic", "bottleneck"] = "basic"
    squeeze: Filters = 1
    convolutions: Depth = 2
    kernel: Kernel = 3
    groups: Groups = 1
    stride: Stride = 1
    stride_at: Literal["first", "middle"] = "first"
    bias: Bias = None
    normalization: Normalization = "batch"
    activation: ActivationName = "relu"
    projection: Literal["normalized", "plain"] = "normalized"

    def wire(self, graph: Graph, x: SymbolicTensor) -> SymbolicTensor:
        style = Style(self.bias, self.normalization, self.activation)
        linear = Style(self.bias, self.normalization, "linear")
        y = x
        if self.form == "bottleneck":
            first, middle = (self.stride, 1) if self.stride_at == "first" else (1, self.stride)
            y = style.conv(graph, y, self.squeeze, stride=first, name="reduce")
            y = style.conv(graph, y, self.squeeze, self.kernel, stride=middle, groups=self.groups, name="conv")
            y = linear.conv(graph, y, self.filters, name="expand")
        else:
            for number in range(1, self.convolutions + 1):
                y = (linear if number == self.convolutions else style).conv(
                    graph,
                    y,
                    self.filters,
                    self.kernel,
                    stride=self.stride if number == 1 else 1,
                    groups=self.groups,
                    name=f"conv_{number}",
                )
        if y.shape != x.shape:
            shortcut = linear if self.projection == "normalized" else Style(self.bias, "none", "linear")
            x = shortcut.conv(graph, x, self.filters, stride=self.stride, name="project")
        y = graph.add(Add(), y, x, name="add")
        return graph.add(Activation(function=self.activation), y, name=f"add_{self.activation}")
