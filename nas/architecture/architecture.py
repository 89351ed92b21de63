"""One network: blocks on an input shape. If it exists, it can be built."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any, final

from nas.architecture.arithmetic import Shape, elements
from nas.architecture.blocks import BLOCKS, Block, BlockError, Head, Pool, block_from_dict
from nas.architecture.count import Count, total
from nas.architecture.device_bytes import PREDICTED
from nas.architecture.graph import BYTES, Graph, Node, SymbolicTensor, Trace, chain, placed
from nas.architecture.keras_types import KerasModel, Tensor
from nas.architecture.layers import DoesNotFitError
from nas.architecture.lowering import lower
from nas.errors import NasError, printable, shown
from nas.objectives import Cost

FORMAT = 1
"""Version of the JSON form."""

MOST_BLOCKS = 10_000
"""Of a network that is read; no machine trains more."""

_json = json.JSONEncoder(separators=(",", ":")).encode


class ArchitectureError(NasError):
    """Blocks that do not make a network, or JSON that is none."""


@final
@dataclass(frozen=True, kw_only=True, slots=True)
class Architecture:
    """A network as its input shape and its blocks, the last of which is the head.

    Equality compares the spelling; `id` compares the network.

    Attributes:
        input_shape: `(height, width, channels)` of one image.
        blocks: in order; the head, and only the head, is last.

    Raises:
        ArchitectureError: a block does not take the map that reaches it (the message names the block, its position,
            the map and what to change), or the head is missing or misplaced.
    """

    input_shape: tuple[int, int, int]
    blocks: tuple[Block, ...]
    traces: tuple[Trace, ...] = field(init=False, repr=False, compare=False)
    """Each block on the map that reaches it."""
    count: Count = field(init=False, repr=False, compare=False)
    """Parameters, multiply-adds and peak memory of one example."""
    _id: str = field(init=False, repr=False, compare=False, default="")
    """Once it was asked for: strategies look at the ids of all trials before each proposal."""

    def __post_init__(self) -> None:
        shape = tuple(self.input_shape)
        if len(shape) != 3 or not all(type(size) is int and size >= 1 for size in shape):
            raise ArchitectureError(
                f"input_shape must be (height, width, channels); received {shown(self.input_shape)}"
            )
        object.__setattr__(self, "input_shape", shape)
        object.__setattr__(self, "blocks", tuple(self.blocks))
        heads = [position for position, block in enumerate(self.blocks) if block.is_head]
        if heads != [len(self.blocks) - 1]:
            kinds = ", ".join(block.kind for block in self.blocks) or "no block"
            known = ", ".join(sorted(kind for kind, cls in BLOCKS.items() if cls.is_head))
            raise ArchitectureError(f"a network ends with its only head (one of {known}); received {kinds}")
        traces = []
        current: Shape = shape
        skips: tuple[Shape, ...] = ()
        for position, block in enumerate(self.blocks, start=1):
            try:
                trace = block.trace(current, skips if block.is_head else ())
            except DoesNotFitError as error:
                received = "x".join(map(str, current))
                raise ArchitectureError(f"block {position} ({block.kind}) on a map of {received}: {error}") from None
            traces.append(trace)
            current = trace.output_shape
            skips += () if trace.skip is None else (trace.skip.shape,)
        if skips and not self.head.takes_skips:
            known = ", ".join(sorted(kind for kind, cls in BLOCKS.items() if issubclass(cls, Head) and cls.takes_skips))
            raise ArchitectureError(f"a skip needs a head that takes it ({known}); received {self.head.kind}")
        object.__setattr__(self, "traces", tuple(traces))
        object.__setattr__(self, "count", counted(traces))

    @classmethod
    def of_traces(
        cls, input_shape: tuple[int, int, int], blocks: tuple[Block, ...], traces: tuple[Trace, ...]
    ) -> Architecture:
        """The same architecture as from its blocks, for a caller that has traced each of them already.

        Nothing is checked: this is for spaces, which trace every block on the map that reaches it before they offer it.
        """
        self = object.__new__(cls)
        object.__setattr__(self, "input_shape", input_shape)
        object.__setattr__(self, "blocks", blocks)
        object.__setattr__(self, "traces", traces)
        object.__setattr__(self, "count", counted(traces))
        object.__setattr__(self, "_id", "")
        return self

    @property
    def head(self) -> Head:
        """The last block, which knows the loss and what the outputs mean."""
        *_, last = self.blocks
        if isinstance(last, Head):
            return last
        raise TypeError(f"a network ends with a head; received {last.kind}")

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kind of each block, in order."""
        return tuple(block.kind for block in self.blocks)

    @property
    def id(self) -> str:
        """16 hexadecimal digits, equal for every spelling of the same network, on every machine.

        The network is identified by its layers: kernels, resolved zeros, strides and connections. Options that change
        nothing (padding of a 1x1 kernel, pooling of size 1) do not show in it.
        """
        if not self._id:
            object.__setattr__(self, "_id", self._identify())
        return self._id

    def _identify(self) -> str:
        layers: list[str] = []
        offset, incoming = 0, -1
        skips: tuple[int, ...] = ()
        for trace in self.traces:
            if trace.key:
                layers.append(_spelled(trace.key, offset, incoming, skips if trace is self.traces[-1] else ()))
            if trace.skip:
                skips = (*skips, trace.skip.node + offset)
            incoming = incoming if trace.output == -1 else trace.output + offset
            offset += len(trace.key)
        text = f"[{_json(self.input_shape)},[{','.join(layers)}]]"
        return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()

    def predicted(self, cost: Cost) -> int | None:
        """What arithmetic on the layers says of a cost that has to be measured; None: nothing."""
        return _predictions(self).get(cost)

    @property
    def lacking(self) -> tuple[tuple[str, str], ...]:
        """Each layer that cannot be computed in whole numbers, with the operator that there is not."""
        found = ((f"{block}_{node.name}", node.layer.lowered.lacks) for block, node in self.nodes())
        return tuple((layer, operator) for layer, operator in found if operator)

    def nodes(self) -> Iterator[tuple[str, Node]]:
        """Every layer with the name of its block, in an order in which they can be computed."""
        return chain(
            (f"{position:02d}_{block.kind}", *wired) for position, (block, wired) in enumerate(self.wired(), start=1)
        )

    def wired(self) -> Iterator[tuple[Block, tuple[Graph, SymbolicTensor]]]:
        """Each block with its layers, and its output among them."""
        shapes = [self.input_shape, *(trace.output_shape for trace in self.traces)]
        skips = tuple(trace.skip.shape for trace in self.traces if trace.skip)
        for block, shape in zip(self.blocks, shapes, strict=False):
            yield block, block.wired(shape, skips if block.is_head else ())

    def describe(self) -> str:
        """The blocks in one short line.

        >>> from nas.architecture.blocks import Conv, GlobalPoolHead, Pool
        >>> blocks = (Conv(filters=16), Conv(filters=8, kernel=5, padding="valid"), Pool(), GlobalPoolHead(classes=10))
        >>> Architecture(input_shape=(12, 12, 1), blocks=blocks).describe()
        'conv3-16, conv5v-8, max2, global_pool'
        """
        return ", ".join(self.labels)

    @property
    def labels(self) -> tuple[str, ...]:
        """Each block in a few characters."""
        return tuple(_short(block, trace) for block, trace in zip(self.blocks, self.traces, strict=True))

    def to_dict(self) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "input_shape": list(self.input_shape),
            "blocks": [block.to_dict() for block in self.blocks],
        }

    def to_json(self) -> str:
        """One line; `from_json` gives an equal architecture."""
        return _json(self.to_dict())

    @classmethod
    def from_dict(cls, data: Any) -> Architecture:
        """The architecture that `to_dict` wrote. Only data is read: nothing in it can run code.

        Raises:
            ArchitectureError: it is none, or from a newer version.
        """
        if not isinstance(data, dict) or not {"format", "input_shape", "blocks"} <= data.keys():
            raise ArchitectureError("an architecture is an object with `format`, `input_shape` and `blocks`")
        if data["format"] != FORMAT:
            raise ArchitectureError(
                f"this version reads architectures of format {FORMAT}; received {shown(data['format'])}; "
                f"upgrade keras-nas"
            )
        if not isinstance(data["blocks"], list) or not isinstance(data["input_shape"], list):
            raise ArchitectureError("`input_shape` and `blocks` of an architecture are lists")
        if len(data["blocks"]) > MOST_BLOCKS:
            raise ArchitectureError(f"a network has at most {MOST_BLOCKS:,} blocks; received {len(data['blocks']):,}")
        blocks = []
        for position, block in enumerate(data["blocks"], start=1):
            try:
                blocks.append(block_from_dict(block))
            except BlockError as error:
                raise ArchitectureError(f"block {position}: {error}") from None
        return cls(input_shape=tuple(data["input_shape"]), blocks=tuple(blocks))

    @classmethod
    def from_json(cls, text: str) -> Architecture:
        """The architecture that `to_json` wrote.

        Raises:
            ArchitectureError: the text is no architecture.
        """
        try:
            data = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise ArchitectureError(f"an architecture is written as JSON; {printable(str(error), most=200)}") from None
        return cls.from_dict(data)

    def summary(self) -> str:
        """A table of every layer: output shape, window, parameters, multiply-adds; and the totals."""
        from nas.architecture.summary import render

        return render(self)

    def build(self, *, batch_norm_momentum: float = 0.9) -> KerasModel:
        """The network as a `keras.Model`.

        Its input is float32 images of `input_shape` with values in [0, 1], its output what its head makes.

        Args:
            batch_norm_momentum: of the moving statistics. Keras' default of 0.99 needs some hundreds of steps before
                they are of use; short trainings want a lower one.
        """
        import keras

        image = x = keras.Input(self.input_shape, name="image")
        skips: list[Tensor] = []
        for position, block in enumerate(self.blocks, start=1):
            x = block.build(x, name=f"{position:02d}_{block.kind}", momentum=batch_norm_momentum, skips=skips)
        return keras.Model(image, x, name=f"architecture_{self.id}")


