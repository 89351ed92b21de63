"""What is known of a graph's tensors without its weights: which are equal, which channels belong together, signs.

A tensor is the output of the node before it: lists have the graph's input first, then a value for each node.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence

from nas.architecture.composed_layers import LocalResponseNormalization
from nas.architecture.graph import Node
from nas.architecture.layers import (
    Activation,
    Add,
    BatchNormalization,
    Concatenate,
    Conv2D,
    Dense,
    DepthwiseConv2D,
    Dropout,
    Flatten,
    ZeroPad2D,
)

Range = tuple[float, float]
"""Smallest and largest value that a tensor can have."""

_ANY = (-math.inf, math.inf)


def passes(node: Node) -> bool:
    """Whether the layer's output has, in inference, its input's numbers in their order."""
    return isinstance(node.layer, Dropout) or (
        node.canonical == ("flatten",) and all(size == 1 for size in node.input_shapes[0][:-1])
    )


def mixes_channels(node: Node) -> bool:
    """Whether an output channel depends on more than one input channel, without weights that could be changed."""
    return isinstance(node.layer, LocalResponseNormalization) or node.layer == Activation(function="softmax")


def sources(nodes: Sequence[Node]) -> list[int]:
    """For each tensor the node, -1 the input, that made its numbers."""
    made = [-1]
    for index, node in enumerate(nodes):
        made.append(made[node.inputs[0] + 1] if passes(node) else index)
    return made


def ranges(nodes: Sequence[Node]) -> list[Range]:
    """Of each tensor, of a network whose images have values in [0, 1]."""
    known: list[Range] = [(0.0, 1.0)]
    for node in nodes:
        known.append(_range(node, [known[source + 1] for source in node.inputs]))
    return known


def _range(node: Node, inputs: Sequence[Range]) -> Range:
    low, high = min(each[0] for each in inputs), max(each[1] for each in inputs)
    match node.layer:
        case Conv2D() | Dense() | DepthwiseConv2D() | BatchNormalization():
            return _ANY
        case Activation(function="relu"):
            return max(low, 0.0), max(high, 0.0)
        case Activation(function="relu6"):
            return min(max(low, 0.0), 6.0), min(max(high, 0.0), 6.0)
        case Activation(function="sigmoid" | "softmax"):
            return 0.0, 1.0
        case Activation(function=function):
            return (low, high) if keeps(function, (low, high)) else _ANY
        case Add():
            return sum(each[0] for each in inputs), sum(each[1] for each in inputs)
        case ZeroPad2D():
            return min(low, 0.0), max(high, 0.0)
        case LocalResponseNormalization():
            # It divides by something positive.
            return (0.0 if low >= 0 else -math.inf), math.inf
    return low, high


def keeps(function: str, values: Range) -> bool:
    """Whether an activation leaves all numbers of a range as they are.

    >>> keeps("relu", (0, 9)), keeps("relu6", (0, 9)), keeps("relu", (-1, 9)), keeps("tanh", (0, 1))
    (True, False, False, False)
    """
    if function == "relu6":
        return values[0] >= 0 and values[1] <= 6
    return function in ("relu", "leaky_relu", "elu") and values[0] >= 0


def families(nodes: Sequence[Node]) -> list[int]:
    """For each tensor a number, equal where the channels have to be the same ones.

    Layers that treat each channel alone tie their output to their input; an addition ties its inputs to each other.
    """
    parents = list(range(len(nodes) + 1))

    def root(tensor: int) -> int:
        while parents[tensor] != tensor:
            tensor = parents[tensor]
        return tensor

    for index, node in enumerate(nodes, start=1):
        if not isinstance(node.layer, (Conv2D, Dense, Concatenate, Flatten)):
            for source in node.inputs:
                parents[root(source + 1)] = root(index)
    return [root(tensor) for tensor in range(len(parents))]


def shortcuts(nodes: Sequence[Node], old: Collection[int]) -> dict[int, int]:
    """For each new layer that joins branches, the position of the branch with the fewest new layers.

    Args:
        nodes: the graph.
        old: indices of the layers that are not new.
    """
    depths, found = [0], {}
    for index, node in enumerate(nodes):
        depth = [depths[source + 1] for source in node.inputs]
        depths.append(0 if index in old else 1 + max(depth))
        if index not in old and len(node.inputs) > 1:
            found[index] = depth.index(min(depth))
    return found
