"""A network layer by layer, as rows and as text."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

from nas.architecture.arithmetic import Shape
from nas.architecture.layers.facets import Bins, Pair, ReceptiveField, Scattered, Sight, Stretch, Window

if TYPE_CHECKING:
    from nas.architecture.architecture import Architecture


Step = tuple[int | Fraction, int | Fraction]
"""Pixels along height and width; where a map was enlarged, parts of one."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One layer.

    Attributes:
        block: position and kind of its block, such as `03_inception`.
        layer: name in its block; with the block it is the Keras layer's name.
        kind: class of the layer.
        inputs: indices of the rows that it reads; -1 is the image.
        output_shape: of one example.
        kernel, stride: `(height, width)` of a window, None without one.
        padding: `same` or `valid`, "" without a window.
        share: of the network's parameters, in [0, 1].
        receptive_field: `(height, width)` in pixels of the image that one output sees, before clipping at its border;
            None behind a layer that sees everything.
    """

    block: str
    layer: str
    kind: str
    inputs: tuple[int, ...]
    output_shape: Shape
    kernel: tuple[int, int] | None
    stride: tuple[int, int] | None
    padding: str
    trainable: int
    non_trainable: int
    macs: int
    share: float
    receptive_field: tuple[int, int] | None

    @property
    def parameters(self) -> int:
        return self.trainable + self.non_trainable


def rows(architecture: Architecture) -> list[Row]:
    """Every layer in order."""
    total = max(architecture.count.parameters, 1)
    # Field of view and distance between neighboring outputs, in pixels of the image, by row; -1 is the image.
    views: dict[int, tuple[Step, Step] | None] = {-1: ((1, 1), (1, 1))}
    table = []
    for index, (block, node) in enumerate(architecture.nodes()):
        known = [view for source in node.inputs if (view := views[source])]
        seen = _seen(node.layer.view, node.input_shapes[0]) if len(known) == len(node.inputs) else None
        view = None
        if seen:
            (height, width), (down, right) = seen
            # Of several inputs, such as a map and a skip to it, the one that sees most; all have the same step.
            field, jump = max(view[0] for view in known), known[0][1]
            field = (field[0] + (height - 1) * jump[0], field[1] + (width - 1) * jump[1])
            view = field, (jump[0] * down, jump[1] * right)
        views[index] = view
        window, count = node.window, node.count
        table.append(
            Row(
                block=block,
                layer=node.name,
                kind=type(node.layer).__name__,
                inputs=node.inputs,
                output_shape=node.shape,
                kernel=window.size if window else None,
                stride=window.stride if window else None,
                padding=window.padding if window else "",
                trainable=count.trainable,
                non_trainable=count.non_trainable,
                macs=count.macs,
                share=count.parameters / total,
                receptive_field=(math.ceil(view[0][0]), math.ceil(view[0][1])) if view else None,
            )
        )
    return table


def _seen(view: ReceptiveField, shape: Shape) -> tuple[Pair, Step] | None:
    """Height and width of what an output sees of its input, and the step to what the next one sees; None: all of it."""
    match view:
        case Window(size=size, stride=stride):
            return size, stride
        case Scattered(window=Window(size=size, stride=(down, right))):
            return (-(-size[0] // down), -(-size[1] // right)), (Fraction(1, down), Fraction(1, right))
        case Stretch(height=height, width=width):
            return (2, 2), (Fraction(shape[0], height), Fraction(shape[1], width))
        case Bins():
            height, width = (max(b - a for a, b in view.edges(size)) for size in shape[:2])
            return (height, width), (1, 1)
        case Sight.PIXEL:
            return (1, 1), (1, 1)
        case Sight.EVERYTHING:
            return None


HEADINGS = (
    "block",
    "layer",
    "output",
    "kernel",
    "stride",
    "padding",
    "parameters",
    "non-trainable",
    "MACs",
    "share",
    "sees",
)


def cells(row: Row) -> tuple[str, ...]:
    """A row as text, in the order of `HEADINGS`."""
    return (
        row.block,
        row.layer,
        sides(row.output_shape),
        sides(row.kernel),
        sides(row.stride),
        row.padding,
        f"{row.parameters:,}" if row.parameters else "",
        f"{row.non_trainable:,}" if row.non_trainable else "",
        f"{row.macs:,}" if row.macs else "",
        f"{row.share:.1%}" if row.parameters else "",
        sides(row.receptive_field),
    )


def sides(shape: Shape | None) -> str:
    """`8x8x16`, or nothing."""
    return "x".join(map(str, shape)) if shape else ""


def totals(architecture: Architecture) -> str:
    """Parameters, multiply-adds and memory in one line."""
    count = architecture.count
    return (
        f"{count.parameters:,} parameters ({count.trainable:,} trainable, {count.non_trainable:,} not), "
        f"{count.macs:,} MACs, peak activation {count.activation_bytes:,} bytes"
    )


def render(architecture: Architecture) -> str:
    """The table as plain text."""
    table = [HEADINGS, *(cells(row) for row in rows(architecture))]
    widths = [max(len(line[column]) for line in table) for column in range(len(HEADINGS))]
    right = {"parameters", "non-trainable", "MACs", "share"}
    lines = [
        "  ".join(
            text.rjust(width) if heading in right else text.ljust(width)
            for text, width, heading in zip(line, widths, HEADINGS, strict=True)
        ).rstrip()
        for line in table
    ]
    return "\n".join(
        [f"architecture {architecture.id}, input {sides(architecture.input_shape)}", *lines, totals(architecture)]
    )
