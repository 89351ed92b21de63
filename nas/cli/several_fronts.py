"""What `nas front A B` prints: the fronts of several searches side by side."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nas.cli.terminal import TableFormat, errors, output, print_table
from nas.command_line import command_line

if TYPE_CHECKING:
    from nas.objectives import Cost, Score
    from nas.results.front_comparison import Comparison, Stretch
    from nas.tuning import Search


def print_comparison(searches: list[Search], format: TableFormat, runs_dir: Path) -> None:
    """Hypervolumes, where each search is ahead, and the front of all together.

    Raises:
        NasError: the searches cannot be compared.
    """
    from nas.reports.front_tables import rows_csv
    from nas.tuning import compare

    score = searches[0].objectives.score
    compared = compare(searches)
    if format is TableFormat.csv:
        rows = [{"search": name, **row} for name in compared.fronts for row in _rows(compared, name, score)]
        output.file.write(rows_csv(rows))
    elif format is TableFormat.json:
        output.file.write(json.dumps(_document(compared, searches), indent=2, allow_nan=False) + "\n")
    else:
        _print_tables(compared, searches)
        names = [search.name for search in searches]
        errors.print(f"Next:\n  {command_line('ui', *names, runs_dir=runs_dir)}  # the same in MLflow", markup=False)


def _rows(compared: Comparison, name: str, score: Score) -> list[dict[str, Any]]:
    """A search's front; each point says whether it is on the joint front."""
    from nas.reports.front_tables import front_rows

    joint = {point.number for owner, point in compared.joint if owner == name}
    return [row | {"on_joint_front": row["trial"] in joint} for row in front_rows(compared.fronts[name], score)]


def _document(compared: Comparison, searches: list[Search]) -> dict[str, Any]:
    from nas.tuning.comparable import differences

    objectives = searches[0].objectives
    return {
        "objectives": objectives.directions(),
        "differences": {
            key: dict(zip(compared.fronts, values, strict=True)) for key, values in differences(searches).items()
        },
        "interest": {cost.name: list(ends) for cost, ends in compared.objectives.interest.items()},
        "searches": [
            {
                "search": search.name,
                "trials": len(search.trials),
                "hypervolume": round(compared.hypervolumes[search.name], 6),
                "hypervolume_alone": round(search.hypervolume, 6),
                "points": _rows(compared, search.name, objectives.score),
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
    from rich.markup import escape
    from rich.table import Column, Table

    from nas.objectives import shown_costs
    from nas.tuning.comparable import differences

    costs, score = compared.objectives.costs, searches[0].objectives.score
    output.print(
        f"{len(searches)} searches on {searches[0].facts.dataset}; hypervolume over {compared.objectives.in_words}",
        style="bold",
        markup=False,
    )
    if rows := differences(searches):
        differing = Table("they differ in", *compared.fronts, box=box.SIMPLE_HEAD, pad_edge=False)
        for key, values in rows.items():
            differing.add_row(key, *map(escape, values))
        print_table(differing)
    # One number a search, or both with what they are taken over.
    alone = [search for search in searches if search.objectives != compared.objectives]
    best_at = f"with {costs[0].heading}"
    volumes = ("hypervolume", "alone") if alone else ("hypervolume",)
    headings = ("trials", "front", *volumes, f"best {score.heading}", best_at, "on the joint front")
    table = Table("search", *(Column(text, justify="right") for text in headings), box=box.SIMPLE_HEAD, pad_edge=False)
    for search in searches:
        front = compared.fronts[search.name]
        best = ("", "")
        if front.points:
            best = (score.text(front.best().score), costs[0].text(front.best().cost(costs[0])))
        table.add_row(
            search.name,
            str(len(search.trials)),
            str(len(front)),
            f"{compared.hypervolumes[search.name]:.3f}",
            *((f"{search.hypervolume:.3f}",) if alone else ()),
            *best,
            str(compared.on_joint_front(search.name)),
        )
    output.print(table)
    for search in alone:
        output.print(
            f"alone, as in `nas front {search.name}`: {search.name} over {search.objectives.in_words}",
            style="dim",
            markup=False,
            soft_wrap=True,
        )
    if compared.stretches:
        ahead = Table(box=box.SIMPLE_HEAD, pad_edge=False)
        ahead.add_column(f"budget ({costs[0].heading})", justify="right")
        ahead.add_column("is ahead")
        ahead.add_column("by up to", justify="right")
        for stretch in compared.stretches:
            ahead.add_row(*_cells(stretch, costs[0], score))
        output.print(ahead)
    joint = Table(box=box.SIMPLE_HEAD, pad_edge=False, title="The joint front", title_justify="left")
    joint.add_column("search")
    shown = shown_costs(costs)
    for heading in ("trial", *(cost.heading for cost in shown), score.heading):
        joint.add_column(heading, justify="right", no_wrap=True)
    joint.add_column("architecture", overflow="fold")
    for name, point in compared.joint:
        numbers = (cost.text(point.cost(cost)) for cost in shown)
        joint.add_row(name, str(point.number), *numbers, score.text(point.score), point.in_words)
    print_table(joint)


def _cells(stretch: Stretch, cost: Cost, score: Score) -> tuple[str, str, str]:
    end = "and more" if stretch.end is None else f"to below {cost.text(stretch.end)}"
    lead = f"{score.points(stretch.lead)} points" if stretch.winner else ""
    return f"{cost.text(stretch.start)} {end}", stretch.winner or "none: equal", lead
