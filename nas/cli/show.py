"""nas show: one network, layer by layer."""

from __future__ import annotations

import dataclasses
import json
import random
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nas.cli.terminal import RUNS_DIR, Format, RunsDir, output
from nas.errors import NasError

if TYPE_CHECKING:
    from nas.architecture import Architecture


def show(
    target: Annotated[
        str, typer.Argument(help="NAME/17 (a trial), an architecture's .json file, or a one-point space.")
    ],
    format: Annotated[Format, typer.Option(help="How to print it.")] = Format.table,
    input: Annotated[str | None, typer.Option("--input", help="HEIGHTxWIDTHxCHANNELS, for a space.")] = None,
    runs_dir: RunsDir = RUNS_DIR,
) -> None:
    """Print a network: a row a layer with its shape, window, parameters and multiply-adds."""
    from nas.architecture.summary import HEADINGS, cells, rows, totals

    architecture = find_architecture(target, runs_dir, input)
    if format is Format.json:
        count = architecture.count
        document = {
            "architecture": architecture.to_dict(),
            "id": architecture.id,
            "parameters": count.parameters,
            "trainable": count.trainable,
            "non_trainable": count.non_trainable,
            "macs": count.macs,
            "activation_bytes": count.activation_bytes,
            "layers": [dataclasses.asdict(row) | {"parameters": row.parameters} for row in rows(architecture)],
        }
        output.file.write(json.dumps(document, indent=2) + "\n")
        return
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in HEADINGS:
        right = heading in ("parameters", "MACs", "share")
        table.add_column(heading, justify="right" if right else "left", no_wrap=True)
    block = ""
    for row in rows(architecture):
        name, *rest = cells(row)
        table.add_row("" if name == block else name, *rest)
        block = name
    output.print(table)
    output.print(totals(architecture), style="bold")
    output.print(f"id {architecture.id}")


def find_architecture(target: str, runs_dir: Path, input_shape: str | None = None) -> Architecture:
    """What a user named: a trial, a file, or a space with one architecture.

    Raises:
        NasError: none of these.
    """
    from nas.architecture import Architecture
    from nas.space import load_space
    from nas.tuning import Search, searches

    shape = shape_option(input_shape)
    name, _, number = target.rpartition("/")
    if name in searches(runs_dir):
        if not number.isdigit():
            raise NasError(f"a trial is named by its number, such as {name}/17; received {target!r}")
        return Search(name, runs_dir).trial(int(number)).architecture
    if target.endswith(".json"):
        try:
            return Architecture.from_json(Path(target).read_text(encoding="utf-8"))
        except OSError as error:
            raise NasError(f"cannot read {target}: {error.strerror}") from None
    try:
        space = load_space(target, input_shape=shape)
    except NasError as error:
        raise NasError(
            f"{target!r} is no trial of a search in {runs_dir} (NAME/17), no .json file, and {error}"
        ) from None
    first = list(space.sample_distinct(2, random.Random(0)))
    if len(first) > 1:
        raise NasError(
            f"the space {target!r} has {space.size().architectures:,} architectures, and only one can be shown; "
            f"see nas space sample {target}"
        )
    return first[0]


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
