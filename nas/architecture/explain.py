"""The arithmetic behind each layer's numbers, and what sharing its parameters saves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from nas.architecture.arithmetic import Shape, padded, positions
from nas.architecture.graph import Node
from nas.architecture.layers import BatchNormalization, Conv2D, Dense, DepthwiseConv2D, Window
from nas.architecture.summary import window_of

if TYPE_CHECKING:
    from nas.architecture.architecture import Architecture


@dataclass(frozen=True, kw_only=True, slots=True)
class Explanation:
    """One layer with weights or with a window.

    Attributes:
        block, layer: its name, as in the summary's rows.
        size: how its height follows, such as `floor((227 - 11 + 0) / 4) + 1 = 55`; the width too where that differs.
        parameters: how its parameters follow, such as `11*11*3*96 + 96 = 34,944`; "" without any.
        shared: its parameters.
        unshared: parameters it would have if each of its outputs had weights (and a bias, where the layer has biases)
            of its own instead of sharing them with all other positions of its map; None if it is no convolution.
    """

    block: str
    layer: str
    size: str
    parameters: str
    shared: int
    unshared: int | None


def explain(architecture: Architecture) -> list[Explanation]:
    """Every layer that has weights or a window, in order."""
    found = []
    for block, node in architecture.nodes():
        window = window_of(node.layer)
        if window is None and not node.count.parameters:
            continue
        found.append(
            Explanation(
                block=block,
                layer=node.name,
                size=_size(window, node.input_shapes[0]) if window else "",
                parameters=_parameters(node),
                shared=node.count.parameters,
                unshared=unshared(node),
            )
        )
    return found


def unshared(node: Node) -> int | None:
    """Parameters of a convolution whose outputs share none: height * width times as many."""
    if not isinstance(node.layer, (Conv2D, DepthwiseConv2D)):
        return None
    height, width, _ = node.shape
    return height * width * node.count.parameters


def _size(window: Window, shape: Shape) -> str:
    axes = []
    for size, side, stride in zip(shape, window.size, window.stride, strict=False):
        zeros = sum(padded(size, side, stride, window.padding))
        found = positions(size, side, stride, zeros)
        axes.append(f"floor(({size} - {side} + {zeros}) / {stride}) + 1 = {found}")
    return axes[0] if axes[0] == axes[1] else " by ".join(axes)


def _parameters(node: Node) -> str:
    layer, total = node.layer, f" = {node.count.parameters:,}"
    match layer:
        case Conv2D():
            height, width = layer.window.size
            bias = f" + {layer.filters}" if layer.bias else ""
            return f"{height}*{width}*{node.input_shapes[0][2] // layer.groups}*{layer.filters}{bias}{total}"
        case DepthwiseConv2D():
            height, width = layer.window.size
            bias = f" + {node.shape[2]}" if layer.bias else ""
            return f"{height}*{width}*{node.shape[2]}{bias}{total}"
        case Dense():
            return f"{node.input_shapes[0][0]}*{layer.units}{f' + {layer.units}' if layer.bias else ''}{total}"
        case BatchNormalization():
            return f"4*{node.shape[-1]}{total}"
        case _:
            return f"{node.count.parameters:,}" if node.count.parameters else ""
