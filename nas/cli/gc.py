"""nas gc: give back the space of what was deleted."""

from __future__ import annotations

from nas.cli.terminal import RunsDir, TrackingUri, output
from nas.command_line import RUNS_DIR
from nas.quantity import counted, data_size


def gc(tracking_uri: TrackingUri = None, runs_dir: RunsDir = RUNS_DIR) -> None:
    """Free disk space: empty MLflow's trash, and remove folders that killed commands left behind.

    Searches are not touched; `nas delete` removes one.
    """
    from nas.tracking.store import Store
    from nas.tuning.lifecycle import collect_garbage

    freed = collect_garbage(runs_dir, tracking_uri=tracking_uri)
    if Store.resolve(runs_dir, tracking_uri).is_sqlite:
        trash = f"; {counted(freed.runs, 'run')} in MLflow's trash removed"
    else:
        trash = "; the trash of an MLflow server is emptied where it runs, with mlflow gc"
    output.print(f"Freed {data_size(freed.bytes)}{trash}")
