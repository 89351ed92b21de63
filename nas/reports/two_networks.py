"""Two networks block by block, side by side."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import zip_longest
from typing import TYPE_CHECKING

from nas.architecture.arithmetic import Shape
from nas.architecture.count import Count

if TYPE_CHECKING:
    from nas.architecture.architecture import Architecture


@dataclass(frozen=True, kw_only=True, slots=True)
class Side:
    """A block of one of the two."""

    label: str
    output_shape: Shape
    count: Count


@dataclass(frozen=True, kw_only=True, slots=True)
class BlockPair:
    """What stands in one line: a block of each, or of one only.

    Attributes:
        same: whether both are the same block with the same options.
    """

    left: Side | None
    right: Side | None
    same: bool


def compare(left: Architecture, right: Architecture) -> list[BlockPair]:
    """The blocks of both in order; equal ones stand in one line, as many as can."""
    first, second = _sides(left), _sides(right)
    matcher = SequenceMatcher(None, left.blocks, right.blocks, autojunk=False)
    return [
        BlockPair(left=a, right=b, same=operation == "equal")
        for operation, a0, a1, b0, b1 in matcher.get_opcodes()
        for a, b in zip_longest(first[a0:a1], second[b0:b1])
    ]


def _sides(architecture: Architecture) -> list[Side]:
    return [
        Side(label=label, output_shape=trace.output_shape, count=trace.count)
        for label, trace in zip(architecture.labels, architecture.traces, strict=True)
    ]
