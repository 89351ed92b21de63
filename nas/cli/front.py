"""nas front: the Pareto front of a search."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nas.cli.front_board import PREDICTED, board_of, board_row, cost_text, verdict
from nas.cli.listing import complete_searches
from nas.cli.terminal import RunsDir, TableFormat, errors, output, print_table
from nas.command_line import RUNS_DIR, command_line
from nas.errors import NasError
from nas.objectives import DEFAULT_COSTS, DEVICE_COSTS
from nas.results.noise import left_out, without_noise
from nas.results.trial import TrialRecord, incomplete

if TYPE_CHECKING:
    from nas.boards import Board
    from nas.results.pareto import ParetoFront
    from nas.training.user_model import UserModel
    from nas.tuning import Search

COARSE = 0.001
"""A share of the validation images; where one image is more, the table says so."""

Name = Annotated[str, typer.Argument(help="Name of a search (nas list searches).", autocompletion=complete_searches)]


def front(
    names: Annotated[
        list[str],
        typer.Argument(
            help="Name of a search (nas list searches); several are compared.",
            metavar="NAME...",
            autocompletion=complete_searches,
        ),
    ],
    format: Annotated[TableFormat, typer.Option(help="Output format.")] = TableFormat.table,
    with_: Annotated[
        list[Path] | None,
        typer.Option("--with", help="Show a .keras model of your own as one more point; can be repeated."),
    ] = None,
    board: Annotated[
        str | None,
        typer.Option(
            help="Show which networks fit this board: nas list boards, or a .yaml file; default: the search's."
        ),
    ] = None,
    explain: Annotated[
        bool, typer.Option("--explain", help="Show how much each decision changes the score at equal size.")
    ] = False,
    plot: Annotated[Path | None, typer.Option(help="Draw the front into this .png, .svg or .html file.")] = None,
    runs_dir: RunsDir = RUNS_DIR,
) -> None:
    """Print the Pareto front: the networks that no other beats in every objective, such as accuracy and size.

    Given several searches, compare their fronts and hypervolumes, and show where each is ahead.
    """
    from nas.cli.plot import check_plot, write_plot
    from nas.cli.several_fronts import print_comparison
    from nas.reports.front_tables import front_document, front_rows, rows_csv
    from nas.tuning import Search

    if plot is not None:
        check_plot(plot, len(names))
    if len(names) > 1:
        for option, given in (("--with", with_), ("--board", board), ("--explain", explain)):
            if given:
                raise NasError(f"{option} is about one search; name one")
        print_comparison([Search(name, runs_dir) for name in names], format, runs_dir)
        return
    search = Search(names[0], runs_dir)
    objectives = search.objectives
    if with_ and (objectives.costs != DEFAULT_COSTS or objectives.score.trained is not None):
        known = " and ".join((objectives.score.in_training.objective, *(cost.name for cost in DEFAULT_COSTS)))
        raise NasError(
            f"--with needs a search for {known}, because nothing else is known of your model; "
            f"received {', '.join(search.experiment.objectives)}"
        )
    device = board_of(search, board)
    if plot is not None:
        write_plot(search, plot)
    yours = _scored(search, with_) if with_ else []
    if format is TableFormat.table:
        print_front(search, runs_dir, yours, board=device)
        if explain:
            _print_effects(search)
        return
    points = search.front
    document = front_document(points, objectives, search=search.name, hypervolume=round(search.hypervolume, 6))
    rows = document["points"] if format is TableFormat.json else front_rows(points, objectives.score)
    if device is not None:
        document["board"] = {"name": device.name, **{cost.name: left for cost, left in device.limits.items()}}
        rows = [{**row, **board_row(point, device)} for row, point in zip(rows, points, strict=True)]
    if yours:
        objective = objectives.score.objective
        rows = [{**row, "model": None, "dominated_by": None} for row in rows]
        rows += [_row(rows[0] if rows else {}, model, without_noise(points), objective) for model in yours]
        rows.sort(key=lambda row: (row["parameters"], -row[objective]))
    document["points"] = rows
    if explain:
        document["effects"] = [asdict(effect) for effect in search.effects]
    text = rows_csv(rows) if format is TableFormat.csv else json.dumps(document, indent=2, allow_nan=False) + "\n"
    output.file.write(text)


def _print_effects(search: Search) -> None:
    """What decides, as a table."""
    from rich import box
    from rich.table import Table

    from nas.reports.effects_chart import HEADINGS, NOTE, SHOWN, effect_rows

    if not search.effects:
        output.print("Which decisions matter is known after ten trials.", style="dim")
        return
    score = search.objectives.score
    output.print(f"Which decisions matter for validation {score.heading}", style="bold", markup=False)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for place, heading in enumerate(HEADINGS):
        table.add_column(heading, justify="right" if place == len(HEADINGS) - 1 else "left", no_wrap=True)
    shown = search.effects[:SHOWN]
    for effect, cells in zip(shown, effect_rows(shown, score), strict=True):
        table.add_row(*cells, style="" if effect.is_clear else "dim")
    print_table(table)
    more = f" {len(search.effects) - SHOWN} more are in --format json." if len(search.effects) > SHOWN else ""
    output.print(f"{NOTE}{more}", style="dim", soft_wrap=True)


def _scored(search: Search, paths: list[Path]) -> list[UserModel]:
    """The user's models on the search's validation split."""
    from nas.devices import import_tensorflow
    from nas.training.user_model import score_user_model

    import_tensorflow()
    from nas.datasets import load, whole

    data = load(whole(search.experiment))
    search.folder.check_data(data)
    found = [score_user_model(path, data.validation, data.info, search.objectives.score) for path in paths]
    for model in found:
        scale = "0 to 255, as its Rescaling layer or its whole-number input asks" if model.takes_bytes else "0 to 1"
        errors.print(f"{model.name}: scored on {len(data.validation):,} validation images of {scale}.", markup=False)
    return found


def _row(like: Mapping[str, Any], model: UserModel, front: ParetoFront[TrialRecord], objective: str) -> dict[str, Any]:
    """A user's model with the keys of a trial's row, `objective` that of its score; what is not known is None."""
    return dict.fromkeys(like) | {
        "architecture": model.name,
        "parameters": model.parameters,
        objective: model.score,
        "model": model.name,
        "dominated_by": _dominated_by(model, front),
    }


def _dominated_by(model: UserModel, front: ParetoFront[TrialRecord]) -> int | None:
    """The smallest trial of the front that is at least as accurate with at most as many parameters."""
    for point in front:
        if point.parameters <= model.parameters and point.score >= model.score:
            return point.number
    return None


def _verdict(model: UserModel, front: ParetoFront[TrialRecord]) -> str:
    """Where a user's model stands, in words."""
    by = _dominated_by(model, front)
    if by is not None:
        return f"{model.name} (yours): dominated by trial {by}"
    beaten = [
        str(point.number) for point in front if point.parameters >= model.parameters and point.score <= model.score
    ]
    return f"{model.name} (yours): on the front" + (f", dominates trial {', '.join(beaten)}" if beaten else "")


