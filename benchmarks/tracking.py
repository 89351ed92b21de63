"""What MLflow costs a search: 1,000 trials of 20 epochs, written to SQLite in the background.

Prints how long the search's own thread is held up, how fast the background thread writes beside it, and the bytes on
disk. Side by side: the same runs through MLflow's fluent functions, one call per metric and epoch, as in a tutorial.

    python benchmarks/tracking.py [TRIALS]
"""

from __future__ import annotations

import os
import random
import statistics
import sys
import tempfile
import time
import uuid
from collections.abc import Sequence
from pathlib import Path

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")

from nas.architecture import Architecture, Budget
from nas.objectives import PARAMETERS, Objectives
from nas.results.trial import TrialRecord, TrialStatus
from nas.space import load_space
from nas.tasks import DEFAULT_TASK

EPOCHS = 20
FLUENT_TRIALS = 20


def made_up(architecture: Architecture, epochs: int = EPOCHS) -> tuple[dict[str, float], dict[str, tuple[float, ...]]]:
    """Metrics and curves as of a training; the score grows with the size, with an error that each network has."""
    error = random.Random(architecture.id).gauss(0, 0.03)
    score = min(0.99, max(0.1, 0.3 + 0.12 * float(architecture.count.parameters) ** 0.15 + error))
    curve = tuple(score * (1 - 0.7**epoch) for epoch in range(1, epochs + 1))
    losses = tuple(1 - value for value in curve)
    metrics = {"val_score": score, "val_loss": 1 - score, "score": score, "loss": 0.1}
    return metrics, {"score": curve, "loss": losses, "val_score": curve, "val_loss": losses}


def make_records(count: int) -> list[TrialRecord]:
    """Trials of different networks of `mixed`."""
    space = load_space("mixed", input_shape=(28, 28, 1), classes=10)
    records: list[TrialRecord] = []
    for architecture in space.sample_distinct(count, random.Random(0), Budget(max_parameters=100_000)):
        metrics, curves = made_up(architecture)
        record = TrialRecord(
            number=len(records),
            architecture=architecture,
            status=TrialStatus.COMPLETED,
            metrics=metrics,
            curves=curves,
            duration_seconds=10.0,
        )
        records.append(record)
    return records


def folder_bytes(folder: str | Path) -> int:
    return sum(path.stat().st_size for path in Path(folder).rglob("*") if path.is_file())


def ours(records: Sequence[TrialRecord], folder: Path) -> tuple[list[float], float, float]:
    """Seconds: for which each trial held up the search's thread; until all were written; of the end."""
    from nas.tracking import SearchRun, Store, Tracker

    search = SearchRun(
        store=Store.resolve(folder),
        experiment="benchmark",
        name="benchmark",
        search_id=uuid.uuid4().hex,
        objectives=Objectives(score=DEFAULT_TASK.score, interest={PARAMETERS: (100, 100_000)}, budget=100_000),
    )
    tracker = Tracker(search)
    tracker.start({"dataset": "benchmark"})
    held = []
    started = time.perf_counter()
    for record in records:
        begin = time.perf_counter()
        tracker.update_front([record])
        held.append(time.perf_counter() - begin)
        # In a search the next trial ends seconds later; here it ends when the last one is written.
        while tracker.pending:
            time.sleep(0.002)
    written = time.perf_counter() - started
    begin = time.perf_counter()
    tracker.finish()
    if not tracker.close(600):
        raise SystemExit(tracker.problem)
    return held, written, time.perf_counter() - begin


def fluent(records: Sequence[TrialRecord], folder: str) -> float:
    """Seconds that MLflow's fluent functions take."""
    import mlflow

    mlflow.set_tracking_uri(f"sqlite:///{folder}/mlflow.db")
    mlflow.create_experiment("fluent", artifact_location=(Path(folder) / "mlartifacts").as_uri())
    mlflow.set_experiment("fluent")
    started = time.perf_counter()
    with mlflow.start_run(run_name="search"):
        for record in records:
            with mlflow.start_run(run_name=str(record.number), nested=True):
                mlflow.log_params({"architecture": record.architecture.describe()[:400], "id": record.architecture.id})
                for epoch in range(EPOCHS):
                    mlflow.log_metrics({name: curve[epoch] for name, curve in record.curves.items()}, step=epoch)
                mlflow.log_metrics(dict(record.metrics))
                mlflow.log_dict(record.architecture.to_dict(), "architecture.json")
    return time.perf_counter() - started


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000
    records = make_records(count)
    with tempfile.TemporaryDirectory() as folder:
        held, written, end = ours(records, Path(folder))
        size = folder_bytes(folder)
        database = (Path(folder) / "mlflow.db").stat().st_size
    tenth = max(1, count // 10)
    print(f"{count:,} trials of {EPOCHS} epochs ({4 * EPOCHS} points each), SQLite, {os.cpu_count()} cores")
    print(
        f"  held up a trial, median      {1e6 * statistics.median(held):9.0f} µs   (longest {1e3 * max(held):.1f} ms)"
    )
    print(f"  written in the background    {written / count:9.4f} s a trial")
    print(f"  front, figures, ranks        {end:9.1f} s once, at the end")
    a_trial = size / count / 1e3
    sizes = f"database {database / 1e6:.1f} MB, {a_trial:.1f} kB a trial"
    print(f"  store                        {size / 1e6:9.1f} MB ({sizes})")
    with tempfile.TemporaryDirectory() as folder:
        few = records[: min(FLUENT_TRIALS, tenth)]
        print(f"  MLflow's fluent functions    {fluent(few, folder) / len(few):9.4f} s a trial, in the search's thread")


if __name__ == "__main__":
    main()
