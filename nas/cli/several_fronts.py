"""What `nas front A B` prints: several searches' fronts side by side."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nas.cli.terminal import TableFormat, errors, output, print_table
from nas.command_line import command_line
from nas.errors import NasError
from nas.objectives import LATENCY

if TYPE_CHECKING:
    from nas.results.front_comparison import Comparison, Stretch
    from nas.tuning import Search


def print_comparison(searches: list[Search], format: TableFormat, runs_dir: Path) -> None:
    """Hypervolumes, where each search is ahead, and the front of all together.

    Raises:
        NasError: the searches are not on the same data.
    """
    from nas.reports.front_tables import rows_csv

    compared = compare(searches)
    if format is TableFormat.csv:
        rows = [{"search": name, **row} for name in compared.fronts for row in _rows(compared, name)]
        output.file.write(rows_csv(rows))
    elif format is TableFormat.json:
        output.file.write(json.dumps(_document(compared, searches), indent=2, allow_nan=False) + "\n")
    else:
        _print_tables(compared, searches)
        names = [search.name for search in searches]
        errors.print(f"Next:\n  {command_line('ui', *names, runs_dir=runs_dir)}  # the same in MLflow", markup=False)


def compare(searches: list[Search]) -> Comparison:
    """The comparison of searches on the same data.

    Raises:
        NasError: they are not, or one is named twice.
    """
    from nas.results.front_comparison import Comparison

    names = [search.name for search in searches]
    if len(set(names)) < len(names):
        raise NasError(f"a comparison names each search once; received {', '.join(names)}")
    data = {(search.facts.dataset, search.facts.input_shape) for search in searches}
    if len(data) > 1:
        told = ", ".join(f"{search.name}: {search.facts.dataset}" for search in searches)
        raise NasError(f"only searches on the same images can be compared; received {told}")
    if len({search.experiment.objectives for search in searches}) > 1:
        told = "; ".join(f"{search.name}: {', '.join(search.experiment.objectives)}" for search in searches)
        raise NasError(f"only searches with the same objectives can be compared; received {told}")
    if LATENCY in searches[0].experiment.costs and len({search.facts.machine for search in searches}) > 1:
        told = "; ".join(f"{search.name}: {search.facts.machine}" for search in searches)
        raise NasError(f"latencies can be compared if they were measured on one machine; received {told}")
    each = [search.objectives.limits for search in searches]
    limits = {name: (min(of[name][0] for of in each), max(of[name][1] for of in each)) for name in each[0]}
    return Comparison.of({search.name: search.trials for search in searches}, limits=limits)


def _rows(compared: Comparison, name: str) -> list[dict[str, Any]]:
    """A search's front with the mark of those points that no other search beats."""
    from nas.reports.front_tables import front_rows

    joint = {point.number for owner, point in compared.joint if owner == name}
    return [row | {"on_joint_front": row["trial"] in joint} for row in front_rows(compared.fronts[name])]


def _document(compared: Comparison, searches: list[Search]) -> dict[str, Any]:
    from nas.objectives import directions

    return {
        "objectives": directions(compared.limits),
        "limits": {name: list(pair) for name, pair in compared.limits.items()},
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
                "from": stretch.start,
                "below": stretch.end,
                "lead": round(stretch.lead, 6),
            }
            for stretch in compared.stretches
        ],
    }


def _print_tables(compared: Comparison, searches: list[Search]) -> None:
    from rich import box
    from rich.table import Table

    from nas.objectives import COSTS, cost_in_words, cost_text, shown_costs

    costs = tuple(compared.limits)
    limits = compared.limits.items()
    between = ", ".join(f"{cost_text(name, low)} to {cost_in_words(name, high)}" for name, (low, high) in limits)
    output.print(
        f"{len(searches)} searches on {searches[0].facts.dataset}; hypervolume from {between}",
        style="bold",
        markup=False,
    )
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("search")
    best_at = f"with {COSTS[costs[0]]}"
    for heading in ("trials", "front", "hypervolume", "best val accuracy", best_at, "on the joint front"):
        table.add_column(heading, justify="right")
    for search in searches:
        front = compared.fronts[search.name]
        best = ("", "")
        if front.points:
            best = (f"{front.best().val_accuracy:.2%}", cost_text(costs[0], front.best().cost(costs[0])))
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
        ahead.add_column(f"with at most so much: {COSTS[costs[0]]}", justify="right")
        ahead.add_column("is ahead")
        ahead.add_column("by up to", justify="right")
        for stretch in compared.stretches:
            ahead.add_row(*_told(stretch, costs[0]))
        output.print(ahead)
    joint = Table(box=box.SIMPLE_HEAD, pad_edge=False, title="The joint front", title_justify="left")
    joint.add_column("search")
    shown = shown_costs(costs)
    for heading in ("trial", *(COSTS[name] for name in shown), "val accuracy"):
        joint.add_column(heading, justify="right", no_wrap=True)
    joint.add_column("architecture", overflow="fold")
    for name, point in compared.joint:
        numbers = (cost_text(cost, point.cost(cost)) for cost in shown)
        joint.add_row(name, str(point.number), *numbers, f"{point.val_accuracy:.2%}", point.architecture.describe())
    print_table(joint)


def _told(stretch: Stretch, cost: str) -> tuple[str, str, str]:
    from nas.objectives import cost_text

    end = "and more" if stretch.end is None else f"to below {cost_text(cost, stretch.end)}"
    lead = f"{100 * stretch.lead:.2f} points" if stretch.winner else ""
    return f"{cost_text(cost, stretch.start)} {end}", stretch.winner or "none: equal", lead
