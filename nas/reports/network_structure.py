"""A network as chains and forks: what its picture shows, before anything has a place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, final

from nas.architecture.arithmetic import Shape
from nas.architecture.graph import Graph, Node
from nas.architecture.layers.facets import Symbol
from nas.quantity import short_count

if TYPE_CHECKING:
    from nas.architecture.architecture import Architecture


@final
@dataclass(frozen=True, slots=True)
class Cell:
    """One box: a layer and what works in place behind it.

    Attributes:
        kind: conv, pool, dense, join or other; decides the color.
        title: what it does, such as `conv 3x3, 64`.
        notes: what follows in place, such as `norm` and `relu`.
        shapes: of the output; first and last where several equal boxes are drawn as one.
        parameters: first and last in the same way, those of the notes included.
        total: parameters of all boxes that are drawn as this one.
        times: how many these are.
        takes_notes: whether what follows in place is noted.
    """

    kind: str
    title: str
    notes: tuple[str, ...]
    shapes: tuple[Shape, Shape]
    parameters: tuple[int, int]
    total: int
    times: int = 1
    takes_notes: bool = True


@final
@dataclass(frozen=True, slots=True)
class Fork:
    """Branches that read one map and meet in `join`; an empty branch is a shortcut."""

    branches: tuple[tuple[Item, ...], ...]
    join: Cell


@final
@dataclass(frozen=True, slots=True)
class Group:
    """A block, or a part of one, that is drawn once for `times` in a row."""

    caption: str
    items: tuple[Item, ...]
    times: int = 1


Item = Cell | Fork | Group


def structure(architecture: Architecture) -> tuple[Item, ...]:
    """The network's boxes in order, equal blocks in a row as one."""
    items: list[Item] = []
    skips: list[tuple[Item, ...]] = []
    for block, (graph, output) in architecture.wired():
        if graph.handed:
            # Drawn where the head reads it: here, the map goes on without it.
            source = Cell("end", f"from map {len(skips) + 1}", (), (graph.input.shape,) * 2, (0, 0), 0)
            (layer,) = _chain(graph, _dominators(graph), graph.handed.node, -1, [], set())
            skips.append((source, layer))
            items.append(Cell("end", f"map {len(skips)}", (), (graph.input.shape,) * 2, (0, 0), 0))
        inner = _chain(graph, _dominators(graph), output.node, -1, skips, set())
        if block.is_head or (len(inner) < 2 and not any(isinstance(item, Fork) for item in inner)):
            items += inner
        else:
            items.append(Group(block.kind.replace("_", " "), _folded(inner, 2)))
    return _folded(tuple(items), 4)


def _dominators(graph: Graph) -> list[int]:
    """For each layer the last one before it that everything on the way to it passes; -1 is the input."""
    nearest: list[int] = []
    for node in graph.nodes:
        # A skip comes from elsewhere: as if everything passed it on the way from the block's input.
        common, *others = (max(source, -1) for source in node.inputs)
        for other in others:
            while common != other:
                common, other = (nearest[common], other) if common > other else (common, nearest[other])
        nearest.append(common)
    return nearest


def _chain(
    graph: Graph, dominators: list[int], end: int, start: int, skips: Sequence[tuple[Item, ...]], drawn: set[int]
) -> tuple[Item, ...]:
    """What lies behind `start` up to `end`; below -1, that is a skip. A layer `drawn` before is named, not repeated."""
    if end < -1:
        return skips[-2 - end]
    steps: list[tuple[Node, tuple[tuple[Item, ...], ...]]] = []
    while end != start and end not in drawn:
        node, fork = graph.nodes[end], dominators[end]
        several = len(node.inputs) > 1
        branches = (
            tuple(_chain(graph, dominators, source, fork, skips, drawn) for source in node.inputs) if several else ()
        )
        steps.append((node, branches))
        drawn.add(end)
        end = fork
    items: list[Cell | Fork] = []
    for node, branches in reversed(steps):
        symbol = node.layer.symbol
        last = items[-1] if items else None
        before = last.join if isinstance(last, Fork) else last
        if symbol.note and before and before.takes_notes:
            noted = _noted(before, symbol.note, node)
            items[-1] = replace(last, join=noted) if isinstance(last, Fork) else noted
        else:
            cell = _cell(node, symbol)
            items.append(Fork(branches, cell) if branches else cell)
    if end != start and not is_from_elsewhere(items):
        node = graph.nodes[end]
        while node.layer.symbol.note:
            node = graph.nodes[node.inputs[0]]
        return Cell("end", f"from {node.layer.symbol.title}", (), (node.shape,) * 2, (0, 0), 0), *items
    return tuple(items)


