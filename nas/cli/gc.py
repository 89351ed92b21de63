"""nas gc: give back the space of what was deleted."""

from __future__ import annotations

from nas.cli.terminal import RunsDir, TrackingUri, output
from nas.command_line import RUNS_DIR
from nas.quantity import counted, data_size


def gc(tracking_uri: TrackingUri = None, runs_dir: RunsDir = RUNS_DIR) -> None:
    """Remove for good what was deleted already: runs in MLflow's trash, and folders that a kill has left.

    Searches are not touched; `nas delete` removes one.
    """
    from nas.tuning.lifecycle import collect_garbage

    freed = collect_garbage(runs_dir, tracking_uri=tracking_uri)
    output.print(f"Freed {data_size(freed.bytes)}, {counted(freed.runs, 'run')} of MLflow's trash among them")
