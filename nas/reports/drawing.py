"""A picture as rectangles, lines and text, written as SVG or PNG. Pure: bytes come out, no file is touched."""

from __future__ import annotations

import html
import io
from dataclasses import dataclass
from typing import Any, Literal, final

Anchor = Literal["start", "middle", "end"]


@final
@dataclass(frozen=True, slots=True)
class Rect:
    x: float
    y: float
    width: float
    height: float
    fill: str = "none"
    stroke: str = "none"
    radius: float = 0
    dashed: bool = False


@final
@dataclass(frozen=True, slots=True)
class Path:
    """Moves ("M", x, y), lines ("L", x, y) and cubic curves ("C", x1, y1, x2, y2, x, y)."""

    commands: tuple[tuple[Any, ...], ...]
    stroke: str = "none"
    fill: str = "none"


@final
@dataclass(frozen=True, slots=True)
class Text:
    """One line; `y` is its base line."""

    x: float
    y: float
    text: str
    size: float
    color: str
    anchor: Anchor = "start"
    bold: bool = False


@final
@dataclass(frozen=True, slots=True)
class Drawing:
    """Shapes on a white page, the later ones over the earlier ones. Lengths are pixels, y grows downwards."""

    width: float
    height: float
    title: str
    shapes: tuple[Rect | Path | Text, ...]

    def svg(self) -> str:
        """The picture as an SVG file. It refers to nothing outside itself."""
        size = f"{_n(self.width)} {_n(self.height)}"
        parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{_n(self.width)}" height="{_n(self.height)}" '
            f'viewBox="0 0 {size}" font-family="Helvetica, Arial, \'DejaVu Sans\', sans-serif">',
            f"<title>{html.escape(self.title)}</title>",
            f'<rect width="{_n(self.width)}" height="{_n(self.height)}" fill="#ffffff"/>',
            *map(_element, self.shapes),
            "</svg>",
        ]
        return "\n".join(parts) + "\n"

    def png(self, *, scale: float = 2.0) -> bytes:
        """The picture as a PNG file of `scale` dots a pixel."""
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

        inch = 100.0  # pixels; any number will do, `scale` decides how many dots they become
        figure = Figure(figsize=(self.width / inch, self.height / inch), dpi=inch * scale, facecolor="white")
        FigureCanvasAgg(figure)
        axes = figure.add_axes((0, 0, 1, 1))
        axes.set_xlim(0, self.width)
        axes.set_ylim(self.height, 0)
        axes.set_axis_off()
        for order, shape in enumerate(self.shapes):
            _draw(axes, shape, order, points_a_pixel=72 / inch)
        file = io.BytesIO()
        figure.savefig(file, format="png")
        return file.getvalue()


def _n(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")


def _element(shape: Rect | Path | Text) -> str:
    if isinstance(shape, Rect):
        dash = ' stroke-dasharray="4 3"' if shape.dashed else ""
        return (
            f'<rect x="{_n(shape.x)}" y="{_n(shape.y)}" width="{_n(shape.width)}" height="{_n(shape.height)}" '
            f'rx="{_n(shape.radius)}" fill="{shape.fill}" stroke="{shape.stroke}"{dash}/>'
        )
    if isinstance(shape, Path):
        commands = " ".join(f"{name}{' '.join(map(_n, numbers))}" for name, *numbers in shape.commands)
        return f'<path d="{commands}" fill="{shape.fill}" stroke="{shape.stroke}" stroke-width="1.2"/>'
    weight = ' font-weight="bold"' if shape.bold else ""
    return (
        f'<text x="{_n(shape.x)}" y="{_n(shape.y)}" font-size="{_n(shape.size)}" fill="{shape.color}" '
        f'text-anchor="{shape.anchor}"{weight}>{html.escape(shape.text)}</text>'
    )


def _draw(axes: Any, shape: Rect | Path | Text, order: int, *, points_a_pixel: float) -> None:
    from matplotlib import patches, path

    if isinstance(shape, Rect):
        axes.add_patch(
            patches.FancyBboxPatch(
                (shape.x, shape.y),
                shape.width,
                shape.height,
                boxstyle=f"round,pad=0,rounding_size={min(shape.radius, shape.width / 2, shape.height / 2)}",
                facecolor=shape.fill,
                edgecolor=shape.stroke,
                linewidth=points_a_pixel if shape.stroke != "none" else 0,
                linestyle=(0, (4, 3)) if shape.dashed else "-",
                zorder=order,
            )
        )
    elif isinstance(shape, Path):
        codes, points = [], []
        for name, *numbers in shape.commands:
            code = {"M": path.Path.MOVETO, "L": path.Path.LINETO, "C": path.Path.CURVE4}[name]
            for x, y in zip(numbers[::2], numbers[1::2], strict=True):
                codes.append(code)
                points.append((x, y))
        axes.add_patch(
            patches.PathPatch(
                path.Path(points, codes),
                facecolor=shape.fill,
                edgecolor=shape.stroke,
                linewidth=1.2 * points_a_pixel,
                zorder=order,
            )
        )
    else:
        axes.text(
            shape.x,
            shape.y,
            shape.text,
            # Matplotlib's own font runs wider than Helvetica.
            fontsize=0.88 * shape.size * points_a_pixel,
            color=shape.color,
            ha={"start": "left", "middle": "center", "end": "right"}[shape.anchor],
            va="baseline",
            fontweight="bold" if shape.bold else "normal",
            parse_math=False,
            zorder=order,
        )
