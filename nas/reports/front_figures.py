"""Pictures of the front, drawn by matplotlib. Pure: records in, bytes out."""

from __future__ import annotations

import io
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

from nas.errors import NasError
from nas.quantity import short_count
from nas.reports.front_chart import FrontChart

if TYPE_CHECKING:
    from nas.objectives import Objectives
    from nas.results.trial import TrialRecord

FRONT_COLOR = "#d1495b"
FRONT_COLORS = (FRONT_COLOR, "#2a6fbb", "#2f8f6b", "#c98a1b", "#7a54b0", "#0f8b8d")
"""Of the searches of one experiment, in the order in which they began."""
DOMINATED_COLOR = "#b8bec6"
FAILED_COLOR = "#e4e6e9"
OUTSIDE, OUTSIDE_COLOR = "not of interest", "#8a949e"
_INK, _MUTED = "#22303c", "#6b7785"


@final
@dataclass(frozen=True, slots=True)
class Picture:
    """A drawing that a notebook shows."""

    svg: str

    def _repr_svg_(self) -> str:
        return self.svg

    def save(self, path: str | Path) -> None:
        """Write it as an .svg file.

        Raises:
            NasError: the path does not end in .svg.
            OSError: the file cannot be written.
        """
        if Path(path).suffix.lower() != ".svg":
            raise NasError(f"a picture is saved as .svg; received {str(path)!r}; nas front NAME --plot writes .png too")
        Path(path).write_text(self.svg, encoding="utf-8")

    def __repr__(self) -> str:
        return f"Picture({len(self.svg):,} characters of SVG)"


def front_png(records: Iterable[TrialRecord], *, title: str, objectives: Objectives) -> bytes:
    """The static picture, 1600 x 1000 pixels, with the best point and the knee labeled.

    Args:
        records: trials in any order; failed ones are left out.
        title: plain text.
        objectives: of the search; its first cost is the horizontal axis, and its budget is drawn.
    """
    return _drawn(records, title, objectives, "png")


def front_svg(records: Iterable[TrialRecord], *, title: str, objectives: Objectives) -> bytes:
    """The same picture for any size, with its text as text."""
    return _drawn(records, title, objectives, "svg")


def _drawn(records: Iterable[TrialRecord], title: str, objectives: Objectives, format: str) -> bytes:
    """Drawn with matplotlib's objects instead of pyplot, which keeps global state and must stay in the main thread."""
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine
    from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

    chart = FrontChart.of(records, objectives)
    axis, budget, score = objectives.axis, objectives.budget, objectives.score
    layout = ConstrainedLayoutEngine(w_pad=0.12, h_pad=0.12)  # inches around everything
    figure = Figure(figsize=(8, 5), dpi=200, layout=layout, facecolor="white")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.set_xscale("log")
    axes.set_xlim(*chart.x_range)
    axes.set_ylim(*chart.y_range)
    span = chart.x_range[1] / chart.x_range[0]
    ticks = LogLocator(10, subs=(1.0,) if span > 300 else (1.0, 2.0, 5.0)) if span > 4 else MaxNLocator(6)
    axes.xaxis.set_major_locator(ticks)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: short_count(value)))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: score.tick(value)))
    axes.grid(which="major", color="#eceff2", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(DOMINATED_COLOR)
    axes.tick_params(which="both", color=DOMINATED_COLOR, labelcolor=_INK, labelsize=9)
    axes.set_xlabel(axis.heading, color=_INK)
    axes.set_ylabel(chart.score_heading, color=_INK)

    def scatter(trials: Iterable[TrialRecord], label: str, **style: Any) -> None:
        trials = tuple(trials)
        x, y = [r.cost(axis) for r in trials], [r.score for r in trials]
        axes.scatter(x, y, label=label, edgecolors="white", linewidths=0.8, **style)

    if chart.steps:
        x, y = zip(*chart.steps, strict=True)
        axes.fill_between(x, y, chart.y_range[0], color=FRONT_COLOR, alpha=0.05, linewidth=0)
        axes.plot(x, y, color=FRONT_COLOR, linewidth=1.6)
    if chart.dominated:
        scatter(chart.dominated, "dominated", color=DOMINATED_COLOR, s=30, zorder=2.5)
    if chart.front.points:
        if chart.outside:
            scatter(chart.outside, OUTSIDE, color=OUTSIDE_COLOR, s=58, zorder=3)
        scatter(chart.inside, "Pareto front", color=FRONT_COLOR, s=58, zorder=3)
        labels = {point.number: point for point in (chart.front.knee(), chart.front.best())}
        for point in labels.values():
            # Below and right of its point, under the front's line, where no other label and no line is.
            left = point.cost(axis) < chart.x_range[0] ** 0.2 * chart.x_range[1] ** 0.8
            axes.annotate(
                f"{score.text(point.score, 1)} with {axis.short(point.cost(axis))}",
                (point.cost(axis), point.score),
                xytext=(7 if left else -7, -7),
                textcoords="offset points",
                ha="left" if left else "right",
                va="top",
                bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.6, "pad": 1.5},
                fontsize=9,
                fontweight="bold",
                color=FRONT_COLOR,
            )
        # Above the plot: each corner inside may have points.
        axes.legend(
            frameon=False,
            loc="lower right",
            bbox_to_anchor=(1.0, 1.0),
            ncols=3,
            labelcolor=_INK,
            fontsize=9,
            handletextpad=0.1,
            columnspacing=1.0,
        )
    if budget:
        axes.axvline(budget, color=_MUTED, linestyle=(0, (4, 3)), linewidth=1)
        axes.annotate(
            f"budget {axis.short(budget)}",
            (budget, 0.02),
            xycoords=("data", "axes fraction"),
            xytext=(4, 0),
            textcoords="offset points",
            rotation=90,
            va="bottom",
            fontsize=8,
            color=_MUTED,
        )
    # parse_math off: a "$" in a name is a dollar sign.
    axes.set_title(title, loc="left", pad=22, fontsize=13, fontweight="bold", color=_INK, parse_math=False)
    axes.annotate(
        chart.subtitle, (0, 1), xycoords="axes fraction", xytext=(0, 8), textcoords="offset points",
        fontsize=9, color=_MUTED,
    )  # fmt: skip
    file = io.BytesIO()
    # Without a date and with names from the content, equal fronts are equal files.
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "nas"}):
        figure.savefig(file, format=format, metadata={"Date": None} if format == "svg" else None)
    return file.getvalue()
