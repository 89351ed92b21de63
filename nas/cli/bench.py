"""nas bench: strategies on tables of measured networks."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nas.cli.terminal import MaxParams, TableFormat, count_option, errors, output, print_table
from nas.errors import NasError

if TYPE_CHECKING:
    from nas.benchmark import Result

OURS = "random,local,evolution,aging,ehvi"
PICTURES = (".png", ".svg", ".pdf")


def bench(
    table: Annotated[
        list[str] | None,
        typer.Option(
            "--table",
            help="naap440 (default), fashion-tiny, fashion-mixed, fashion-widths, digits-mixed, nasbench201 or a .csv; "
            "one or more.",
        ),
    ] = None,
    strategies: Annotated[str, typer.Option(help="Names, separated by commas (nas list strategies).")] = OURS,
    trials: Annotated[str, typer.Option(help="Numbers of trials after which to score.")] = "25,50,100",
    repeats: Annotated[int, typer.Option(min=1, help="Runs of each strategy on each table.")] = 20,
    early_stopping: Annotated[
        str, typer.Option(help="Names, separated by commas, such as none,pareto-asha; for tables with epochs only.")
    ] = "none",
    max_params: MaxParams = None,
    processes: Annotated[int | None, typer.Option(min=1, help="Processes; by default one for each core.")] = None,
    format: Annotated[TableFormat, typer.Option(help="Output format.")] = TableFormat.table,
    plot: Annotated[Path | None, typer.Option(help="Draw the shares into this .png, .svg or .pdf file.")] = None,
) -> None:
    """Compare strategies on tables of measured networks, without training anything.

    It prints the share of the true front's hypervolume after so many trials: mean and standard error over the repeats.
    A strategy sees one observation of each network, a single training where the table has several; the score uses
    the mean of all trainings.

    With early stopping, a number of trials means the epochs of as many full trainings; the largest number is also the
    most trials that are started.
    """
    from nas.architecture import Budget
    from nas.benchmark import as_csv, as_json, resolve, run_bench, with_means
    from nas.benchmark import plot as draw

    names = table or ["naap440"]
    groups = {name: resolve(name) for name in names}
    chosen = _names("--strategies", strategies, "random,ehvi")
    stopping = _names("--early-stopping", early_stopping, "none,pareto-asha")
    counts = _counts(trials)
    if plot is not None:
        _check_plot(plot)

    def on_run(done: int, total: int) -> None:
        if errors.file.isatty():
            errors.print(f"{done} of {total} runs", end="\r" if done < total else "\n")

    try:
        results = run_bench(
            list(dict.fromkeys(single for group in groups.values() for single in group)),
            chosen,
            trials=counts,
            repeats=repeats,
            early_stopping=stopping,
            budget=Budget(max_parameters=count_option("--max-params", max_params)),
            processes=processes or os.cpu_count() or 1,
            on_run=on_run,
        )
    except KeyboardInterrupt:
        errors.print("Interrupted: a benchmark keeps nothing. Fewer --repeats or --strategies take less time.")
        raise
    results = with_means(results, groups)
    if format is TableFormat.csv:
        output.file.write(as_csv(results))
    elif format is TableFormat.json:
        settings = {"tables": names, "strategies": chosen, "trials": counts, "repeats": repeats}
        settings |= {"early_stopping": stopping}
        output.file.write(as_json(results, settings=settings))
    else:
        print_results(results)
    # Last, so that the numbers are there even if the picture cannot be made.
    if plot is not None:
        draw(results, plot)


def _check_plot(picture: Path) -> None:
    """Refuse what cannot be drawn or written, before anything is computed.

    Raises:
        NasError: with the reason.
    """
    if picture.suffix not in PICTURES:
        raise NasError(f"--plot takes a file that ends in {', '.join(PICTURES)}; received {str(picture)!r}")
    was_there = picture.exists()
    try:
        picture.parent.mkdir(parents=True, exist_ok=True)
        picture.open("ab").close()
    except OSError as error:
        raise NasError(f"cannot write {picture}: {error.strerror}; choose another file") from None
    if not was_there:
        picture.unlink()


def _counts(text: str) -> list[int]:
    """`25,50` as ascending numbers."""
    try:
        counts = sorted({int(part) for part in text.split(",")})
    except ValueError:
        counts = []
    if counts and counts[0] >= 1:
        return counts
    raise NasError(f"--trials takes whole numbers from 1 up with commas between them, such as 25,50; received {text!r}")


def _names(option: str, text: str, example: str) -> list[str]:
    """`a,b` as a list, each once."""
    names = list(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    if not names:
        raise NasError(f"{option} takes names with commas between them, such as {example}; received none")
    return names


def _share(mean: float, error: float | None) -> str:
    return f"{mean:.3f}" if error is None else f"{mean:.3f} ± {error:.3f}"


def print_results(results: Sequence[Result]) -> None:
    """As a table, and what ended early."""
    from rich import box
    from rich.table import Table

    stopped = any(result.name != result.strategy for result in results)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("table", no_wrap=True)
    table.add_column("strategy", no_wrap=True)
    counts = sorted({count for result in results for count in result.trials})
    headings = [f"{count} trials" for count in counts]
    for heading in (*headings, *(["tried", "trainings"] if stopped else []), "repeats", "infeasible", "seconds"):
        table.add_column(heading, justify="right", no_wrap=True)
    last = None
    for result in results:
        shares = dict(zip(result.trials, zip(result.shares, result.errors, strict=True), strict=True))
        if last not in (None, result.table):
            table.add_section()
        table.add_row(
            "" if result.table == last else result.table,
            result.name,
            *(_share(*shares[count]) if count in shares else "" for count in counts),
            *([f"{result.tried:.0f}", f"{result.trainings:.1f}"] if stopped else []),
            f"{result.repeats:.1f}",
            f"{result.infeasible:.1f}",
            f"{result.seconds:.3f}",
        )
        last = result.table
    output.print("Share of the true front's hypervolume, mean ± standard error", style="bold")
    print_table(table)
    if stopped:
        output.print("With early stopping, n trials are the epochs of n full trainings; `trainings` is what was spent.")
    for name, share in {result.table: result.whole_table for result in results}.items():
        output.print(f"{name}: a run of every network, observed once each, reaches {share:.3f}", markup=False)
    for result in results:
        if result.exhausted is not None:
            errors.print(f"{result.name} on {result.table}: all {result.exhausted:,} architectures tried", markup=False)
