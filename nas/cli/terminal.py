"""Where results and messages go, and the options that several commands share."""

from __future__ import annotations

import logging
import sys
from contextlib import AbstractContextManager, nullcontext
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TextIO

import typer
from rich.console import Console

from nas.errors import NasError, printable
from nas.quantity import duration, whole_number

if TYPE_CHECKING:
    from rich.table import Table
    from rich.text import Text

WIDE = 200
"""Columns of output that is not a terminal, so that nothing is cut."""
_LEGIBLE = 16
"""Columns of a text that is folded."""
_UNLIMITED = 10_000


def _width(stream: TextIO | None) -> int | None:
    """None: the terminal's own. A program that was started with closed files has no streams."""
    return None if stream is not None and stream.isatty() else WIDE


class _Console(Console):
    """Prints text of files as it is: what a terminal would obey is shown."""

    def render_str(self, text: str, **options: Any) -> Text:
        return super().render_str(printable(text), **options)


output = _Console(width=_width(sys.stdout), highlight=False)
"""Results: stdout."""

errors = _Console(stderr=True, width=_width(sys.stderr), highlight=False)
"""Progress, logs and errors: stderr."""


def print_table(table: Table) -> None:
    """A table that is wider than the terminal has closer columns; one that still is runs over its edge, uncut.

    A last column that folds, such as an architecture's, then stands below the rows. Other columns that may wrap are
    narrowed first, though not to less than is legible.
    """
    from rich.cells import cell_len
    from rich.measure import Measurement
    from rich.padding import Padding
    from rich.text import Text

    def natural() -> int:
        return Measurement.get(output, output.options.update(width=_UNLIMITED), table).maximum

    if natural() > output.width:
        table.padding = (0, 0)
    below: list[Any] = []
    if natural() > output.width and table.columns[-1].overflow == "fold":
        below = list(table.columns.pop().cells)
        table.padding = (0, 1)
        if natural() > output.width:
            table.padding = (0, 0)
    spare = sum(
        max(0, max((cell_len(str(cell)) for cell in column.cells), default=0) - _LEGIBLE)
        for column in table.columns
        if not column.no_wrap
    )
    least = natural() - spare
    if least > output.width:
        table.width = least
    if not below:
        output.print(table, crop=False)
        return
    lines = output.render_lines(table, output.options.update(width=max(output.width, least)), pad=False)
    # Behind the last row, a table with a frame has an edge.
    first = len(lines) - len(below) - (1 if table.box is not None else 0)
    for place, line in enumerate(lines):
        output.print(*(Text(segment.text, segment.style or "") for segment in line), sep="", soft_wrap=True)
        if first <= place < first + len(below):
            text = Text(str(below[place - first]), overflow="fold")
            output.print(Padding(text, (0, 0, 0, 4), expand=False), style=table.rows[place - first].style or "")


def busy(text: str) -> AbstractContextManager[object]:
    """Says on a terminal what takes a while, until it is done."""
    # Also where colors are forced, as in a log, nothing is drawn over.
    return errors.status(text) if errors.file.isatty() else nullcontext()


class Format(StrEnum):
    table = "table"
    json = "json"


class TableFormat(StrEnum):
    table = "table"
    json = "json"
    csv = "csv"


RunsDir = Annotated[Path, typer.Option("--runs-dir", help="Folder of all searches.", envvar="NAS_RUNS_DIR")]
TrackingUri = Annotated[
    str | None, typer.Option("--tracking-uri", help="Of MLflow; default: MLFLOW_TRACKING_URI, else RUNS_DIR/mlflow.db.")
]
MaxParams = Annotated[
    str | None, typer.Option("--max-params", help="Maximum number of parameters, such as 20k or 1.5M.")
]


def count_option(option: str, text: str | None) -> int | None:
    """What was given for an option such as --max-params, as a number.

    Raises:
        NasError: it is no whole number.
    """
    try:
        return None if text is None else whole_number(text)
    except ValueError as error:
        raise NasError(f"{option} {error}") from None


def duration_option(option: str, text: str) -> float:
    """What was given for an option such as --wait, in seconds.

    Raises:
        NasError: it is no duration.
    """
    try:
        return duration(text)
    except ValueError as error:
        raise NasError(f"{option} {error}") from None


def set_up_logging(*, debug: bool) -> None:
    """Our own messages on stderr, and no library's."""
    logger = logging.getLogger("nas")
    logger.setLevel(logging.DEBUG if debug else logging.INFO)
    logger.handlers = [_Handler()]
    logger.propagate = False


class _Handler(logging.Handler):
    """Prints through the console, so that a live display stays whole."""

    def emit(self, record: logging.LogRecord) -> None:
        style = "yellow" if record.levelno >= logging.WARNING else "dim"
        errors.print(record.getMessage(), style=style, markup=False, soft_wrap=True)
        if record.exc_info and logging.getLogger("nas").level == logging.DEBUG:
            errors.print(logging.Formatter().formatException(record.exc_info), markup=False)


def settings_option(pairs: list[str]) -> dict[str, Any]:
    """`--set key=value`, the value as YAML reads it."""
    from nas.files.yaml_file import parse_yaml

    settings = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or not key:
            raise NasError(f"--set takes KEY=VALUE such as training.batch_size=32; received {pair!r}")
        settings[key.strip()] = parse_yaml(value, f"--set {key}").data
    return settings
