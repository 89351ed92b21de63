"""The layers of a block or a network as a small directed graph, recorded while a block wires itself."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from nas.architecture.arithmetic import Shape, elements
from nas.architecture.count import Count
from nas.architecture.layers import Add, Concatenate, Layer

BYTES = 4
"""Of one float32 number."""


@dataclass(frozen=True, slots=True)
class Tensor:
    """An output of the graph under construction: `index` of its node (-1: the input) and its shape."""

    index: int
    shape: Shape


@dataclass(frozen=True, slots=True)
class Node:
    """One layer in place: what it is, what it reads, what it makes."""

    name: str
    layer: Layer
    inputs: tuple[int, ...]
    input_shapes: tuple[Shape, ...]
    shape: Shape

    @property
    def count(self) -> Count:
        """Parameters and multiply-adds; memory is a property of the whole graph."""
        return self.layer.count(self.input_shapes, self.shape)


class Graph:
    """What a block's `wire` adds its layers to. Layers that change nothing leave no trace."""

    def __init__(self, input_shape: Shape) -> None:
        self.input = Tensor(-1, input_shape)
        self.nodes: list[Node] = []

    def add(self, layer: Layer, *inputs: Tensor, name: str) -> Tensor:
        """The layer's output.

        Raises:
            DoesNotFitError: the layer cannot take these inputs.
        """
        if layer.is_identity:
            return inputs[0]
        shapes = tuple(tensor.shape for tensor in inputs)
        shape = layer.output_shape(*shapes)
        self.nodes.append(Node(name, layer, tuple(tensor.index for tensor in inputs), shapes, shape))
        return Tensor(len(self.nodes) - 1, shape)

    def join(self, layer: Add | Concatenate, tensors: Iterable[Tensor], *, name: str) -> Tensor:
        """Several branches as one tensor; a single branch is itself."""
        several = tuple(tensors)
        return several[0] if len(several) == 1 else self.add(layer, *several, name=name)


@dataclass(frozen=True, slots=True)
class Trace:
    """A wired block on one input shape: everything that is known of it without building it.

    Attributes:
        nodes: the layers in an order in which they can be computed; input -1 is the block's input.
        output: index of the node that is the block's output; -1 if the block changes nothing.
        key: equal for traces that compute the same function.
    """

    nodes: tuple[Node, ...]
    output: int
    output_shape: Shape
    count: Count
    key: tuple[Any, ...]

    @classmethod
    def of(cls, graph: Graph, output: Tensor) -> Trace:
        nodes = tuple(graph.nodes)
        trainable = non_trainable = macs = 0
        key = []
        for node in nodes:
            count = node.layer.count(node.input_shapes, node.shape)
            trainable += count.trainable
            non_trainable += count.non_trainable
            macs += count.macs
            key.append((*node.layer.canonical(node.input_shapes, node.shape), node.inputs))
        peak = peak_elements(graph.input.shape, nodes, output.index) * BYTES
        count = Count(trainable=trainable, non_trainable=non_trainable, macs=macs, activation_bytes=peak)
        return cls(nodes, output.index, output.shape, count, tuple(key))


def peak_elements(input_shape: Shape, nodes: Iterable[Node], output: int) -> int:
    """The most numbers that are alive at once while the nodes are computed in order."""
    nodes = tuple(nodes)
    last_use = {output: len(nodes)}
    for position, node in enumerate(nodes):
        for index in node.inputs:
            last_use[index] = max(last_use.get(index, -1), position)
    alive = {-1: elements(input_shape)}
    peak = total = alive[-1]
    for position, node in enumerate(nodes):
        size = elements(node.shape)
        dying = {index for index in node.inputs if last_use[index] == position}
        freed = sum(alive.pop(index) for index in dying)
        # Written over its input, or beside it until the input is released.
        peak = max(peak, total + (size - freed if node.layer.in_place and dying else size))
        total += size - freed
        alive[position] = size
    return peak


def chain(traces: Iterable[tuple[str, Trace]]) -> Iterator[tuple[str, Node]]:
    """The nodes of consecutive blocks as one graph, each with its block's name; input -1 is the first block's."""
    offset, incoming = 0, -1
    for name, trace in traces:
        for node in trace.nodes:
            inputs = tuple(incoming if index == -1 else index + offset for index in node.inputs)
            yield name, Node(node.name, node.layer, inputs, node.input_shapes, node.shape)
        incoming = incoming if trace.output == -1 else trace.output + offset
        offset += len(trace.nodes)
