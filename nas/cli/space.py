"""nas space: what a search space contains."""

from __future__ import annotations

import json
import random
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from nas.cli.listing import complete_spaces
from nas.cli.show import shape_option
from nas.cli.terminal import Format, MaxParams, count_option, output
from nas.quantity import counted

if TYPE_CHECKING:
    from nas.architecture import Budget
    from nas.space import SearchSpace
    from nas.space.definition import Alternative

app = typer.Typer(help="Inspect a search space.", no_args_is_help=True)

Space = Annotated[
    str, typer.Argument(help="A shipped space (nas list spaces) or a .yaml file.", autocompletion=complete_spaces)
]
Input = Annotated[
    str | None, typer.Option("--input", help="Image shape HEIGHTxWIDTHxCHANNELS; by default that of the file.")
]
Classes = Annotated[int | None, typer.Option(help="Number of classes; by default that of the file.")]
MaxMacs = Annotated[str | None, typer.Option("--max-macs", help="Maximum number of multiply-adds, such as 5M.")]
_SAMPLE = 64
"""Networks that are looked at for a TPU."""

Formatted = Annotated[Format, typer.Option(help="Output format.")]


@app.command("show")
def show(space: Space, input: Input = None, classes: Classes = None) -> None:
    """Print the stages and the choices in each."""
    loaded = _load(space, input, classes)
    size = "x".join(map(str, loaded.input_shape))
    output.print(f"{loaded.name}: {loaded.definition.description}", style="bold", markup=False, soft_wrap=True)
    output.print(f"input {size}, {_told_apart(loaded)}")
    for stage in loaded.definition.stages:
        facts = []
        if stage.repeat != (1,):
            facts.append(f"{_either(stage.repeat)} times")
        if stage.filters != (None,):
            facts.append(f"{_either(stage.filters)} filters")
        if stage.downsample != ("none",):
            facts.append(f"downsample {_either(stage.downsample)}")
        if any(stage.skip):
            facts.append("to the head or not" if len(stage.skip) > 1 else "to the head")
        output.print(f"{stage.name}" + (f": {'; '.join(facts)}" if facts else ""), style="bold", markup=False)
        for number, slot in enumerate(stage.slots):
            for place, alternative in enumerate(slot):
                bullet = "or  " if place else ("then" if number else "    ")
                output.print(f"  {bullet}  {_alternative(alternative)}", markup=False, soft_wrap=True)


@app.command("stats")
def stats(
    space: Space,
    max_params: MaxParams = None,
    max_macs: MaxMacs = None,
    input: Input = None,
    classes: Classes = None,
    device: Annotated[Literal["tpu"] | None, typer.Option(help="Show how much of a TPU's matrix unit is used.")] = None,
    format: Formatted = Format.table,
) -> None:
    """Count the architectures, find the smallest and the largest, and give the share inside a budget."""
    from nas.devices.matrix_unit import LANES, ROUND, matrix_unit_use

    loaded, budget = _load(space, input, classes), _budget(max_params, max_macs)
    size = loaded.size()
    document: dict[str, Any] = {
        "space": loaded.name,
        "input_shape": loaded.input_shape,
        "classes": loaded.classes,
        "architectures": size.architectures,
        "exact": size.exact,
        "fewest_parameters": loaded.fewest_parameters,
        "most_parameters": loaded.most_parameters,
    }
    lines = [f"architectures  {size}", f"parameters     {loaded.fewest_parameters:,} to {loaded.most_parameters:,}"]
    if max_params is not None:
        share = loaded.share(budget)
        document |= {"max_parameters": budget.max_parameters, "share": share.value, "share_exact": share.exact}
        lines.append(f"share with {budget}: {share}")
    if device == "tpu":
        networks = list(loaded.sample_distinct(_SAMPLE, random.Random(0), budget))
        use = matrix_unit_use(networks)
        document["tpu"] = {"sample": len(networks), "round": use.round_share, "lanes": use.lanes_share}
        lines.append(
            f"TPU            of the multiply-adds of {counted(len(networks), 'sample')}, {use.round_share:.0%} make "
            f"channels in multiples of {ROUND} (see round_filters); together they fill at most {use.lanes_share:.0%} "
            f"of the matrix unit's {LANES} lanes"
        )
    if format is Format.json:
        output.file.write(json.dumps(document, indent=2) + "\n")
        return
    shape = "x".join(map(str, loaded.input_shape))
    output.print(f"{loaded.name} on {shape}, {_told_apart(loaded)}", style="bold", markup=False)
    for line in lines:
        output.print(line, markup=False, soft_wrap=True)
    loaded.check(budget)


@app.command("sample")
def sample(
    space: Space,
    count: Annotated[int, typer.Option("--count", "-n", min=1, help="Number of architectures.")] = 10,
    max_params: MaxParams = None,
    max_macs: MaxMacs = None,
    seed: Annotated[int, typer.Option(help="Seed of the samples.")] = 0,
    input: Input = None,
    classes: Classes = None,
    format: Formatted = Format.table,
) -> None:
    """Print different architectures inside a budget, spread evenly over the logarithm of their size."""
    loaded, budget = _load(space, input, classes), _budget(max_params, max_macs)
    for architecture in loaded.sample_distinct(count, random.Random(seed), budget):
        if format is Format.json:
            output.file.write(architecture.to_json() + "\n")
            continue
        counts = architecture.count
        output.print(
            f"{counts.parameters:>12,} parameters {counts.macs:>15,} MACs  {architecture.describe()}",
            markup=False,
            soft_wrap=True,
        )


@app.command("check")
def check(space: Space, max_params: MaxParams = None, input: Input = None, classes: Classes = None) -> None:
    """Check a space file and report mistakes with their line."""
    loaded = _load(space, input, classes)
    loaded.check(_budget(max_params, None))
    shape = "x".join(map(str, loaded.input_shape))
    output.print(
        f"{loaded.name} works on {shape}: {loaded.size()} architectures, "
        f"{loaded.fewest_parameters:,} to {loaded.most_parameters:,} parameters",
        markup=False,
    )


@app.command("schema")
def schema() -> None:
    """Print the JSON schema of space files, for editors and other programs."""
    from nas.space.schema import schema as document

    output.file.write(json.dumps(document(), indent=2) + "\n")


def _load(space: str, input_shape: str | None, classes: int | None) -> SearchSpace:
    from nas.space import load_space

    return load_space(space, input_shape=shape_option(input_shape), classes=classes)


def _told_apart(space: SearchSpace) -> str:
    from nas.tasks import TASKS

    return TASKS[space.definition.task].described([""] * space.classes)


def _budget(max_params: str | None, max_macs: str | None) -> Budget:
    from nas.architecture import Budget

    return Budget(
        max_parameters=count_option("--max-params", max_params), max_macs=count_option("--max-macs", max_macs)
    )


def _either(values: tuple[object, ...]) -> str:
    return " | ".join(map(str, values))


def _alternative(alternative: Alternative) -> str:
    options = ", ".join(f"{name} {_either(values)}" for name, values in alternative.options.items())
    return f"{alternative.kind}" + (f": {options}" if options else "")
