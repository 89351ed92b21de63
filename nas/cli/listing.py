"""nas list: what there is, by name."""

from __future__ import annotations

import json
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from nas.cli.terminal import Format, RunsDir, errors, output, print_table
from nas.command_line import RUNS_DIR
from nas.errors import NasError
from nas.objectives import SCORES
from nas.quantity import data_size


class Kind(StrEnum):
    searches = "searches"
    spaces = "spaces"
    experiments = "experiments"
    datasets = "datasets"
    strategies = "strategies"
    blocks = "blocks"
    boards = "boards"


def listing(
    kind: Annotated[Kind, typer.Argument(help="What to list.")],
    format: Annotated[Format, typer.Option(help="Output format.")] = Format.table,
    data_dir: Annotated[str | None, typer.Option(help="Where TFDS keeps prepared data sets.")] = None,
    runs_dir: RunsDir = RUNS_DIR,
) -> None:
    """List the names that other commands take, each with a description."""
    if kind is Kind.searches:
        _list_searches(runs_dir, format)
        return
    rows = {
        Kind.spaces: _spaces,
        Kind.experiments: _experiments,
        Kind.datasets: lambda: _datasets(data_dir),
        Kind.strategies: _strategies,
        Kind.blocks: _blocks,
        Kind.boards: _boards,
    }[kind]()
    if format is Format.json:
        output.file.write(json.dumps([{"name": name, "description": what} for name, what in rows], indent=2) + "\n")
        return
    width = max((len(name) for name, _ in rows), default=0)
    for name, what in rows:
        output.print(f"{name:<{width}}  {what}".rstrip(), markup=False, soft_wrap=True)


def _list_searches(runs_dir: Path, format: Format) -> None:
    from rich.table import Table

    from nas.tuning import searches

    rows = [_search_row(name, runs_dir) for name in searches(runs_dir)]
    if format is Format.json:
        output.file.write(json.dumps(rows, indent=2) + "\n")
        return
    if not rows:
        errors.print(f"no searches in {runs_dir} yet; nas search digits makes one", markup=False, soft_wrap=True)
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("search", "data", "trials", "best score", "parameters", "size", "last change"):
        words = heading in ("search", "data", "last change")
        table.add_column(heading, justify="left" if words else "right", no_wrap=True)
    broken = []
    for row in rows:
        if "problem" in row:
            broken.append(row)
            continue
        best = row["best"]
        known = ("", "") if best is None else (SCORES[row["score"]].text(best["score"]), f"{best['parameters']:,}")
        state = f"{row['trials']:,}" if row["finished"] else f"{row['trials']:,} of {row['wanted']:,}"
        changed = row["changed"].replace("T", " ")[:16]
        table.add_row(row["search"], row["data"], state, *known, data_size(row["bytes"]), changed)
    if table.row_count:
        print_table(table)
    for row in broken:
        output.print(f"{row['search']}: {row['problem']}", markup=False, soft_wrap=True)


def _search_row(name: str, runs_dir: Path) -> dict[str, Any]:
    """What `--format json` has of a search."""
    from nas.results.pareto import ParetoFront
    from nas.tuning import Search
    from nas.tuning.folder import SearchFolder
    from nas.tuning.lifecycle import size_on_disk

    folder = SearchFolder(runs_dir, name)
    row: dict[str, Any] = {"search": name}
    try:
        search = Search(name, runs_dir)
        # By what was observed: what is expected takes a model of each search.
        front = ParetoFront.of(search.observed_trials, search.objectives.costs)
        best = None
        if front.points:
            point = front.best()
            best = {"trial": point.number, "score": point.score, "parameters": point.parameters}
        journal = folder.journal.path
        row |= {
            "data": search.facts.dataset,
            "score": search.experiment.score.objective,
            "trials": search.ended_trials,
            "wanted": search.experiment.trials,
            "finished": search.finished,
            "front": len(front),
            "best": best,
            "bytes": size_on_disk(folder),
            "changed": datetime.fromtimestamp(journal.stat().st_mtime).astimezone().isoformat(timespec="seconds"),
        }
    except NasError as error:
        # The others are listed all the same.
        row["problem"] = str(error)
    return row


def _spaces() -> list[tuple[str, str]]:
    from nas.files.shipped import shipped
    from nas.space import load_definition

    return [(name, load_definition(path).description) for name, path in shipped("search_spaces").items()]


def _experiments() -> list[tuple[str, str]]:
    from nas.config import load_experiment
    from nas.files.shipped import shipped

    return [(name, load_experiment(path).description) for name, path in shipped("experiments").items()]


def _datasets(data_dir: str | None) -> list[tuple[str, str]]:
    from nas.datasets import known_datasets
    from nas.tasks import TASKS

    rows = []
    for info in known_datasets(data_dir):
        size = "x".join(map(str, info.input_shape))
        rows.append((info.name, f"{size}, {TASKS[info.task].described(info.labels)}"))
    return rows


def _strategies() -> list[tuple[str, str]]:
    from nas.strategies import STRATEGIES

    return [(name, _first_line(cls)) for name, cls in sorted(STRATEGIES.items())]


def _blocks() -> list[tuple[str, str]]:
    from nas.architecture.blocks import BLOCKS

    return [(name, _first_line(cls)) for name, cls in sorted(BLOCKS.items())]


def _boards() -> list[tuple[str, str]]:
    from nas.boards import board_names, find_board

    rows = []
    for board in map(find_board, board_names()):
        left = " and ".join(cost.words(limit) for cost, limit in board.limits.items())
        rows.append((board.name, f"{board.description}; leaves {left}"))
    return rows


def _first_line(cls: type) -> str:
    return (cls.__doc__ or "").strip().splitlines()[0]


def complete_experiments(incomplete: str) -> list[str]:
    from nas.files.shipped import shipped

    return [name for name in shipped("experiments") if name.startswith(incomplete)]


def complete_spaces(incomplete: str) -> list[str]:
    from nas.files.shipped import shipped

    return [name for name in shipped("search_spaces") if name.startswith(incomplete)]


def complete_searches(ctx: typer.Context, incomplete: str) -> list[str]:
    runs_dir = Path(ctx.params.get("runs_dir") or RUNS_DIR)
    return sorted(p.parent.name for p in runs_dir.glob("*/experiment.json") if p.parent.name.startswith(incomplete))
