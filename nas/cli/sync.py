"""nas sync: write to MLflow what it missed."""

from __future__ import annotations

from nas.cli.front import Name
from nas.cli.terminal import RunsDir, TrackingUri, output
from nas.command_line import RUNS_DIR
from nas.quantity import counted


def sync(name: Name, tracking_uri: TrackingUri = None, runs_dir: RunsDir = RUNS_DIR) -> None:
    """Write to MLflow what it lacks of a search, after its server was unreachable or on another server."""
    from nas.tuning import Search

    search = Search(name, runs_dir)
    added, store = search.sync(tracking_uri), search.tracking_run(tracking_uri).store
    output.print(f"Added {counted(added, 'trial')} of {name!r} to {store.label}", markup=False, soft_wrap=True)
