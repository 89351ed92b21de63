"""From a map to a map with a number a class, by convolutions in place of dense layers."""

from __future__ import annotations

from typing import Protocol

from nas.architecture.arithmetic import Padding
from nas.architecture.blocks.convolution import Style
from nas.architecture.fields import Normalization
from nas.architecture.graph import Graph, SymbolicTensor
from nas.architecture.layers import Dropout


class ClassConvolutions(Protocol):
    """The options of the convolutions that end a head."""

    @property
    def classes(self) -> int: ...
    @property
    def units(self) -> tuple[int, ...]: ...
    @property
    def kernel(self) -> int | tuple[int, int]: ...
    @property
    def padding(self) -> Padding: ...
    @property
    def dropout(self) -> float: ...
    @property
    def normalization(self) -> Normalization: ...
    @property
    def activation(self) -> str: ...


def class_map(graph: Graph, x: SymbolicTensor, head: ClassConvolutions) -> SymbolicTensor:
    """The first convolution has the head's kernel, the others see a pixel each; the last has no activation."""
    style, last = Style(None, head.normalization, head.activation), Style(True, "none", "linear")
    kernel = head.kernel
    for number, filters in enumerate(head.units, start=1):
        if number > 1:
            x = graph.add(Dropout(rate=head.dropout), x, name=f"dropout_{number}")
        x = style.conv(graph, x, filters, kernel, padding=head.padding, name=f"conv_{number}")
        kernel = 1
    x = graph.add(Dropout(rate=head.dropout), x, name="dropout")
    return last.conv(graph, x, head.classes, kernel, padding=head.padding, name="classes")
