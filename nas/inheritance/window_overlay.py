"""How a layer's window lies over that of another layer."""

from __future__ import annotations

import math

from nas.architecture.arithmetic import padded
from nas.architecture.graph import Node
from nas.architecture.layers import Pair, Window

_ONE = Window(size=(1, 1), stride=(1, 1), padding="valid")


def window_size(node: Node) -> Pair:
    """`(height, width)`; a layer without a window sees one pixel."""
    return (node.window or _ONE).size


def stride(node: Node) -> Pair:
    """Of the layer's window; 1 where it never takes a step."""
    if len(node.shape) == 1:
        return 1, 1
    down, right = (node.window or _ONE).stride
    return (down if node.shape[0] > 1 else 1), (right if node.shape[1] > 1 else 1)


def zeros_before(node: Node) -> Pair:
    """Rows and columns of zeros above and left of the map."""
    if len(node.shape) == 1:
        return 0, 0
    window, shape = node.window or _ONE, node.input_shapes[0]
    top, left = (padded(shape[axis], window.size[axis], window.stride[axis], window.padding)[0] for axis in (0, 1))
    return top, left


def offset(node: Node, old: Node) -> Pair:
    """Where in the child's window the parent's lies: over the same pixels, or in its middle if the maps differ."""
    if node.input_shapes[0][:-1] == old.input_shapes[0][:-1] and node.shape[:-1] == old.shape[:-1]:
        (top, left), (old_top, old_left) = zeros_before(node), zeros_before(old)
        return top - old_top, left - old_left
    size, old_size = window_size(node), window_size(old)
    return (size[0] - old_size[0]) // 2, (size[1] - old_size[1]) // 2


def common_taps(node: Node, old: Node) -> int:
    """Positions of the child's window that the parent's has, too."""
    sides = zip(window_size(node), window_size(old), strict=True)
    return math.prod(min(side) for side in sides)
