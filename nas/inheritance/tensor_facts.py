"""What is known of a graph's tensors without its weights: which are equal, which channels belong together, signs.

A tensor is the output of the node before it: lists have the graph's input first, then a value for each node.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import assert_never

from nas.architecture.graph import Node
from nas.architecture.layers.facets import Channels, Mixed, Normalized, Range


def passes(node: Node) -> bool:
    """Whether the layer's output has, in inference, its input's numbers in its channels, whatever they are."""
    return node.layer.passes.holds(node.input_shapes[0])


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
        known.append(node.layer.output_range(*(known[source + 1] for source in node.inputs)))
    return known


def families(nodes: Sequence[Node]) -> list[int]:
    """For each tensor a number, equal where the channels have to be the same ones.

    Layers that treat each channel alone tie their output to their input, the first one: others say where, not what. An
    addition ties its inputs to each other.
    """
    parents = list(range(len(nodes) + 1))

    def root(tensor: int) -> int:
        while parents[tensor] != tensor:
            tensor = parents[tensor]
        return tensor

    for index, node in enumerate(nodes, start=1):
        match node.layer.channels:
            case Mixed() | Channels.JOINED | Channels.FLATTENED:
                pass
            case Normalized() | Channels.ALONE | Channels.FILTERED | Channels.COMPARED | Channels.SUMMED as treatment:
                for source in node.inputs if treatment is Channels.SUMMED else node.inputs[:1]:
                    parents[root(source + 1)] = root(index)
            case unknown:
                assert_never(unknown)
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
