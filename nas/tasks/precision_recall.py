"""What lies behind a mean average precision: each class, and how precision falls as more objects are found."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import escape

from nas.tasks.average_precision import COCO_OVERLAPS, precisions
from nas.tasks.base import Breakdown

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[Any]

SIDE, EDGE = 360, 48
"""Pixels of the square in which curves are drawn, and of the room around it."""


def breakdown(detections: Array, truths: Array, labels: Sequence[str]) -> Breakdown:
    """Each class with its average precisions, the least found first; and their curves, drawn."""
    classes, found = precisions(detections, truths, COCO_OVERLAPS)
    counts = [int((truths[..., 4] == label).sum()) for label in range(len(labels))]
    rows = [
        (curves[0].mean(), (labels[label], f"{counts[label]:,}", f"{curves[0].mean():.1%}", f"{curves.mean():.1%}"))
        for label, curves in zip(classes, found.swapaxes(0, 1), strict=True)
    ]
    absent = [(labels[label], "0", "-", "-") for label, count in enumerate(counts) if not count]
    return Breakdown(
        name="precision",
        headings=("class", "objects", "AP@50", "COCO AP"),
        rows=(*(cells for _, cells in sorted(rows, key=lambda each: each[0])), *absent),
        drawing=_drawn([labels[label] for label in classes], found[0]),
        title="Precision of detections (upward) as more objects are found (to the right): each class, and the mean",
    )


def _drawn(names: Sequence[str], curves: Array) -> str:
    size = SIDE + 2 * EDGE
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{size}" height="{size}" font-family="sans-serif" '
        f'font-size="12"><rect width="100%" height="100%" fill="white"/>'
        f'<rect x="{EDGE}" y="{EDGE}" width="{SIDE}" height="{SIDE}" fill="none" stroke="#6b7785"/>'
    ]
    for share in (0.0, 0.5, 1.0):
        place = EDGE + share * SIDE
        parts.append(
            f'<text x="{place:g}" y="{EDGE + SIDE + 16}" text-anchor="middle">{share:.0%}</text>'
            f'<text x="{EDGE - 6}" y="{2 * EDGE + SIDE - place + 4:g}" text-anchor="end">{share:.0%}</text>'
        )
    parts.append(f'<text x="{size / 2}" y="{size - 8}" text-anchor="middle">objects found</text>')
    parts += [_curve(name, curve, "#1f6f8b", 0.5, 1) for name, curve in zip(names, curves, strict=True)]
    if len(curves):
        parts.append(_curve("mean", curves.mean(axis=0), "#b5442e", 1, 2.5))
    return "".join([*parts, "</svg>"])


def _curve(name: str, curve: Array, color: str, opacity: float, width: float) -> str:
    points = " ".join(
        f"{EDGE + step / (len(curve) - 1) * SIDE:.1f},{EDGE + (1 - value) * SIDE:.1f}"
        for step, value in enumerate(curve)
    )
    return (
        f'<polyline points="{points}" fill="none" stroke="{color}" stroke-opacity="{opacity}" stroke-width="{width}">'
        f"<title>{escape(name)}: {curve.mean():.1%}</title></polyline>"
    )
