"""Charts of the search's page: SVG that takes its colors from the page, so that it follows dark mode. Pure."""

from __future__ import annotations

import html
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, final

from nas.quantity import short_count
from nas.reports.front_chart import FrontChart
from nas.reports.front_tables import costs_in_words

if TYPE_CHECKING:
    from nas.objectives import Objectives
    from nas.results.trial import TrialRecord

WIDE = (920, 460)
"""Width and height in pixels where there is room."""
NARROW = (360, 320)
"""The same chart for a phone, with text of the same size."""


@final
@dataclass(frozen=True, slots=True)
class _Frame:
    """Where values are: a linear vertical axis, a linear or logarithmic horizontal one."""

    size: tuple[int, int]
    x: tuple[float, float]
    y: tuple[float, float]
    logarithmic: bool

    left, right, top, bottom = 62, 14, 12, 44

    def across(self, value: float) -> float:
        low, high = map(math.log10, self.x) if self.logarithmic else self.x
        place = math.log10(value) if self.logarithmic else value
        return self.left + (place - low) / ((high - low) or 1) * (self.size[0] - self.left - self.right)

    def up(self, value: float) -> float:
        low, high = self.y
        height = self.size[1] - self.top - self.bottom
        return self.top + (1 - (value - low) / ((high - low) or 1)) * height

    def axes(self, x_label: str, y_label: str, tick: Callable[[float], str]) -> list[str]:
        """Grid, ticks and labels; `tick` writes a value of the vertical axis."""
        width, height = self.size
        parts = []
        for value in _ticks(*self.y, 6):
            y = f"{self.up(value):.1f}"
            parts.append(f'<line class="grid" x1="{self.left}" x2="{width - self.right}" y1="{y}" y2="{y}"/>')
            parts.append(
                f'<text class="tick" x="{self.left - 8}" y="{y}" dy="4" text-anchor="end">{tick(value)}</text>'
            )
        many = 7 if width > 500 else 4
        for value in _log_ticks(*self.x, many) if self.logarithmic else _ticks(*self.x, many):
            x = f"{self.across(value):.1f}"
            text = short_count(value) if self.logarithmic else plain_tick(value)
            parts.append(f'<line class="grid" x1="{x}" x2="{x}" y1="{self.top}" y2="{height - self.bottom}"/>')
            parts.append(
                f'<text class="tick" x="{x}" y="{height - self.bottom + 18}" text-anchor="middle">{text}</text>'
            )
        middle = (self.left + width - self.right) / 2
        parts.append(f'<text class="label" x="{middle:g}" y="{height - 6}" text-anchor="middle">{x_label}</text>')
        up = (self.top + height - self.bottom) / 2
        turn = f'transform="rotate(-90 13 {up:g})"'
        parts.append(f'<text class="label" x="13" y="{up:g}" text-anchor="middle" {turn}>{y_label}</text>')
        return parts


def scatter_svg(records: Sequence[TrialRecord], objectives: Objectives, size: tuple[int, int]) -> str:
    """The score against the first cost. The front's points are links to the elements `trial-NUMBER` of the page.

    Args:
        records: trials in any order; failed ones are left out.
        objectives: of the search; its budget is drawn.
        size: width and height in pixels.
    """
    chart = FrontChart.of(records, objectives)
    axis, budget, score = objectives.axis, objectives.budget, objectives.score
    frame = _Frame(size, chart.x_range, chart.y_range, logarithmic=True)
    heading = chart.score_heading
    parts = frame.axes(axis.heading, heading, score.tick)
    if budget:
        x = f"{frame.across(budget):.1f}"
        parts.append(f'<line class="budget" x1="{x}" x2="{x}" y1="{frame.top}" y2="{size[1] - frame.bottom}"/>')
    parts += [
        f'<circle class="dominated" cx="{frame.across(r.cost(axis)):.1f}" cy="{frame.up(r.score):.1f}" r="4">'
        f"<title>{_hover(r, objectives)}</title></circle>"
        for r in chart.dominated
        if r.score >= chart.y_range[0]
    ]
    if chart.steps:
        line = " ".join(f"{frame.across(x):.1f},{frame.up(y):.1f}" for x, y in chart.steps)
        parts.append(f'<polyline class="front-line" points="{line}"/>')
    parts += [
        f'<a href="#trial-{r.number}" aria-label="{said(r, objectives)}"><circle class="{kind}" '
        f'cx="{frame.across(r.cost(axis)):.1f}" cy="{frame.up(r.score):.1f}" r="6">'
        f"<title>{_hover(r, objectives)}</title></circle></a>"
        for kind, points in (("outside", chart.outside), ("front", chart.inside))
        for r in points
        if r.score >= chart.y_range[0]
    ]
    return _svg(
        parts, size, f"{heading[:1].upper()}{heading[1:]} against {axis.heading}: {chart.subtitle}", role="group"
    )


