"""Which classes are taken for which: what accuracy alone does not show."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import escape

from nas.tasks.base import Breakdown

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Counts = npt.NDArray[np.int64]
    """`(classes, classes)`: rows are classes as they are, columns as they were answered."""

LISTED = 40
"""Most classes of which a drawing has room for the names."""

SIDE = 480
"""Of the drawing, in pixels, without its names."""


def confusion(evidence: npt.NDArray[Any], classes: int | None = None) -> Counts:
    """How many images of each class were taken for each.

    Args:
        evidence: of classification: the class and the answered one in the first columns.
        classes: how many there are; as many as there is evidence of if left out.
    """
    import numpy as np

    pairs = evidence[:, :2].astype(np.int64)
    size = int(pairs.max()) + 1 if classes is None else classes
    return np.bincount(pairs[:, 0] * size + pairs[:, 1], minlength=size * size).reshape(size, size)


def balanced_accuracy(counts: Counts) -> float:
    """The mean share of each class that is recognized, of the classes that there are."""
    there = counts.sum(axis=1) > 0
    return float((counts.diagonal()[there] / counts.sum(axis=1)[there]).mean())


def macro_f1(counts: Counts) -> float:
    """The mean over classes of 2 right / (there + answered), of the classes that are there or were answered."""
    both = counts.sum(axis=1) + counts.sum(axis=0)
    return float((2 * counts.diagonal()[both > 0] / both[both > 0]).mean())


def breakdown(counts: Counts, labels: Sequence[str]) -> Breakdown:
    """Each class with what it is taken for, the least recognized first; and the matrix, drawn."""
    import numpy as np

    rows = []
    for label, (row, answered) in enumerate(zip(counts, counts.sum(axis=0), strict=True)):
        total, right = int(row.sum()), int(row[label])
        others = np.where(np.arange(len(row)) == label, 0, row)
        worst = int(others.argmax())
        taken = f"{labels[worst]} ({others[worst]:,})" if others[worst] else ""
        share = right / total if total else 1.0
        cells = (labels[label], f"{total:,}", _share(right, total), _share(right, int(answered)), taken)
        rows.append((share, cells))
    return Breakdown(
        name="confusion",
        headings=("class", "images", "recognized", "precision", "most often taken for"),
        rows=tuple(cells for _, cells in sorted(rows, key=lambda each: each[0])),
        drawing=_drawn(counts, labels),
        title="Confusion matrix: rows are the classes of the validation images, columns the answers",
    )


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.1%}" if whole else "-"


def _drawn(counts: Counts, labels: Sequence[str]) -> str:
    """A square a pair of classes, the darker the larger its share of its row."""
    classes = len(labels)
    named = classes <= LISTED
    left = top = 90 if named else 10
    side = SIDE / classes
    shares = counts / counts.sum(axis=1, keepdims=True).clip(min=1)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{left + SIDE + 10}" height="{top + SIDE + 10}" '
        f'font-family="sans-serif" font-size="{min(12.0, 0.7 * side):.3g}">',
        f'<rect width="100%" height="100%" fill="white"/>'
        f'<rect x="{left}" y="{top}" width="{SIDE}" height="{SIDE}" fill="none" stroke="#6b7785"/>',
    ]
    for row, column in zip(*counts.nonzero(), strict=True):
        share, count = shares[row, column], counts[row, column]
        color = "#1f6f8b" if row == column else "#b5442e"
        x, y = left + column * side, top + row * side
        told = escape(f"{labels[row]} answered {labels[column]}: {count:,} ({share:.1%})")
        parts.append(
            f'<rect x="{x:.4g}" y="{y:.4g}" width="{side:.4g}" height="{side:.4g}" fill="{color}" '
            f'fill-opacity="{max(share, 0.04):.3g}"><title>{told}</title></rect>'
        )
        if side >= 20:
            ink = "white" if share > 0.5 else "#22303c"
            x, y = x + side / 2, y + 0.65 * side
            parts.append(f'<text x="{x:.4g}" y="{y:.4g}" text-anchor="middle" fill="{ink}">{count}</text>')
    for place, label in enumerate(labels if named else ()):
        middle, text = (place + 0.65) * side, escape(label if len(label) <= 13 else f"{label[:12]}…")
        parts.append(f'<text x="{left - 6}" y="{top + middle:.4g}" text-anchor="end">{text}</text>')
        x = left + middle
        parts.append(f'<text x="{x:.4g}" y="{top - 6}" transform="rotate(-60 {x:.4g} {top - 6})">{text}</text>')
    return "".join([*parts, "</svg>"])
