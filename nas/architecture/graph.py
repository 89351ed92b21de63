"""The layers of a block or a network as a small directed graph, recorded while a block wires itself."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

from nas.architecture.arithmetic import Shape, elements
from nas.architecture.count import FREE, Count
from nas.architecture.layers import Add, Concatenate, Layer, Window
from nas.architecture.layers.facets import Scattered

BYTES = 4
"""Of one float32 number."""


class SymbolicTensor(NamedTuple):
    """An output of the graph under construction: its `node` (-1: the input, below: a skip) and its shape."""

    node: int
    shape: Shape


class Node(NamedTuple):
    """One layer in place: what it is, what it reads, what it makes.

    Attributes:
        name: in its block.
        layer: without its place.
        inputs: indices of the nodes that it reads; -1 is the graph's input, -2 the first skip to a head, and so on.
        input_shapes: of these.
        shape: of the output.
        count: parameters and multiply-adds; memory is a property of the whole graph.
        canonical: equal for layers that compute the same function of the same weights on these inputs.
    """

    name: str
    layer: Layer
    inputs: tuple[int, ...]
    input_shapes: tuple[Shape, ...]
    shape: Shape
    count: Count  # type: ignore[assignment]  # hides tuple.count, which nobody needs of a node
    canonical: tuple[Any, ...]

    @property
    def window(self) -> Window | None:
        """The window that slides over the map, or over the output; None if the layer sees otherwise."""
        view = self.layer.view
        return view if isinstance(view, Window) else view.window if isinstance(view, Scattered) else None


@lru_cache(maxsize=1 << 16)
def _facts(layer: Layer, shapes: tuple[Shape, ...]) -> tuple[Shape, Count, tuple[Any, ...]]:
    """Output shape, count and canonical form of a layer; kept, because blocks differ more than their layers do."""
    shape = layer.output_shape(*shapes)
    weights = layer.weights(shapes, shape)
    return shape, weights.count if weights else FREE, layer.canonical(shapes, shape)


class Graph:
    """What a block's `wire` adds its layers to. Layers that change nothing leave no trace.

    Attributes:
        input: what the block before made.
        skips: what earlier blocks have handed over to the head, in their order.
        handed: what this block hands over to the head.
    """

    def __init__(self, input_shape: Shape, skips: Sequence[Shape] = ()) -> None:
        self.input = SymbolicTensor(-1, input_shape)
        self.skips = [SymbolicTensor(-2 - place, shape) for place, shape in enumerate(skips)]
        self.nodes: list[Node] = []
        self.handed: SymbolicTensor | None = None

    def hand_over(self, tensor: SymbolicTensor) -> None:
        """Keep a layer's output for the head."""
        self.handed = tensor

    def add(self, layer: Layer, *inputs: SymbolicTensor, name: str) -> SymbolicTensor:
        """The layer's output.

        Raises:
            DoesNotFitError: the layer cannot take these inputs.
        """
        if layer.is_identity:
            return inputs[0]
        sources, shapes = zip(*inputs, strict=True)
        shape, count, canonical = _facts(layer, shapes)
        self.nodes.append(Node(name, layer, sources, shapes, shape, count, canonical))
        return SymbolicTensor(len(self.nodes) - 1, shape)

    def join(self, layer: Add | Concatenate, tensors: Iterable[SymbolicTensor], *, name: str) -> SymbolicTensor:
        """Several branches as one tensor; a single branch is itself."""
        several = tuple(tensors)
        return several[0] if len(several) == 1 else self.add(layer, *several, name=name)


@dataclass(frozen=True, slots=True)
class Trace:
    """What is known of a block on one input shape without building it. Searches keep very many of these.

    Attributes:
        key: the canonical form and the inputs of every layer; equal for blocks that compute the same function.
        output: index of the layer that is the block's output; -1 if the block changes nothing.
        output_shape: of one example.
        count: parameters, multiply-adds, peak memory; open skips of earlier blocks are in a head's alone.
        skip: what is handed over to the head.
    """

    key: tuple[tuple[Any, ...], ...]
    output: int
    output_shape: Shape
    count: Count
    skip: SymbolicTensor | None = None

    @classmethod
    def of(cls, graph: Graph, output: SymbolicTensor) -> Trace:
        trainable = non_trainable = macs = 0
        key = []
        handed = graph.handed.node if graph.handed else None
        for index, node in enumerate(graph.nodes):
            count = node.count
            trainable += count.trainable
            non_trainable += count.non_trainable
            macs += count.macs
            # A layer whose output leaves sideways is another one than the same layer on the way.
            key.append((*node.canonical, *(("skip",) if index == handed else ()), node.inputs))
        peak = peak_elements(graph, output.node) * BYTES
        count = Count(trainable=trainable, non_trainable=non_trainable, macs=macs, activation_bytes=peak)
        return cls(tuple(key), output.node, output.shape, count, graph.handed)


def peak_elements(graph: Graph, output: int) -> int:
    """The most numbers that are alive at once while the nodes are computed in order."""
    nodes = graph.nodes
    last_use = {index: position for position, node in enumerate(nodes) for index in node.inputs}
    last_use[output] = len(nodes)
    if graph.handed:
        last_use[graph.handed.node] = len(nodes)
    alive = {node: elements(shape) for node, shape in (graph.input, *graph.skips)}
    peak = total = sum(alive.values())
    for position, node in enumerate(nodes):
        size = elements(node.shape)
        freed = 0
        for index in node.inputs:
            if last_use[index] == position:
                freed += alive.pop(index, 0)
        # Written over its input, or beside it until the input is released.
        needed = total - freed + size if freed and node.layer.in_place else total + size
        if needed > peak:
            peak = needed
        total += size - freed
        alive[position] = size
    return peak


def chain(parts: Iterable[tuple[str, Graph, SymbolicTensor]]) -> Iterator[tuple[str, Node]]:
    """The nodes of consecutive blocks as one graph, each with its block's name; input -1 is the first block's."""
    offset, incoming = 0, -1
    skips: tuple[int, ...] = ()
    for name, graph, output in parts:
        for node in graph.nodes:
            yield name, node._replace(inputs=tuple(placed(node.inputs, offset, incoming, skips)))
        if graph.handed:
            skips = (*skips, graph.handed.node + offset)
        incoming = incoming if output.node == -1 else output.node + offset
        offset += len(graph.nodes)


def placed(inputs: Iterable[int], offset: int, incoming: int, skips: Sequence[int]) -> Iterator[int]:
    """Inputs within a block as indices into all layers of a network.

    Args:
        inputs: as `Node.inputs` has them.
        offset: index of the block's first layer.
        incoming: of the layer whose output reaches the block.
        skips: of the layers whose outputs were handed over to the head.
    """
    for source in inputs:
        yield source + offset if source >= 0 else incoming if source == -1 else skips[-2 - source]
