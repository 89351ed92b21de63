"""What every block promises, and the registry of block kinds."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import lru_cache
from typing import Any, ClassVar

from nas.architecture.arithmetic import Shape
from nas.architecture.count import Count
from nas.architecture.fields import field_types, is_required
from nas.architecture.graph import Graph, SymbolicTensor, Trace
from nas.architecture.keras_types import Tensor
from nas.architecture.layers import DoesNotFitError
from nas.errors import ECHOED, NasError, printable, shown
from nas.registry import Registry, did_you_mean


class BlockError(NasError):
    """A block's option has a value that it cannot have."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Block(ABC):
    """A piece of a network. If it exists, its options are valid.

    A kind is one frozen class with annotated options and one method, `wire`. Output shape, parameters, multiply-adds,
    memory, the table, the drawing and the Keras layers are all read from what `wire` records, so that they cannot
    disagree.
    """

    kind: ClassVar[str]
    is_head: ClassVar[bool] = False
    """Whether the block ends a network; see `nas.architecture.blocks.head.Head`."""

    def __post_init__(self) -> None:
        for name, field_type in field_types(type(self)).items():
            value = getattr(self, name)
            try:
                parsed = field_type.parse(value)
            except ValueError as error:
                raise BlockError(f"{self.kind}: `{name}` {error}; received {shown(value)}") from None
            if parsed is not value:
                object.__setattr__(self, name, parsed)

    @abstractmethod
    def wire(self, graph: Graph, x: SymbolicTensor) -> SymbolicTensor:
        """Add this block's layers to the graph, reading `x`; the block's output.

        Raises:
            DoesNotFitError: the block cannot take a map of this shape.
        """

    def wired(self, input_shape: Shape, skips: tuple[Shape, ...] = ()) -> tuple[Graph, SymbolicTensor]:
        """The block's layers on an input of `(height, width, channels)`, and its output among them.

        Args:
            input_shape: of the map that reaches the block.
            skips: of the maps that were handed over, for a head.

        Raises:
            DoesNotFitError: the block cannot take a map of this shape.
        """
        graph = Graph(input_shape, skips)
        return graph, self.wire(graph, graph.input)

    def trace(self, input_shape: Shape, skips: tuple[Shape, ...] = ()) -> Trace:
        """Everything that is known of the block on an input of `(height, width, channels)`, and with skips to a head.

        Raises:
            DoesNotFitError: the block cannot take a map of this shape.
        """
        outcome = _trace(self, input_shape, skips)
        if isinstance(outcome, Trace):
            return outcome
        raise DoesNotFitError(outcome)

    def fits(self, input_shape: Shape) -> bool:
        """Whether the block can take a map of this shape."""
        return isinstance(_trace(self, input_shape, ()), Trace)

    def output_shape(self, input_shape: Shape) -> Shape:
        """`(height, width, channels)` after the block; after a head, the shape of its outputs."""
        return self.trace(input_shape).output_shape

    def count(self, input_shape: Shape) -> Count:
        """Parameters (trainable, non-trainable), multiply-adds and peak memory on this input."""
        return self.trace(input_shape).count

    def build(self, x: Tensor, *, name: str, momentum: float = 0.9, skips: list[Tensor] | None = None) -> Tensor:
        """The block's Keras layers applied to a Keras tensor of `(batch, height, width, channels)`.

        Args:
            x: the tensor.
            name: that the layers' names begin with.
            momentum: of the moving statistics.
            skips: what was handed over to the head so far; the block adds what it hands over.
        """
        handed = [] if skips is None else skips
        graph, output = self.wired(tuple(x.shape[1:]), tuple(tuple(skip.shape[1:]) for skip in handed))
        tensors = [x]
        for node in graph.nodes:
            layer = node.layer.keras_layer(f"{name}_{node.name}", momentum=momentum)
            inputs = [tensors[source + 1] if source >= -1 else handed[-2 - source] for source in node.inputs]
            tensors.append(layer(inputs[0] if len(inputs) == 1 else inputs))
        if graph.handed:
            handed.append(tensors[graph.handed.node + 1])
        return tensors[output.node + 1]

    def to_dict(self) -> dict[str, Any]:
        """`kind` and every option that is not its default, as plain JSON values."""
        types = field_types(type(self))
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {"kind": self.kind} | {
            field.name: types[field.name].dump(values[field.name])
            for field in fields(self)
            if is_required(field) or values[field.name] != field.default
        }

    def __str__(self) -> str:
        options = ", ".join(f"{name}={value}" for name, value in self.to_dict().items() if name != "kind")
        return f"{self.kind}({options})"


@lru_cache(maxsize=1 << 18)
def _trace(block: Block, input_shape: Shape, skips: tuple[Shape, ...]) -> Trace | str:
    """The trace, or why there is none. Kept: a search meets few distinct blocks, and each very often."""
    try:
        return Trace.of(*block.wired(input_shape, skips))
    except DoesNotFitError as error:
        return str(error)


BLOCKS: Registry[type[Block]] = Registry("block kind", BlockError, attribute="kind")
"""Every block kind by its name in files."""

register = BLOCKS.register


def block_from_dict(data: Mapping[str, Any]) -> Block:
    """The block that `Block.to_dict` wrote. Only data is read: no name in it can run code.

    Raises:
        BlockError: an unknown kind or option, a missing or invalid value.
    """
    if not isinstance(data, Mapping):
        raise BlockError(f"a block must be an object with a `kind`; received {shown(data)}")
    cls = BLOCKS.find(data.get("kind"))
    options = {name: value for name, value in data.items() if name != "kind"}
    known = field_types(cls)
    for name in options:
        if name not in known:
            raise BlockError(
                f"{cls.kind}: there is no option `{printable(name, most=ECHOED)}`{did_you_mean(name, known)}; "
                f"use one of {', '.join(sorted(known))}"
            )
    missing = [field.name for field in fields(cls) if is_required(field) and field.name not in options]
    if missing:
        raise BlockError(f"{cls.kind}: `{missing[0]}` is missing")
    return cls(**options)
