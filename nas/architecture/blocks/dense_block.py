"""DenseNet's concatenating block."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, final

from nas.architecture.blocks.base import Block, register
from nas.architecture.blocks.convolution import Style
from nas.architecture.fields import ActivationName, Bias, Depth, Filters, Kernel, Normalization, Real, Whole
from nas.architecture.graph import Graph, SymbolicTensor
from nas.architecture.layers import Concatenate, Conv2D, Pool2D, Window, pair


@final
@register("dense_block")
@dataclass(frozen=True, kw_only=True, slots=True)
class DenseBlock(Block):
    """Layers that each see the concatenation of all before them, then a compressing transition (Huang et al., 2017).

    A layer is normalization, activation, 1x1 convolution to `width * growth` channels, normalization, activation,
    kxk convolution to `growth` channels. The transition is normalization, activation, a 1x1 convolution and 2x2
    average pooling.

    Attributes:
        growth: channels that each layer adds.
        layers: how many.
        width: channels of the 1x1 bottleneck in units of `growth`; 0 leaves the bottleneck out.
        kernel: of the kxk convolutions.
        transition: whether the transition follows.
        compression: share of the channels that the transition keeps.
        bias, normalization, activation: of every convolution.
    """

    growth: Filters
    layers: Depth = 2
    width: Annotated[int, Whole(0, 64)] = 4
    kernel: Kernel = 3
    transition: bool = True
    compression: Annotated[float, Real(0.01, 1, includes_maximum=True)] = 0.5
    bias: Bias = None
    normalization: Normalization = "batch"
    activation: ActivationName = "relu"

    def wire(self, graph: Graph, x: SymbolicTensor) -> SymbolicTensor:
        style = Style(self.bias, self.normalization, self.activation)

        def preactivated(x: SymbolicTensor, filters: int, kernel: int | tuple[int, int], name: str) -> SymbolicTensor:
            x = style.activate(graph, x, name=f"{name}_in")
            window = Window(size=pair(kernel), stride=(1, 1), padding="same")
            return graph.add(Conv2D(filters=filters, window=window, bias=style.has_bias), x, name=name)

        for number in range(1, self.layers + 1):
            y = preactivated(x, self.width * self.growth, 1, f"reduce_{number}") if self.width else x
            y = preactivated(y, self.growth, self.kernel, f"conv_{number}")
            x = graph.add(Concatenate(), x, y, name=f"concatenate_{number}")
        if self.transition:
            x = preactivated(x, max(1, int(x.shape[2] * self.compression)), 1, "transition")
            halve = Window(size=(2, 2), stride=(2, 2), padding="valid")
            x = graph.add(Pool2D(pool="average", window=halve), x, name="transition_pool")
        return x
