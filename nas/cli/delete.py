"""nas delete: the end of a search."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from nas.cli.front import Name
from nas.cli.terminal import RunsDir, TrackingUri, errors, output
from nas.command_line import RUNS_DIR
from nas.errors import NasError
from nas.quantity import counted, data_size


def delete(
    name: Name,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    keep_runs: Annotated[bool, typer.Option("--keep-runs", help="Keep its runs in MLflow.")] = False,
    tracking_uri: TrackingUri = None,
    runs_dir: RunsDir = RUNS_DIR,
) -> None:
    """Delete a search for good: its folder and its runs in MLflow. Registered models stay.

    Asks first; `--yes` says it beforehand, for scripts.
    """
    from nas.tuning.folder import SearchFolder
    from nas.tuning.lifecycle import delete, size_on_disk

    folder = SearchFolder(runs_dir, name)
    if not yes:
        if not folder.exists:
            folder.experiment()  # says which there are
        what = f"the search {name!r} ({data_size(size_on_disk(folder))})" + (
            "" if keep_runs else " and its runs in MLflow"
        )
        if not sys.stdin.isatty():
            raise NasError(f"{what} would be removed for good; confirm with --yes where there is no terminal")
        errors.print(f"Remove {what} for good? \\[y/N] ", end="", soft_wrap=True)
        if input().strip().lower() not in ("y", "yes"):
            raise NasError("nothing was removed")
        errors.print("Removing ...")
    removed = delete(folder, tracking_uri=tracking_uri, keep_runs=keep_runs)
    runs = "" if keep_runs else f" and {counted(removed.runs, 'run')} in MLflow"
    output.print(f"Removed {name!r}: {data_size(removed.bytes)}{runs}", markup=False, soft_wrap=True)
