"""Convolution with normalization and activation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from nas.architecture.arithmetic import Padding
from nas.architecture.blocks.base import Block, register
from nas.architecture.blocks.convolution import Style
from nas.architecture.fields import ActivationName, Bias, Filters, Groups, Kernel, Normalization, Stride
from nas.architecture.graph import Graph, SymbolicTensor
from nas.architecture.layers import DoesNotFitError, pair


@final
@register("conv")
@dataclass(frozen=True, kw_only=True, slots=True)
class Conv(Block):
    """Conv2D, then normalization, then activation.

    Attributes:
        filters: output channels.
        kernel: side of the window, or "HEIGHTxWIDTH".
        stride: step of the window.
        padding: `same` keeps the map's size at stride 1; `valid` uses no zeros and shrinks it.
        groups: the channels are split into this many groups that do not see each other.
        bias: `auto` is a bias exactly where no normalization follows.
        normalization: `batch` or `none`, before the activation.
        activation: after the normalization.
        stacked: (kernel - 1) / 2 consecutive 3x3 convolutions in place of one of an odd side, as VGG has it: the same
            field of view for fewer weights (Simonyan and Zisserman, 2015).
    """

    filters: Filters
    kernel: Kernel = 3
    stride: Stride = 1
    padding: Padding = "same"
    groups: Groups = 1
    bias: Bias = None
    normalization: Normalization = "batch"
    activation: ActivationName = "relu"
    stacked: bool = False

    def wire(self, graph: Graph, x: SymbolicTensor) -> SymbolicTensor:
        kernels = [pair(self.kernel)]
        if self.stacked and self.kernel != 1:
            if not isinstance(self.kernel, int) or self.kernel % 2 == 0:
                raise DoesNotFitError(
                    f"`stacked` needs a square kernel of an odd side; received kernel={self.kernel}; "
                    f"set stacked: false or use 3, 5 or 7"
                )
            kernels = [(3, 3)] * (self.kernel // 2)
        style = Style(self.bias, self.normalization, self.activation)
        for number, kernel in enumerate(kernels):
            x = style.conv(
                graph,
                x,
                self.filters,
                kernel,
                stride=self.stride if number == 0 else 1,
                padding=self.padding,
                groups=self.groups,
                name="conv" if len(kernels) == 1 else f"conv_{number + 1}",
            )
        return x
