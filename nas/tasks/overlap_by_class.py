"""How well each class of masks is found: what mean IoU alone does not show."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import escape

from nas.tasks.base import Breakdown

if TYPE_CHECKING:
    import numpy.typing as npt

BAR, LINE, NAMES = 300, 18, 130
"""Of the drawing, in pixels: the length of an IoU of 1, the height of a class, the room for its name."""


def breakdown(evidence: npt.NDArray[Any], labels: Sequence[str]) -> Breakdown:
    """Each class with its IoU, its recall and its precision in pixels, the worst first; a class that is nowhere last.

    Args:
        evidence: of segmentation, `(n, 3, classes)`.
        labels: names of the classes.
    """
    rows = []
    for label, (right, answered, true) in zip(labels, evidence.sum(axis=0, dtype="float64").T, strict=True):
        union = answered + true - right
        cells = (label, f"{true:,.0f}", _share(right, union), _share(right, true), _share(right, answered))
        rows.append((right / union if union else 2.0, cells))
    rows.sort(key=lambda row: row[0])
    return Breakdown(
        name="class_iou",
        headings=("class", "pixels", "IoU", "recall", "precision"),
        rows=tuple(cells for _, cells in rows),
        drawing=_drawn([(cells[0], share) for share, cells in rows if share <= 1]),
        title="IoU of each class of pixels of the validation images",
    )


def _share(part: float, whole: float) -> str:
    return f"{part / whole:.1%}" if whole else "-"


def _drawn(shares: Sequence[tuple[str, float]]) -> str:
    """A bar a class."""
    width, height = NAMES + BAR + 50, LINE * len(shares) + 8
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" font-family="sans-serif" '
        f'font-size="11"><rect width="100%" height="100%" fill="white"/>'
    ]
    for place, (label, share) in enumerate(shares):
        y, length = 4 + LINE * place, BAR * share
        name = escape(label if len(label) <= 18 else f"{label[:17]}…")
        parts.append(
            f'<text x="{NAMES - 6}" y="{y + 13}" text-anchor="end" fill="#22303c">{name}</text>'
            f'<rect x="{NAMES}" y="{y + 2}" width="{length:.1f}" height="{LINE - 4}" fill="#1f6f8b"/>'
            f'<text x="{NAMES + length + 5:.1f}" y="{y + 13}" fill="#22303c">{share:.1%}</text>'
        )
    return "".join([*parts, "</svg>"])