def _resolution(search: Search, points: ParetoFront[TrialRecord]) -> Iterator[str]:
    """What a reader of the scores should know: networks that only guess, and how fine the scores are."""
    from nas.results.noise import not_above_guessing
    from nas.tuning.provenance import resolution

    objectives = search.objectives
    chance, finest = search.task.chance(search.facts.labels, objectives.score.in_training), objectives.finest
    # What is counted by pixels has no luck to speak of: its chance level is the most that a constant answer can have.
    luck = 0.0 if search.task.is_sized else finest
    if guessing := not_above_guessing(points, chance=chance, finest=luck):
        plural = "s" * (len(guessing) > 1)
        yield f"Not distinguishable from chance: trial{plural} {', '.join(map(str, guessing))}."
    if finest > COARSE or guessing:
        yield f"{resolution(objectives.score, chance=chance, finest=finest)}."


def print_front(
    search: Search,
    runs_dir: Path,
    yours: Sequence[UserModel] = (),
    *,
    board: Board | None = None,
    tracking_uri: str | None = None,
) -> None:
    """The front as a table on stdout, and where to look next on stderr."""
    from rich import box
    from rich.markup import escape
    from rich.table import Table

    from nas.reports.front_tables import recipe_columns, score_columns, table_costs
    from nas.results.pareto import is_of_interest

    front, score = search.front, search.objectives.score
    points = without_noise(front)
    trials = search.trials
    others = incomplete(trials)
    output.print(
        f"Pareto front of {search.name!r}: {len(front)} of {len(trials)} trials"
        + (f" ({others})" if others else "")
        + (f", {len(front) - len(points)} explained by noise" if len(points) < len(front) else "")
        + f", hypervolume {search.hypervolume:.3f}",
        style="bold",
        markup=False,
    )
    if not len(points) and not yours:
        return
    columns = [*score_columns(points, score, "val"), *recipe_columns(points)]
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    shown = table_costs(points, (*points.costs, *(DEVICE_COSTS if board else ())))
    if board is not None:
        columns.append((board.name, partial(verdict, board=board)))
    for heading in ("trial", *(cost.heading for cost in shown), *(name for name, _ in columns)):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("architecture", overflow="fold")
    lines = []
    for point in points:
        costs = [cost_text(point, cost) for cost in shown]
        cells = (str(point.number), *costs, *(cell(point) for _, cell in columns))
        style = "" if is_of_interest(point, search.objectives) else "dim"
        lines.append((point.cost(points.costs[0]), style, (*cells, point.architecture.describe())))
    for model in yours:
        unmeasured = [""] * (len(shown) - 1)
        scores = [score.text(model.score) if name.startswith("val ") else "" for name, _ in columns]
        cells = ("yours", f"{model.parameters:,}", *unmeasured, *scores)
        lines.append((model.parameters, "bold", (*cells, escape(_verdict(model, points)))))
    for _, style, cells in sorted(lines, key=lambda line: line[0]):
        table.add_row(*cells, style=style)
    print_table(table)
    if any(style == "dim" for _, style, _ in lines):
        ranges = " and ".join(
            f"{cost.text(low)} to {cost.words(high)}" for cost, (low, high) in search.objectives.interest.items()
        )
        floor = score.text(search.objectives.floor)
        output.print(f"Dim: outside the range of interest ({ranges}), or below {floor}.", style="dim", soft_wrap=True)
    if any(PREDICTED in cell for _, _, cells in lines for cell in cells[:-1]):
        output.print(f"{PREDICTED}: predicted from the layers, not measured.", style="dim", soft_wrap=True)
    if note := left_out(front):
        output.print(note, style="dim", soft_wrap=True)
    for note in _resolution(search, points):
        output.print(note, style="dim", soft_wrap=True)
    if not len(points):
        return
    best, name = points.best(), search.name
    by_size = points.costs == DEFAULT_COSTS
    chosen = ["--max-params", str(best.parameters)] if by_size else ["--trial", str(best.number)]
    to: tuple[str, ...] = ("--to", f"{name}-model")
    if set(DEVICE_COSTS) & {*points.costs, *search.experiment.measured}:
        to = ("--format", "litert-int8,c", "--to", f"{name}-device")
    hints = (
        (command_line("show", f"{name}/{best.number}", runs_dir=runs_dir), "one network, layer by layer"),
        (
            command_line("export", name, *chosen, *to, runs_dir=runs_dir),
            "int8 and C++" if len(to) > 2 else "as a SavedModel",
        ),
        (command_line("ui", name, runs_dir=runs_dir, tracking_uri=tracking_uri), "every trial in MLflow"),
    )
    width = max(len(line) for line, _ in hints)
    errors.print("Next:")
    for line, what in hints:
        errors.print(f"  {line:<{width}}  # {what}", markup=False, soft_wrap=True)