def line_svg(values: Sequence[float], title: str, *, tick: Callable[[float], str], size: tuple[int, int]) -> str:
    """One value a trial, as steps; `tick` writes a value."""
    low, high = min(values, default=0.0), max(values, default=1.0)
    margin = 0.08 * (high - low) or 0.05
    frame = _Frame(size, (0, max(len(values), 1)), (max(low - margin, 0), high + margin), logarithmic=False)
    points: list[str] = []
    for number, value in enumerate(values, start=1):
        points.append(f"{frame.across(number - 1):.1f},{frame.up(value):.1f}")
        points.append(f"{frame.across(number):.1f},{frame.up(value):.1f}")
    parts = [*frame.axes("trials", title, tick), f'<polyline class="front-line" points="{" ".join(points)}"/>']
    return _svg(parts, size, f"{title} by trial; {tick(values[-1])} in the end", role="img")


def plain_tick(value: float) -> str:
    """A number beside an axis.

    >>> plain_tick(0.8653), plain_tick(20.0)
    ('0.8653', '20')
    """
    return f"{value:.4g}"


def said(record: TrialRecord, objectives: Objectives) -> str:
    """A trial in words, ready for HTML.

    For example: trial 17: 7,466 parameters, 98.96% validation accuracy.
    """
    costs, score = costs_in_words(record, objectives), objectives.score
    return html.escape(f"trial {record.number}: {costs}, {record.score_text(score)}")


def _hover(record: TrialRecord, objectives: Objectives) -> str:
    """What a mouse is told over a point: its trial in words, and its network."""
    return f"{said(record, objectives)}\n{html.escape(record.architecture.describe())}"


def _svg(parts: Sequence[str], size: tuple[int, int], title: str, *, role: str) -> str:
    width, height = size
    return (
        f'<svg viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="{role}" '
        f'aria-label="{html.escape(title)}">{"".join(parts)}</svg>'
    )


def _ticks(low: float, high: float, most: int) -> list[float]:
    """Round numbers between two values.

    >>> _ticks(0.42, 0.99, 6), _ticks(0, 40, 5)
    ([0.5, 0.6, 0.7, 0.8, 0.9], [0, 10, 20, 30, 40])
    """
    if high <= low:
        return [low]
    rough = (high - low) / most
    power = 10 ** math.floor(math.log10(rough))
    step = next(power * n for n in (1, 2, 5, 10) if power * n >= rough * 0.999)
    first = math.ceil(low / step - 1e-9)
    return [round(n * step, 10) for n in range(first, math.floor(high / step + 1e-9) + 1)]


def _log_ticks(low: float, high: float, most: int) -> list[float]:
    """Powers of ten, and twice and five times them where there is room; round numbers where there are hardly any.

    >>> _log_ticks(150, 25_000, 7), _log_ticks(150, 25_000, 4)
    ([200.0, 500.0, 1000.0, 2000.0, 5000.0, 10000.0, 20000.0], [1000.0, 10000.0])
    >>> _log_ticks(0.31, 0.48, 4)
    [0.35, 0.4, 0.45]
    """
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    found = [n * 10.0**p for p in powers for n in (1, 2, 5) if low <= n * 10.0**p <= high]
    tens = [value for value in found if math.log10(value) % 1 < 1e-9]
    if len(found) < 2:
        return _ticks(low, high, most)
    return found if len(found) <= most or len(tens) < 2 else tens
