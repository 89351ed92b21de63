"""nas front: the Pareto front of a search."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nas.cli.listing import complete_searches
from nas.cli.terminal import RUNS_DIR, RunsDir, TableFormat, command, errors, output

if TYPE_CHECKING:
    from nas.tuning import Search

Name = Annotated[str, typer.Argument(help="Name of a search (nas list searches).", autocompletion=complete_searches)]


def front(
    name: Name,
    format: Annotated[TableFormat, typer.Option(help="How to print it.")] = TableFormat.table,
    runs_dir: RunsDir = RUNS_DIR,
) -> None:
    """Print the Pareto front: the trials that no other beats in both accuracy and parameters."""
    from nas.tracking.tables import front_csv, front_json
    from nas.tuning import Search

    search = Search(name, runs_dir)
    if format is TableFormat.table:
        print_front(search, runs_dir)
        return
    points = search.front
    text = (
        front_csv(points)
        if format is TableFormat.csv
        else front_json(points, search=search.name, hypervolume=round(search.hypervolume, 6))
    )
    output.file.write(text)


def print_front(search: Search, runs_dir: Path) -> None:
    """The front as a table on stdout, and where to look next on stderr."""
    from rich import box
    from rich.table import Table

    points = search.front
    trials = search.trials
    failed = sum(1 for trial in trials if trial.status == "FAILED")
    output.print(
        f"Pareto front of {search.name!r}: {len(points)} of {len(trials)} trials"
        + (f" ({failed} failed)" if failed else "")
        + f", hypervolume {search.hypervolume:.3f}",
        style="bold",
        markup=False,
    )
    if not len(points):
        return
    tested = any("test_accuracy" in point.metrics for point in points)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in ("trial", "parameters", "MACs", "val accuracy", *(["test accuracy"] if tested else [])):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("architecture", overflow="fold")
    for point in points:
        test = [f"{point.metrics['test_accuracy']:.2%}" if "test_accuracy" in point.metrics else ""] if tested else []
        table.add_row(
            str(point.number),
            f"{point.parameters:,}",
            f"{point.macs:,}",
            f"{point.val_accuracy:.2%}",
            *test,
            point.architecture.describe(),
        )
    output.print(table)
    best, name = points.best(), search.name
    hints = (
        (command("show", f"{name}/{best.number}", runs_dir=runs_dir), "one network, layer by layer"),
        (
            command(
                "export",
                name,
                "--max-params",
                str(best.parameters),
                "--to",
                f"{name}-model",
                runs_dir=runs_dir,
            ),
            "as a SavedModel",
        ),
        (command("ui", name, runs_dir=runs_dir), "every trial in MLflow"),
    )
    width = max(len(line) for line, _ in hints)
    errors.print("Next:")
    for line, what in hints:
        errors.print(f"  {line:<{width}}  # {what}", markup=False, soft_wrap=True)
