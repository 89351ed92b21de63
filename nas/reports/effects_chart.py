"""What decides about the score, as bars and as a table. Pure."""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nas.objectives import Score
    from nas.results.effects import Effect

SHOWN = 12
"""Decisions; the others matter less."""

NAMES, BARS, ROW = 230, 400, 26
"""Pixels: width of the names, width of the bars, height of a row."""

HEADINGS = ("decision", "best", "worst", "difference in points")

NOTE = "Estimated by the search's model, all else being equal; ± is one standard deviation. Pale: not clear yet."


def effect_rows(effects: Sequence[Effect], score: Score) -> list[tuple[str, str, str, str]]:
    """A row a decision, with the cells of `HEADINGS`."""
    return [
        (each.decision, each.best, each.worst, f"{score.points(each.gain)} ± {score.points(each.deviation)}")
        for each in effects
    ]


def effects_svg(effects: Sequence[Effect], score: Score) -> str:
    """A bar a decision with its standard deviation; the text has the color of the page around it."""
    shown = effects[:SHOWN]
    longest = max((each.gain + each.deviation for each in shown), default=0.0) or 1.0
    height = ROW * len(shown) + 8
    title = f"Which decisions matter for {score.heading}, in points"
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {NAMES + BARS + 150} {height}" '
        f'width="{NAMES + BARS + 150}" height="{height}" role="img" aria-label="{html.escape(title)}" '
        'font-family="sans-serif" font-size="12" fill="currentColor">'
    ]
    for place, each in enumerate(shown):
        middle = ROW * place + ROW / 2 + 4
        length, spread = BARS * each.gain / longest, BARS * each.deviation / longest
        name = each.decision if len(each.decision) <= 34 else f"…{each.decision[-33:]}"
        told = f"{each.decision}: {each.best} before {each.worst}, {effect_rows([each], score)[0][3]} points"
        parts += [
            f"<g><title>{html.escape(told)}</title>",
            f'<text x="{NAMES - 8}" y="{middle + 4:g}" text-anchor="end">{html.escape(name)}</text>',
            f'<rect x="{NAMES}" y="{middle - 7:g}" width="{length:.1f}" height="14" fill="#c8374f" '
            f'fill-opacity="{0.9 if each.is_clear else 0.3}"/>',
            f'<line x1="{NAMES + max(length - spread, 0):.1f}" x2="{NAMES + length + spread:.1f}" y1="{middle:g}" '
            f'y2="{middle:g}" stroke="currentColor" stroke-width="1.5"/>',
            f'<text x="{NAMES + length + spread + 6:.1f}" y="{middle + 4:g}">{html.escape(each.best)}</text></g>',
        ]
    return "".join([*parts, "</svg>"])
