"""All commands under one name."""

from __future__ import annotations

from typing import Annotated

import typer

from nas import __version__
from nas.cli import (
    bench,
    datasets,
    delete,
    doctor,
    export,
    front,
    gc,
    listing,
    pack,
    rename,
    report,
    search,
    show,
    space,
    sync,
    ui,
    unpack,
)
from nas.cli.terminal import output

app = typer.Typer(
    help="Find small, accurate convolutional networks under an exact parameter budget.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",  # the lines of a paragraph are joined
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("search")(search.search)
app.command("front")(front.front)
app.command("show")(show.show)
app.command("export")(export.export)
app.command("report")(report.report)
app.command("ui")(ui.ui)
app.command("sync")(sync.sync)
app.command("pack")(pack.pack)
app.command("unpack")(unpack.unpack)
app.command("rename")(rename.rename)
app.command("delete")(delete.delete)
app.command("gc")(gc.gc)
app.command("bench")(bench.bench)
app.command("doctor")(doctor.doctor)
app.command("list")(listing.listing)
app.add_typer(space.app, name="space")
app.add_typer(datasets.app, name="datasets")


def _version(wanted: bool) -> None:
    if wanted:
        output.print(f"nas {__version__}", highlight=False)
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks and all log messages.")] = False,
) -> None:
    pass
