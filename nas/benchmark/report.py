"""Results of a benchmark as text for programs and as a picture."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from nas.benchmark.bench import Result


def as_records(results: Sequence[Result]) -> list[dict[str, Any]]:
    """One record a table, strategy and number of trials."""
    return [
        {
            "table": result.table,
            "strategy": result.strategy,
            "early_stopping": result.early_stopping,
            "trials": trials,
            "hypervolume_share": round(share, 6),
            "standard_error": None if error is None else round(error, 6),
            "tried": result.tried,
            "trainings": round(result.trainings, 6),
            "repeats": result.repeats,
            "infeasible": result.infeasible,
            "seconds_per_proposal": round(result.seconds, 6),
            "exhausted": result.exhausted,
            "whole_table": round(result.whole_table, 6),
        }
        for result in results
        for trials, share, error in zip(result.trials, result.shares, result.errors, strict=True)
    ]


def as_csv(results: Sequence[Result]) -> str:
    """The records with a header."""
    text = io.StringIO()
    records = as_records(results)
    writer = csv.DictWriter(text, list(records[0]) if records else [], lineterminator="\n")
    writer.writeheader()
    writer.writerows(records)
    return text.getvalue()


def as_json(results: Sequence[Result], *, settings: Mapping[str, Any]) -> str:
    """The records, and what they were made with."""
    return json.dumps({"settings": dict(settings), "results": as_records(results)}, indent=2) + "\n"


def plot(results: Sequence[Result], path: Path) -> None:
    """Shares against trials, a panel a table and a line a strategy; the file's ending gives the format."""
    from matplotlib.figure import Figure

    tables = list(dict.fromkeys(result.table for result in results))
    axis = "trials" if all(result.name == result.strategy for result in results) else "epochs, in full trainings"
    columns = min(len(tables), 3)
    rows = -(-len(tables) // columns)
    figure = Figure(figsize=(7 * columns, 4 * rows), layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False).flat
    for table, panel in zip(tables, panels, strict=False):
        shown = [result for result in results if result.table == table]
        for result in shown:
            errors = result.errors if len(result.runs) > 1 else None
            panel.errorbar(result.trials, result.shares, yerr=errors, label=result.name, marker="o", capsize=2)
        panel.axhline(shown[0].whole_table, color="gray", linestyle=":", label="every network, one observation each")
        panel.set(title=table, xlabel=axis, ylabel="share of the true front's hypervolume")
        panel.grid(alpha=0.3)
        panel.set_xticks(sorted({count for result in shown for count in result.trials}))
        # Beside them: curves from one corner to the other leave no room inside.
        panel.legend(loc="center left", bbox_to_anchor=(1.02, 0.5), fontsize="small")
    for panel in list(panels):
        panel.remove()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=150)