def is_from_elsewhere(items: Sequence[Item]) -> bool:
    """Whether no item reads what is drawn before them: they begin with boxes that name their origin."""
    match items[:1]:
        case [Cell(kind=kind)]:
            return kind == "end"
        case [Fork(branches=branches)]:
            return all(map(is_from_elsewhere, branches))
    return False


def _cell(node: Node, symbol: Symbol) -> Cell:
    count, shapes = node.count.parameters, (node.shape, node.shape)
    return Cell(symbol.kind, symbol.title, symbol.notes, shapes, (count, count), count, takes_notes=symbol.takes_notes)


def _noted(cell: Cell, note: str, node: Node) -> Cell:
    parameters = cell.total + node.count.parameters
    return replace(cell, notes=(*cell.notes, note), parameters=(parameters, parameters), total=parameters)


def _folded(items: tuple[Item, ...], cells_in_a_row: int) -> tuple[Item, ...]:
    """Equal neighbors as one: groups and forks from two on, single boxes from `cells_in_a_row` on."""
    result: list[Item] = []
    start = 0
    while start < len(items):
        end = start + 1
        while end < len(items) and _look(items[end]) == _look(items[start]):
            end += 1
        run = items[start:end]
        if len(run) >= (cells_in_a_row if isinstance(run[0], Cell) else 2):
            result.append(_as_one(run))
        else:
            result += run
        start = end
    return tuple(result)


def _as_one(run: tuple[Item, ...]) -> Item:
    merged = run[0]
    for item in run[1:]:
        merged = _merged(merged, item)
    if isinstance(merged, Group):
        return replace(merged, times=len(run))
    return replace(merged, times=len(run)) if isinstance(merged, Cell) else Group("", (merged,), len(run))


def _look(item: Item) -> tuple[object, ...]:
    """Equal for items that can be drawn as one."""
    match item:
        case Cell():
            return item.title, item.notes
        case Fork():
            return *((tuple(map(_look, branch))) for branch in item.branches), _look(item.join)
        case Group():
            return item.caption, item.times, tuple(map(_look, item.items))


def _merged(first: Item, last: Item) -> Item:
    """Two items of one look as one that tells of both."""
    match first, last:
        case Cell(), Cell():
            return replace(
                first,
                shapes=(first.shapes[0], last.shapes[1]),
                parameters=(first.parameters[0], last.parameters[1]),
                total=first.total + last.total,
            )
        case Fork(), Fork():
            branches = tuple(
                tuple(_merged(a, b) for a, b in zip(left, right, strict=True))
                for left, right in zip(first.branches, last.branches, strict=True)
            )
            join = _merged(first.join, last.join)
            return Fork(branches, join if isinstance(join, Cell) else first.join)
        case Group(), Group():
            return replace(first, items=tuple(_merged(a, b) for a, b in zip(first.items, last.items, strict=True)))
        case _:
            return first


def shape_text(cell: Cell) -> str:
    """`28×28×64`, and both ends where several boxes are drawn as one: `56×56×96…256`."""
    first, last = cell.shapes
    text = "×".join(map(str, first))
    if first == last:
        return text
    return f"{text}…{last[-1]}" if first[:-1] == last[:-1] else f"{text}…{'×'.join(map(str, last))}"


def parameters_text(cell: Cell) -> str:
    """`36.9k`, or both ends; nothing for a layer without weights."""
    first, last = map(short_count, cell.parameters)
    return "" if not cell.total else first if first == last else f"{first}…{last}"
