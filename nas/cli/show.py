"""nas show: one network, layer by layer; or two side by side."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nas.cli.terminal import Format, RunsDir, errors, output, print_table
from nas.command_line import RUNS_DIR
from nas.errors import NasError
from nas.objectives import COSTS, DEVICE_COSTS
from nas.recipe import described

if TYPE_CHECKING:
    from nas.architecture import Architecture, Count
    from nas.objectives import Cost
    from nas.results.trial import TrialRecord


def show(
    targets: Annotated[
        list[str],
        typer.Argument(
            help="A trial (NAME/17), an architecture's .json file, or a space of one network; two are compared.",
            metavar="TARGET [TARGET]",
        ),
    ],
    format: Annotated[Format, typer.Option(help="Output format.")] = Format.table,
    input: Annotated[
        str | None, typer.Option("--input", help="Image shape HEIGHTxWIDTHxCHANNELS, for a space.")
    ] = None,
    explain: Annotated[
        bool, typer.Option("--explain", help="Show the arithmetic, and what sharing parameters saves in each layer.")
    ] = False,
    board: Annotated[
        str | None,
        typer.Option("--board", help="Show whether its int8 form fits this board: nas list boards, or a .yaml file."),
    ] = None,
    diagram: Annotated[Path | None, typer.Option(help="Draw the network into this .svg or .png file.")] = None,
    runs_dir: RunsDir = RUNS_DIR,
) -> None:
    """Print a network layer by layer: shape, window, parameters and multiply-adds.

    Two networks are shown block by block, side by side.
    """
    if len(targets) > 2:
        raise NasError(f"one network is shown, or two side by side; received {len(targets)} targets")
    if len(targets) == 2 and (explain or diagram or board):
        raise NasError("--explain, --diagram and --board take one network; name one target")
    if diagram is not None and diagram.suffix.lower() not in (".svg", ".png"):
        raise NasError(f"--diagram writes .svg or .png; received {str(diagram)!r}")
    found = [find_architecture(target, runs_dir, input) for target in targets]
    shape = shape_option(input)
    if shape is not None and all(architecture.input_shape != shape for architecture in found):
        raise NasError(f"--input is for a space; {' and '.join(targets)} cannot take other images")
    trial = find_trial(targets[0], runs_dir)
    if len(found) == 2:
        _show_two(targets, found, format)
        return
    (target,), (architecture,) = targets, found
    if diagram is not None:
        write_diagram(architecture, diagram, target)
    measured = {} if board is None else _measured_on_device(architecture)
    if format is Format.json:
        document = _document(architecture, explain=explain) | {cost.name: value for cost, value in measured.items()}
        output.file.write(json.dumps(document | _origin(trial), indent=2) + "\n")
        return
    _print_layers(architecture)
    if explain:
        _print_explanation(architecture)
    _print_totals(architecture)
    if board is not None:
        from nas.boards import find_board

        device = find_board(board)
        output.print(f"{device.name}: {device.verdict(measured)}", markup=False, soft_wrap=True)
    if trial is not None and trial.recipe:
        output.print(f"Trained with {described(trial.recipe)}.", markup=False)
    if trial is not None and trial.parent is not None:
        output.print(f"Its training started with the weights of trial {trial.parent}.")


def _measured_on_device(architecture: Architecture) -> dict[Cost, float]:
    """Flash and RAM of the int8 network."""
    from nas.devices import import_tensorflow
    from nas.export import check_measurable, measure

    check_measurable(DEVICE_COSTS)
    import_tensorflow()
    return {cost: measure(cost, architecture) for cost in DEVICE_COSTS}


def write_diagram(architecture: Architecture, path: Path, title: str) -> None:
    """The network as a picture in a file.

    Raises:
        NasError: the file cannot be written.
    """
    from nas.reports.network_diagram import diagram

    drawing = diagram(architecture, title)
    try:
        path.write_bytes(drawing.png() if path.suffix.lower() == ".png" else drawing.svg().encode())
    except OSError as error:
        raise NasError(f"cannot write {path}: {error.strerror}; choose another file") from None
    errors.print(f"The drawing is in {path}.", markup=False, soft_wrap=True)


def _origin(trial: TrialRecord | None) -> dict[str, Any]:
    """Of a trial: whose weights it started with, and what it was trained with where that was a choice."""
    if trial is None:
        return {}
    return {"inherited_from": trial.parent, **({"recipe": trial.recipe} if trial.recipe else {})}


def _document(architecture: Architecture, *, explain: bool = False) -> dict[str, Any]:
    """Everything as plain JSON values."""
    from nas.architecture.explain import explain as explanations
    from nas.architecture.summary import rows

    layers = [dataclasses.asdict(row) | {"parameters": row.parameters} for row in rows(architecture)]
    if explain:
        known = {(line.block, line.layer): line for line in explanations(architecture)}
        for layer in layers:
            line = known.get((layer["block"], layer["layer"]))
            layer["size_arithmetic"] = line.size if line else ""
            layer["parameter_arithmetic"] = line.parameters if line else ""
            layer["unshared_parameters"] = line.unshared if line else None
    return {
        "architecture": architecture.to_dict(),
        "id": architecture.id,
        **_numbers(architecture.count),
        "layers": layers,
    }


def _numbers(count: Count) -> dict[str, int]:
    """The counted costs of a network, and which of its parameters are trained."""
    return {
        "parameters": count.parameters,
        "trainable": count.trainable,
        "non_trainable": count.non_trainable,
        **{cost.name: cost.of(count) for cost in COSTS.values() if cost.is_counted},
    }


def _print_layers(architecture: Architecture) -> None:
    from nas.architecture.summary import HEADINGS, cells, rows

    table = _table(HEADINGS, right={"parameters", "non-trainable", "MACs", "share"})
    block = ""
    for row in rows(architecture):
        name, *rest = cells(row)
        table.add_row("" if name == block else name, *rest)
        block = name
    print_table(table)


def _print_totals(architecture: Architecture) -> None:
    from nas.architecture.summary import totals

    output.print(totals(architecture), style="bold")
    output.print(f"id {architecture.id}")


def _print_explanation(architecture: Architecture) -> None:
    from nas.architecture.explain import explain

    lines = explain(architecture)
    table = _table(
        ("block", "layer", "output side", "parameters", "without sharing", "sharing saves"),
        right={"without sharing", "sharing saves"},
    )
    block = ""
    for line in lines:
        without = saves = ""
        if line.unshared is not None:
            without, saves = f"{line.unshared:,}", f"{line.unshared // line.shared:,}x"
        table.add_row("" if line.block == block else line.block, line.layer, line.size, line.parameters, without, saves)
        block = line.block
    print_table(table)
    output.print(
        "output side: floor((input - kernel + zeros on both sides) / stride) + 1. without sharing: what the layer "
        "would need if each of its outputs had weights and a bias of its own, as many as it has positions.",
        soft_wrap=True,
    )
    shared = sum(line.shared for line in lines if line.unshared is not None)
    unshared = sum(line.unshared or 0 for line in lines)
    if unshared:
        output.print(f"All convolutions: {shared:,} parameters; {unshared:,} without sharing.")


def _show_two(targets: list[str], found: list[Architecture], format: Format) -> None:
    from nas.architecture.summary import sides
    from nas.reports.two_networks import Side, compare

    left, right = found
    of_right = _numbers(right.count)
    numbers = {name: (number, of_right[name]) for name, number in _numbers(left.count).items()}
    if format is Format.json:
        document = {
            "architectures": [{"target": t, **_document(a)} for t, a in zip(targets, found, strict=True)],
            "difference": {name: second - first for name, (first, second) in numbers.items()},
        }
        output.file.write(json.dumps(document, indent=2) + "\n")
        return

    def cells(side: Side | None) -> tuple[str, str, str, str]:
        if side is None:
            return "", "", "", ""
        count = side.count
        return (
            side.label,
            sides(side.output_shape),
            f"{count.parameters:,}" if count.parameters else "",
            f"{count.macs:,}" if count.macs else "",
        )

    headings = ("output", "parameters", "MACs")
    table = _table((targets[0], *headings, "", targets[1], *headings), right={"parameters", "MACs"})
    for pair in compare(left, right):
        table.add_row(*cells(pair.left), "=" if pair.same else "", *cells(pair.right))
    print_table(table)
    totals = _table(("", *targets, "ratio"), right={*targets, "ratio"})
    for name, (first, second) in numbers.items():
        ratio = f"{second / first:.3g}x" if first else ""
        heading = COSTS[name].heading if name in COSTS else name.replace("_", "-")
        totals.add_row(heading, f"{first:,}", f"{second:,}", ratio)
    print_table(totals)


def _table(headings: tuple[str, ...], *, right: set[str]) -> Any:
    from rich import box
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in headings:
        table.add_column(escape(heading), justify="right" if heading in right else "left", no_wrap=True)
    return table


def find_architecture(target: str, runs_dir: Path, input_shape: str | None = None) -> Architecture:
    """What a user named: a trial, a file, or a space with one architecture.

    Raises:
        NasError: none of these.
    """
    from nas.architecture import Architecture
    from nas.files import outside
    from nas.space import load_space
    from nas.tuning import searches

    shape = shape_option(input_shape)
    trial = find_trial(target, runs_dir)
    if trial is not None:
        return trial.architecture
    if target.endswith(".json"):
        text = outside.read_text(Path(target), lambda reason: NasError(f"cannot read {target}: {reason}"))
        try:
            return Architecture.from_json(text)
        except NasError as error:
            raise NasError(f"{target}: {error}") from None
    try:
        space = load_space(target, input_shape=shape)
    except NasError as error:
        if target in searches(runs_dir):
            raise NasError(f"{target!r} is a search; name a trial of it, such as {target}/0") from None
        raise NasError(
            f"{target!r} is no trial of a search in {runs_dir} (NAME/17), no .json file, and {error}"
        ) from None
    only = space.only()
    if only is None:
        raise NasError(
            f"the space {target!r} has {space.size().architectures:,} architectures, and only one can be shown; "
            f"see nas space sample {target}"
        )
    return only


def find_trial(target: str, runs_dir: Path) -> TrialRecord | None:
    """The trial that a user named as NAME/17; None if no search has that name.

    Raises:
        NasError: the search has no such trial.
    """
    from nas.tuning import Search, searches

    name, _, number = target.rpartition("/")
    if name not in searches(runs_dir):
        return None
    if not number.isdecimal():
        raise NasError(f"a trial is named by its number, such as {name}/17; received {target!r}")
    return Search(name, runs_dir).trial(int(number))


def shape_option(text: str | None) -> tuple[int, int, int] | None:
    """`--input` as numbers.

    Raises:
        NasError: it is no shape.
    """
    from nas.space import parse_shape

    try:
        return None if text is None else parse_shape(text)
    except ValueError as error:
        raise NasError(f"--input {error}") from None
