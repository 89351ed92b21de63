"""Which layers of two networks stand for each other, although blocks between them differ, come or go."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from nas.architecture.graph import Node

if TYPE_CHECKING:
    from nas.architecture.architecture import Architecture

_Block = list[tuple[int, Node]]


def align(parent: Architecture, child: Architecture) -> dict[int, int]:
    """The parent's layer for each of the child's that has one, as indices into `nodes()`.

    Blocks are paired in order, so that as much as possible of them is alike; in a pair, layers of one name and one
    type stand for each other.
    """
    first, second = _blocks(parent), _blocks(child)
    scores = [[_likeness(a, b) for b in second] for a in first]
    # best[i][j]: the highest sum of pairs among the parent's blocks from i and the child's from j.
    best = [[0] * (len(second) + 1) for _ in range(len(first) + 1)]
    for i in reversed(range(len(first))):
        for j in reversed(range(len(second))):
            best[i][j] = max(scores[i][j] + best[i + 1][j + 1], best[i + 1][j], best[i][j + 1])
    matched: dict[int, int] = {}
    i = j = 0
    while i < len(first) and j < len(second):
        if scores[i][j] and best[i][j] == scores[i][j] + best[i + 1][j + 1]:
            matched |= {b: a for a, b in _pairs(first[i], second[j])}
            i, j = i + 1, j + 1
        elif best[i][j] == best[i][j + 1]:
            j += 1
        else:
            i += 1
    return matched


def _blocks(architecture: Architecture) -> list[_Block]:
    """The nodes of each block with their indices; blocks that change nothing have none and are left out."""
    indexed = enumerate(architecture.nodes())
    return [[(index, node) for index, (_, node) in some] for _, some in groupby(indexed, lambda item: item[1][0])]


def _pairs(first: _Block, second: _Block) -> list[tuple[int, int]]:
    known = {(node.name, type(node.layer)): index for index, node in first}
    keys = [(known.get((node.name, type(node.layer))), index) for index, node in second]
    return [(a, b) for a, b in keys if a is not None]


def _likeness(first: _Block, second: _Block) -> int:
    """Of two blocks: a point for each pair of layers, one more if they compute the same, one for the same shapes."""
    a, b = dict(first), dict(second)
    return sum(
        1 + (a[i].canonical == b[j].canonical) + (a[i].shape == b[j].shape and a[i].input_shapes == b[j].input_shapes)
        for i, j in _pairs(first, second)
    )
