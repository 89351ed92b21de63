"""The operators that LiteRT's converter makes of a network in whole numbers, in the order in which they run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from nas.architecture.arithmetic import Shape, elements
from nas.architecture.graph import Node
from nas.architecture.layers.facets import Channels, Fusion, Lowered


class Constant(NamedTuple):
    """A tensor that lies in the file.

    Attributes:
        axes: how many it has.
        bytes: of its numbers.
        scales: with which they are quantized: one, one a channel, or none.
    """

    axes: int
    bytes: int
    scales: int


class Operator(NamedTuple):
    """One operator.

    Attributes:
        inputs: whose outputs it reads, as places in the order; -1 is the image.
        shape: of its output, without the batch axis.
        constants: that it reads.
        kept: bytes that TFLM keeps of it, beside those of any operator.
        scratch: bytes that it needs while it runs.
    """

    inputs: tuple[int, ...]
    shape: Shape
    constants: tuple[Constant, ...]
    kept: int
    scratch: int


def lower(layers: Iterable[tuple[str, Node]]) -> list[Operator]:
    """The operators of a network.

    Args:
        layers: as `Architecture.nodes` has them.
    """
    named = list(layers)
    nodes = [node for _, node in named]
    readers = Counter(source for node in nodes for source in node.inputs)
    operators: list[Operator] = []
    takes: dict[int, Fusion] = {}
    made = {-1: -1}
    for place in _order([f"{block}_{node.name}" for block, node in named], nodes):
        node = nodes[place]
        what, inputs = node.layer.lowered, tuple(made[source] for source in node.inputs)
        before, alone = inputs[0], readers[node.inputs[0]] == 1
        is_view = what.joins is Fusion.VIEW and all(size == 1 for size in node.input_shapes[0][:-1])
        joins = alone and bool(what.joins & takes.get(before, Fusion(0)))
        if joins and what.joins is Fusion.CLAMP:
            takes[before] = Fusion.CLAMP  # no factor goes through a limit
        if joins or is_view or not what.kept:
            made[place] = before
            continue
        # An addition has two inputs, and a sum of more several additions.
        pairs = node.layer.channels is Channels.SUMMED
        reads = inputs[:2] if pairs else inputs
        scratch = what.scratch * elements(node.shape)
        for number, kept in enumerate(what.kept * (len(inputs) - 1) if pairs else what.kept, start=2):
            operators.append(Operator(reads, node.shape, _constants(node, what), kept, scratch))
            reads = len(operators) - 1, *inputs[number : number + 1]
        made[place] = len(operators) - 1
        takes[made[place]] = what.takes
    return operators


def _constants(node: Node, what: Lowered) -> tuple[Constant, ...]:
    """What each operator of a layer reads from the file."""
    weights, channels = node.layer.weights(node.input_shapes, node.shape), node.shape[-1]
    numbers = (Constant(axes=1, bytes=4 * what.numbers, scales=0),) if what.numbers else ()
    if weights is None:
        return numbers
    if Fusion.SCALE not in what.takes:
        return (Constant(axes=1, bytes=channels, scales=1),)
    # A kernel in int8, and biases in int32, without which there is no kernel.
    kernel = elements(weights.kernel)
    return (
        *numbers,
        Constant(axes=len(node.shape) + 1, bytes=kernel, scales=channels),
        Constant(axes=1, bytes=4 * channels, scales=channels),
    )


def _order(names: Sequence[str], nodes: Sequence[Node]) -> list[int]:
    """The order in which TensorFlow writes a graph: depth first by name, each layer before those that read it."""
    reads: list[list[int]] = [[] for _ in range(len(nodes) + 1)]
    for place, node in enumerate(nodes):
        for source in set(node.inputs):
            reads[source].append(place)  # those of the image, -1, are the last
    for following in reads:
        following.sort(key=lambda place: names[place])
    # Written from the end: a layer when all that read it are written.
    done: list[int] = []
    seen: set[int] = set()
    stack = [(place, False) for place in reads[-1]]
    while stack:
        place, is_left = stack.pop()
        if is_left:
            done.append(place)
        elif place not in seen:
            seen.add(place)
            stack.append((place, True))
            stack.extend((after, False) for after in reads[place] if after not in seen)
    return done[::-1]
