"""nas rename: another name for a search."""

from __future__ import annotations

from typing import Annotated

import typer

from nas.cli.front import Name
from nas.cli.terminal import RunsDir, TrackingUri, errors, output
from nas.command_line import RUNS_DIR, command_line
from nas.errors import NasError


def rename(
    name: Name,
    new_name: Annotated[str, typer.Argument(help="The new name.")],
    tracking_uri: TrackingUri = None,
    runs_dir: RunsDir = RUNS_DIR,
) -> None:
    """Rename a search, in MLflow too."""
    from nas.tuning import Search
    from nas.tuning.folder import SearchFolder
    from nas.tuning.lifecycle import rename

    rename(SearchFolder(runs_dir, name), new_name)
    output.print(f"Renamed {name!r} to {new_name!r}", markup=False, soft_wrap=True)
    try:
        Search(new_name, runs_dir).sync(tracking_uri)
    except NasError as error:
        again = command_line("sync", new_name, runs_dir=runs_dir, tracking_uri=tracking_uri)
        errors.print(f"{error}; once it does: {again}", style="yellow", markup=False, soft_wrap=True)
