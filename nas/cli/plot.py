"""`nas front NAME --plot FILE`: the front as a picture."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from nas.cli.terminal import errors
from nas.errors import NasError

if TYPE_CHECKING:
    from nas.tuning import Search

SUFFIXES = (".html", ".png", ".svg")


def check_plot(path: Path, searches: int) -> None:
    """Refuse what cannot be drawn, before anything is computed.

    Raises:
        NasError: with what can be.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise NasError(f"--plot writes {', '.join(SUFFIXES)}; received {str(path)!r}")
    if searches > 1:
        raise NasError("--plot draws one search; name one, or compare several with nas ui")


def write_plot(search: Search, path: Path) -> None:
    """The front in a file: a picture, or the report, whose chart tells more where a mouse points.

    Raises:
        NasError: the file cannot be written.
    """
    from nas.reports.front_figures import front_png, front_svg

    objectives = search.objectives
    title = f"{search.name}: {objectives.score.heading} against {objectives.axis.heading}"
    draw: dict[str, Callable[[], bytes]] = {
        ".html": lambda: search.report().encode(),
        ".png": lambda: front_png(search.trials, title=title, objectives=objectives),
        ".svg": lambda: front_svg(search.trials, title=title, objectives=objectives),
    }
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(draw[path.suffix.lower()]())
    except OSError as error:
        raise NasError(f"cannot write {path}: {error.strerror}; choose another file") from None
    errors.print(f"The picture is in {path}.", markup=False, soft_wrap=True)
