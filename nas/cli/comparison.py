"""What `nas front A B` prints: several searches' fronts side by side."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nas.cli.terminal import TableFormat, command, errors, output
from nas.errors import NasError

if TYPE_CHECKING:
    from nas.comparison import Comparison, Stretch
    from nas.tuning import Search


def print_comparison(searches: list[Search], format: TableFormat, runs_dir: Path) -> None:
    """Hypervolumes, where each search is ahead, and the front of all together.

    Raises:
        NasError: the searches are not on the same data.
    """
    from nas.tracking.tables import rows_csv

    compared = compare(searches)
    if format is TableFormat.csv:
        rows = [{"search": name, **row} for name in compared.fronts for row in _rows(compared, name)]
        output.file.write(rows_csv(rows))
    elif format is TableFormat.json:
        output.file.write(json.dumps(_document(compared, searches), indent=2, allow_nan=False) + "\n")
    else:
        _print_tables(compared, searches)
        names = [search.name for search in searches]
        errors.print(f"Next:\n  {command('ui', *names, runs_dir=runs_dir)}  # the same in MLflow", markup=False)


def compare(searches: list[Search]) -> Comparison:
    """The comparison of searches on the same data.

    Raises:
        NasError: they are not, or one is named twice.
    """
    from nas.comparison import Comparison

    names = [search.name for search in searches]
    if len(set(names)) < len(names):
        raise NasError(f"a comparison names each search once; received {', '.join(names)}")
    data = {(search.facts.dataset, search.facts.input_shape) for search in searches}
    if len(data) > 1:
        told = ", ".join(f"{search.name}: {search.facts.dataset}" for search in searches)
        raise NasError(f"only searches on the same images can be compared; received {told}")
    limits = min(s.facts.smallest for s in searches), max(s.facts.largest for s in searches)
    return Comparison.of({search.name: search.trials for search in searches}, limits=limits)


def _rows(compared: Comparison, name: str) -> list[dict[str, Any]]:
    """A search's front with the mark of those points that no other search beats."""
    from nas.tracking.tables import front_rows

    joint = {point.number for owner, point in compared.joint if owner == name}
    return [row | {"on_joint_front": row["trial"] in joint} for row in front_rows(compared.fronts[name])]


def _document(compared: Comparison, searches: list[Search]) -> dict[str, Any]:
    from nas.tracking.tables import OBJECTIVES

    return {
        "objectives": OBJECTIVES,
        "limits": list(compared.limits),
        "searches": [
            {
                "search": search.name,
                "trials": len(search.trials),
                "hypervolume": round(compared.hypervolumes[search.name], 6),
                "points": _rows(compared, search.name),
            }
            for search in searches
        ],
        "ahead": [
            {
                "search": stretch.winner or None,
                "from_parameters": stretch.from_parameters,
                "to_parameters": stretch.to_parameters,
                "lead": round(stretch.lead, 6),
            }
            for stretch in compared.stretches
        ],
    }


def _print_tables(compared: Comparison, searches: list[Search]) -> None:
    from rich import box
    from rich.table import Table

    low, high = compared.limits
    output.print(
        f"{len(searches)} searches on {searches[0].facts.dataset}; hypervolume from {low:,} to {high:,} parameters",
        style="bold",
        markup=False,
    )
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("search")
    for heading in ("trials", "front", "hypervolume", "best val accuracy", "with parameters", "on the joint front"):
        table.add_column(heading, justify="right")
    for search in searches:
        front = compared.fronts[search.name]
        best = (f"{front.best().val_accuracy:.2%}", f"{front.best().parameters:,}") if front.points else ("", "")
        table.add_row(
            search.name,
            str(len(search.trials)),
            str(len(front)),
            f"{compared.hypervolumes[search.name]:.3f}",
            *best,
            str(compared.on_joint_front(search.name)),
        )
    output.print(table)
    if compared.stretches:
        ahead = Table(box=box.SIMPLE_HEAD, pad_edge=False)
        ahead.add_column("with at most so many parameters", justify="right")
        ahead.add_column("is ahead")
        ahead.add_column("by up to", justify="right")
        for stretch in compared.stretches:
            ahead.add_row(*_told(stretch))
        output.print(ahead)
    joint = Table(box=box.SIMPLE_HEAD, pad_edge=False, title="The joint front", title_justify="left")
    joint.add_column("search")
    for heading in ("trial", "parameters", "MACs", "val accuracy"):
        joint.add_column(heading, justify="right", no_wrap=True)
    joint.add_column("architecture", overflow="fold")
    for name, point in compared.joint:
        numbers = (str(point.number), f"{point.parameters:,}", f"{point.macs:,}", f"{point.val_accuracy:.2%}")
        joint.add_row(name, *numbers, point.architecture.describe())
    output.print(joint)


def _told(stretch: Stretch) -> tuple[str, str, str]:
    end = "and more" if stretch.to_parameters is None else f"to {stretch.to_parameters:,}"
    if stretch.to_parameters == stretch.from_parameters:
        end = ""
    lead = f"{100 * stretch.lead:.2f} points" if stretch.winner else ""
    return f"{stretch.from_parameters:,} {end}".strip(), stretch.winner or "none: equal", lead
