"""The arithmetic behind each layer's numbers, and what sharing its parameters saves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from nas.architecture.arithmetic import Shape, padded, positions
from nas.architecture.graph import Node
from nas.architecture.layers.facets import ReceptiveField, Scattered, WeightNumbers, Window

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
        weights = node.layer.weights(node.input_shapes, node.shape)
        if node.window is None and weights is None:
            continue
        found.append(
            Explanation(
                block=block,
                layer=node.name,
                size=_size(node.layer.view, node.input_shapes[0]),
                parameters=f"{weights.formula} = {node.count.parameters:,}" if weights else "",
                shared=node.count.parameters,
                unshared=_unshared(node, weights),
            )
        )
    return found


def _unshared(node: Node, weights: WeightNumbers | None) -> int | None:
    """Parameters of a convolution whose outputs share none: height * width times as many."""
    if weights is None or not weights.uses or len(node.shape) == 1:
        return None
    height, width, _ = node.shape
    return height * width * node.count.parameters


def _size(view: ReceptiveField, shape: Shape) -> str:
    axes = []
    match view:
        case Window():
            for size, side, stride in zip(shape, view.size, view.stride, strict=False):
                zeros = sum(padded(size, side, stride, view.padding))
                found = positions(size, side, stride, zeros)
                axes.append(f"floor(({size} - {side} + {zeros}) / {stride}) + 1 = {found}")
        case Scattered(window=window):
            axes = [f"{size} * {stride} = {size * stride}" for size, stride in zip(shape, window.stride, strict=False)]
        case _:
            return ""
    return axes[0] if axes[0] == axes[1] else " by ".join(axes)
