"""A network as a picture: every box in its place, branches side by side, shortcuts as arcs."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from nas.quantity import short_count
from nas.reports.drawing import Drawing, Path, Rect, Text
from nas.reports.network_structure import (
    Cell,
    Fork,
    Group,
    Item,
    is_from_elsewhere,
    parameters_text,
    shape_text,
    structure,
)

if TYPE_CHECKING:
    from nas.architecture.architecture import Architecture

_INK, _MUTED, _LINE, _PANEL, _ACCENT = "#22303c", "#6b7785", "#8a96a3", "#f4f6f8", "#d1495b"
_COLORS = {  # stripe and fill
    "conv": ("#3b6fb6", "#e8f0fa"),
    "pool": ("#2f8f6b", "#e6f4ee"),
    "dense": ("#7a54b0", "#f0eaf8"),
    "join": ("#c98a1b", "#fdf3dd"),
    "other": ("#8a96a3", "#eef1f4"),
    "end": ("#22303c", "#ffffff"),
}
_CELL, _TALL, _LOW = 188.0, 40.0, 24.0
_DOWN, _BESIDE = 20.0, 14.0
_ARC, _CAPTION, _MARGIN = 26.0, 16.0, 10.0
_HEADER, _EDGE, _GUTTER = 56.0, 24.0, 34.0
_SINGLE_COLUMN = 700.0
"""Height up to which a network stays one column."""
_RATIO = 1.2
"""Width to height that longer ones come near to."""


def diagram(architecture: Architecture, title: str | None = None) -> Drawing:
    """The network as a picture.

    A layer is a box with the shape of its output and its parameters; what works in place (normalization, activation,
    dropout) is written into the box before it. Branches lie side by side, a shortcut is an arc, and equal blocks in a
    row are drawn once with their number. Long networks go on in further columns.

    Args:
        architecture: what to draw.
        title: the first line; the architecture's id if left out.
    """
    image = Cell("end", "image", (), (architecture.input_shape,) * 2, (0, 0), 0)
    items = (image, *structure(architecture))
    columns = _columns([_size(item) for item in items])
    heights = [sum(_size(items[i])[1] for i in column) + _DOWN * (len(column) - 1) for column in columns]
    widths = [max(_size(items[i])[0] for i in column) for column in columns]
    count = architecture.count
    heading = title or f"architecture {architecture.id}"
    facts = f"{count.parameters:,} parameters, {short_count(count.macs)} multiply-adds"
    pen = _Pen(most=max(1, *(cell.total for cell in _cells(items))))
    pen.text(_EDGE, 30, heading, 15, _INK, bold=True)
    pen.text(_EDGE, 47, facts, 10.5, _MUTED)
    content = sum(widths) + _GUTTER * (len(widths) - 1)
    page = math.ceil(max(content, 5.6 * len(facts), 8.2 * len(heading)) + 2 * _EDGE)
    x, top, previous = (page - content) / 2, _HEADER + 12, None
    for column, width in zip(columns, widths, strict=True):
        middle, y = x + width / 2, top
        if previous is not None:
            pen.turn(previous, (middle, y), x - _GUTTER / 2)
        previous = (middle, pen.chain(items[column.start : column.stop], middle, y))
        x += width + _GUTTER
    bottom = top + max(heights) + 38
    pen.text(_EDGE, bottom, "Bars compare the parameters of the layers.", 9, _MUTED)
    return Drawing(width=page, height=math.ceil(bottom + 14), title=heading, shapes=tuple(pen.shapes))


def _columns(sizes: Sequence[tuple[float, float]]) -> list[range]:
    """Which items stand in which column: as many columns as bring the picture nearest to `_RATIO`."""
    best, best_distance = [range(len(sizes))], math.inf
    if _height(sizes) <= _SINGLE_COLUMN:
        return best
    for number in range(1, len(sizes) + 1):
        columns = _split(sizes, number)
        parts = [sizes[column.start : column.stop] for column in columns]
        width = sum(max(w for w, _ in part) + _GUTTER for part in parts) + 2 * _EDGE
        distance = abs(math.log(width / (max(map(_height, parts)) + _HEADER) / _RATIO))
        if distance >= best_distance:
            break
        best, best_distance = columns, distance
    return best


def _height(sizes: Sequence[tuple[float, float]]) -> float:
    return sum(height for _, height in sizes) + _DOWN * (len(sizes) - 1)


def _split(sizes: Sequence[tuple[float, float]], number: int) -> list[range]:
    """At most `number` columns, the highest as low as possible."""
    low, high = max(height for _, height in sizes), _height(sizes)
    while high - low > 1:
        limit = (low + high) / 2
        low, high = (low, limit) if len(_fill(sizes, limit)) <= number else (limit, high)
    return _fill(sizes, high)


def _fill(sizes: Sequence[tuple[float, float]], limit: float) -> list[range]:
    """Columns of at most this height, filled one after the other."""
    columns, start, used = [], 0, 0.0
    for index, (_, height) in enumerate(sizes):
        if index > start and used + _DOWN + height > limit:
            columns.append(range(start, index))
            start, used = index, 0.0
        used += height + (_DOWN if index > start else 0)
    return [*columns, range(start, len(sizes))]


def _cells(items: Sequence[Item]) -> Iterator[Cell]:
    for item in items:
        if isinstance(item, Cell):
            yield item
        elif isinstance(item, Group):
            yield from _cells(item.items)
        else:
            for branch in item.branches:
                yield from _cells(branch)
            yield item.join


def _is_low(cell: Cell) -> bool:
    """Whether the box has one line: nothing is learned and nothing slides."""
    return cell.kind in ("join", "other", "end") and not cell.total


def _size(item: Item) -> tuple[float, float]:
    """Width and height of what an item needs."""
    match item:
        case Cell():
            return _CELL, _LOW if _is_low(item) else _TALL
        case Group():
            width, height = _chain_size(item.items)
            return width + 2 * _MARGIN, height + _CAPTION + 2 * _MARGIN
        case Fork():
            columns = [_chain_size(branch) for branch in item.branches if branch]
            shortcuts = len(item.branches) - len(columns)
            width = sum(w for w, _ in columns) + _BESIDE * (len(columns) - 1)
            height = max((h for _, h in columns), default=0) + 2 * _branching(len(columns))
            return max(width, _CELL) + 2 * _ARC * bool(shortcuts), height + _size(item.join)[1]


def _branching(columns: int) -> float:
    """Height in which lines part, or meet."""
    return _DOWN + (10 if columns > 1 else 0)


def _chain_size(items: Sequence[Item]) -> tuple[float, float]:
    sizes = [_size(item) for item in items]
    return max((width for width, _ in sizes), default=0.0), _height(sizes) if sizes else 0.0


@dataclass(slots=True)
class _Pen:
    """Collects shapes.

    Attributes:
        most: parameters of the box with the most, which has the longest bar.
    """

    most: int
    shapes: list[Rect | Path | Text] = field(default_factory=list)

    def text(self, x: float, y: float, text: str, size: float, color: str, *, bold: bool = False) -> None:
        self.shapes.append(Text(x, y, text, size, color, "start", bold))

    def right(self, x: float, y: float, text: str, size: float, color: str, *, bold: bool = False) -> None:
        self.shapes.append(Text(x, y, text, size, color, "end", bold))

    def beside(self, x: float, y: float, text: str, color: str, *, room: float) -> None:
        """Small text that ends at x, smaller where it would touch what stands before it."""
        self.right(x, y, text, max(6.0, min(9.5, room / (0.62 * max(1, len(text))))), color)

    def line(self, *commands: tuple[object, ...]) -> None:
        self.shapes.append(Path(commands, stroke=_LINE))

    def head(self, x: float, y: float, *, side: int = 0) -> None:
        """The head of an arrow that ends here: downwards, or to the left (-1)."""
        down = ((x - 3.5, y - 6), (x + 3.5, y - 6))
        left = ((x + 6, y - 3.5), (x + 6, y + 3.5))
        corners = left if side else down
        self.shapes.append(Path((("M", x, y), *(("L", *corner) for corner in corners), ("L", x, y)), fill=_LINE))

    def arrow(self, x: float, start: float, end: float) -> None:
        self.line(("M", x, start), ("L", x, end - 3))
        self.head(x, end)

    def lead(self, x: float, start: float, end: float, to: Item) -> None:
        """Down to an item; what is inside a group or a fork has arrow heads of its own."""
        if isinstance(to, Cell):
            self.arrow(x, start, end)
        else:
            self.line(("M", x, start), ("L", x, end))

    def bend(self, x: float, y: float, to: float, end: float) -> None:
        """From one column to another, within the height between `y` and `end`."""
        half = (y + end) / 2
        self.line(("M", x, y), ("C", x, half, to, half, to, end))

    def turn(self, start: tuple[float, float], end: tuple[float, float], gutter: float) -> None:
        """From the bottom of a column through the gutter to the top of the next."""
        (x, y), (to, top), r = start, end, 10.0
        below, above = y + 18, top - 16
        self.line(
            ("M", x, y),
            ("L", x, below - r),
            ("C", x, below, x, below, x + r, below),
            ("L", gutter - r, below),
            ("C", gutter, below, gutter, below, gutter, below - r),
            ("L", gutter, above + r),
            ("C", gutter, above, gutter, above, gutter + r, above),
            ("L", to - r, above),
            ("C", to, above, to, above, to, above + r),
            ("L", to, top - 3),
        )
        self.head(to, top)

    def item(self, item: Item, x: float, y: float) -> None:
        """Draw an item with its top at `y`, around `x`."""
        match item:
            case Cell():
                self.cell(item, x, y)
            case Fork():
                self.fork(item, x, y)
            case Group():
                self.group(item, x, y)

    def chain(self, items: Sequence[Item], x: float, y: float) -> float:
        """Draw items one below the other; where they end."""
        for index, item in enumerate(items):
            if index:
                self.lead(x, y, y + _DOWN, item)
                y += _DOWN
            self.item(item, x, y)
            y += _size(item)[1]
        return y

    def cell(self, cell: Cell, x: float, y: float) -> None:
        width, height = _size(cell)
        left = x - width / 2
        stripe, fill = _COLORS[cell.kind]
        self.shapes.append(Rect(left, y, width, height, fill=fill, stroke=stripe, radius=5))
        shape, notes = shape_text(cell), ", ".join(cell.notes)
        if _is_low(cell):
            title = ", ".join((cell.title, *cell.notes))
            self.text(left + 10, y + 16, title, 10.5, _INK)
            self.beside(left + width - 9, y + 16, shape, _MUTED, room=width - 24 - 6.3 * len(title))
            return
        times = f"{cell.times} × " if cell.times > 1 else ""
        self.text(left + 10, y + 16, times + cell.title, 11.5, _INK, bold=True)
        self.text(left + 10, y + 30, shape, 9.5, _MUTED)
        self.right(left + width - 9, y + 30, parameters_text(cell), 9.5, _INK)
        self.beside(left + width - 9, y + 16, notes, stripe, room=width - 24 - 7 * len(times + cell.title))
        if cell.total:
            # The longest bar is the largest layer's; each shows its share of that.
            self.shapes.append(Rect(left + 10, y + 34, (width - 19) * cell.total / self.most, 2.5, fill=stripe))

    def group(self, group: Group, x: float, y: float) -> None:
        width, height = _size(group)
        left, repeated = x - width / 2, group.times > 1
        stroke = _ACCENT if repeated else "#dfe4e8"
        fill = _PANEL if group.caption else "#ffffff"
        self.shapes.append(Rect(left, y, width, height, fill=fill, stroke=stroke, radius=8, dashed=repeated))
        self.text(left + _MARGIN, y + 16, group.caption, 10.5, _MUTED, bold=True)
        if repeated:
            self.right(left + width - _MARGIN, y + 17, f"× {group.times}", 13, _ACCENT, bold=True)
        top = y + _CAPTION + _MARGIN
        self.lead(x, y, top, group.items[0])
        end = self.chain(group.items, x, top)
        self.line(("M", x, end), ("L", x, y + height))

    def fork(self, fork: Fork, x: float, y: float) -> None:
        columns = [branch for branch in fork.branches if branch]
        shortcuts = len(fork.branches) - len(columns)
        sizes = [_chain_size(branch) for branch in columns]
        down = _branching(len(columns))
        tallest = max((height for _, height in sizes), default=0.0)
        join = y + tallest + 2 * down
        left = x - (sum(width for width, _ in sizes) + _BESIDE * (len(sizes) - 1)) / 2
        for branch, (width, height) in zip(columns, sizes, strict=True):
            middle = left + width / 2
            # Short branches stand in the middle of the height.
            start = y + down + (tallest - height) / 2
            if not is_from_elsewhere(branch):
                if middle != x:
                    self.bend(x, y, middle, y + down - 8)
                self.lead(middle, y if middle == x else y + down - 8, start, branch[0])
            end = self.chain(branch, middle, start)
            into = x + max(-_CELL / 2 + 8, min((middle - x) * 0.18, _CELL / 2 - 8))
            if middle != x:
                self.line(("M", middle, end), ("L", middle, join - down))
                self.bend(middle, join - down, into, join - 5)
                self.head(into, join)
            else:
                self.arrow(x, end, join)
            left += width + _BESIDE
        if shortcuts:
            self.shortcut(x, y, max(sum(width for width, _ in sizes), _CELL) / 2 + _ARC - 8, join, fork.join)
        self.cell(fork.join, x, join)

    def shortcut(self, x: float, y: float, reach: float, join: float, cell: Cell) -> None:
        """An arc around the right of the branches into the side of the join."""
        width, height = _size(cell)
        side, end, r = x + reach, join + height / 2, 14.0
        self.line(
            ("M", x, y),
            ("C", x, y + 10, x + 10, y + 7, x + 26, y + 7),
            ("L", side - r, y + 7),
            ("C", side, y + 7, side, y + 7, side, y + 7 + r),
            ("L", side, end - r),
            ("C", side, end, side, end, side - r, end),
            ("L", x + width / 2 + 4, end),
        )
        self.head(x + width / 2, end, side=-1)