def counted(traces: Sequence[Trace]) -> Count:
    """Of consecutive blocks, the last of them a head; what was handed over to it lies in memory until then."""
    counts, waiting = [], 0
    for trace in traces:
        count = trace.count
        if waiting and trace is not traces[-1]:
            count = replace(count, activation_bytes=count.activation_bytes + waiting)
        counts.append(count)
        if trace.skip:
            waiting += elements(trace.skip.shape) * BYTES
    return total(counts)


@lru_cache(maxsize=1 << 14)
def _predictions(network: Architecture) -> Mapping[Cost, int]:
    if not all(node.layer.lowered.is_known for _, node in network.nodes()):
        return {}
    operators = lower(network.nodes())
    return {cost: arithmetic(network.input_shape, operators) for cost, arithmetic in PREDICTED.items()}


@lru_cache(maxsize=1 << 14)
def _spelled(key: tuple[tuple[Any, ...], ...], offset: int, incoming: int, skips: tuple[int, ...]) -> str:
    """The layers of a block in its place in the network. Kept: networks share most of their blocks."""
    layers = ([*layer, [*placed(inputs, offset, incoming, skips)]] for *layer, inputs in key)
    return ",".join(map(_json, layers))


def _short(block: Block, trace: Trace) -> str:
    """A block in a few characters: its kind, its kernel (`v`: valid padding), its output channels, its stride."""
    if block.is_head or trace.skip:
        return block.kind
    stride = getattr(block, "stride", 1)
    step = "" if stride in (1, None) else f"/{_sides(stride)}"
    if isinstance(block, Pool):
        return f"{block.pool}{_sides(block.size)}{'/1' if stride == 1 else step}"
    if not trace.count.parameters:
        return block.kind
    kernel = getattr(block, "kernel", None)
    valid = "v" if getattr(block, "padding", "same") == "valid" else ""
    return f"{block.kind}{'' if kernel is None else _sides(kernel)}{valid}-{trace.output_shape[-1]}{step}"


def _sides(window: int | tuple[int, int]) -> str:
    return str(window) if isinstance(window, int) else f"{window[0]}x{window[1]}"
