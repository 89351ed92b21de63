"""nas list: what there is, by name."""

from __future__ import annotations

import os
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from nas.cli.terminal import RunsDir, errors, output
from nas.command_line import RUNS_DIR
from nas.errors import NasError
from nas.quantity import counted


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
    data_dir: Annotated[str | None, typer.Option(help="Where TFDS keeps prepared data sets.")] = None,
    runs_dir: RunsDir = RUNS_DIR,
) -> None:
    """List names that other commands take, each with what it is."""
    rows = {
        Kind.searches: lambda: _searches(runs_dir),
        Kind.spaces: _spaces,
        Kind.experiments: _experiments,
        Kind.datasets: lambda: _datasets(data_dir),
        Kind.strategies: _strategies,
        Kind.blocks: _blocks,
        Kind.boards: _boards,
    }[kind]()
    if kind is Kind.searches and not rows:
        errors.print(f"no searches in {runs_dir} yet; nas search digits makes one", markup=False, soft_wrap=True)
    width = max((len(name) for name, _ in rows), default=0)
    for name, what in rows:
        output.print(f"{name:<{width}}  {what}".rstrip(), markup=False, soft_wrap=True)


def _searches(runs_dir: Path) -> list[tuple[str, str]]:
    from nas.results.pareto import ParetoFront
    from nas.tuning import Search, searches

    rows = []
    for name in searches(runs_dir):
        try:
            search = Search(name, runs_dir)
            state = "finished" if search.finished else "unfinished"
            # By what was observed: what is expected takes a model of each search.
            front = ParetoFront.of(search.observed_trials, search.objectives.costs)
            rows.append((name, f"{state}, {counted(search.ended_trials, 'trial')}, {len(front)} on the front"))
        except NasError as error:
            # The others are listed all the same.
            rows.append((name, str(error)))
    return rows


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


def complete_searches(incomplete: str) -> list[str]:
    runs_dir = Path(os.environ.get("NAS_RUNS_DIR", RUNS_DIR))
    return sorted(p.parent.name for p in runs_dir.glob("*/experiment.json") if p.parent.name.startswith(incomplete))
