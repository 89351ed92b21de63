"""One convolution with its normalization and activation: what most blocks are made of."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from nas.architecture.arithmetic import Padding
from nas.architecture.fields import Normalization
from nas.architecture.graph import Graph, SymbolicTensor
from nas.architecture.layers import (
    Activation,
    BatchNormalization,
    Conv2D,
    DepthwiseConv2D,
    Pair,
    Window,
    pair,
)


# A search makes the same few layers very often; one object of each is kept.
@cache
def _window(size: int | Pair, stride: int | Pair, padding: Padding) -> Window:
    return Window(size=pair(size), stride=pair(stride), padding=padding)


@cache
def _conv(filters: int, window: Window, groups: int, bias: bool) -> Conv2D:
    return Conv2D(filters=filters, window=window, groups=groups, bias=bias)


@cache
def _activation(function: str) -> Activation:
    return Activation(function=function)


_BATCH_NORMALIZATION = BatchNormalization()


@dataclass(frozen=True, slots=True)
class Style:
    """What follows every convolution of a block."""

    bias: bool | None
    normalization: Normalization
    activation: str

    @property
    def has_bias(self) -> bool:
        return self.normalization == "none" if self.bias is None else self.bias

    def conv(
        self,
        graph: Graph,
        x: SymbolicTensor,
        filters: int,
        kernel: int | Pair = 1,
        *,
        name: str,
        stride: int | Pair = 1,
        padding: Padding = "same",
        groups: int = 1,
    ) -> SymbolicTensor:
        """Convolution, normalization, activation."""
        x = graph.add(_conv(filters, _window(kernel, stride, padding), groups, self.has_bias), x, name=name)
        return self.activate(graph, x, name=name)

    def depthwise(
        self, graph: Graph, x: SymbolicTensor, kernel: int | Pair, *, name: str, stride: int | Pair, padding: Padding
    ) -> SymbolicTensor:
        """A convolution of each channel alone, normalization, activation."""
        window = _window(kernel, stride, padding)
        return self.activate(
            graph, graph.add(DepthwiseConv2D(window=window, bias=self.has_bias), x, name=name), name=name
        )

    def activate(self, graph: Graph, x: SymbolicTensor, *, name: str) -> SymbolicTensor:
        """Normalization, then activation."""
        if self.normalization == "batch":
            x = graph.add(_BATCH_NORMALIZATION, x, name=f"{name}_norm")
        return graph.add(_activation(self.activation), x, name=f"{name}_{self.activation}")
