"""nas report: a search as one HTML file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nas.cli.front import Name
from nas.cli.terminal import RunsDir, output
from nas.command_line import RUNS_DIR
from nas.errors import NasError


def report(
    name: Name,
    to: Annotated[Path, typer.Option("--to", help="The .html file to write.")],
    runs_dir: RunsDir = RUNS_DIR,
) -> None:
    """Write a search as one HTML page: front, progress, drawings of networks, all trials, and how it was made.

    The page works offline and needs no other file.
    """
    from nas.tuning import Search

    if to.suffix.lower() not in (".html", ".htm"):
        raise NasError(f"--to takes a .html file; received {str(to)!r}")
    search = Search(name, runs_dir)
    page = search.report().encode()
    try:
        to.parent.mkdir(parents=True, exist_ok=True)
        to.write_bytes(page)
    except OSError as error:
        raise NasError(f"cannot write {to}: {error.strerror}; choose another file") from None
    output.print(f"The report on {name!r} is in {to} ({len(page):,} bytes).", markup=False, soft_wrap=True)
