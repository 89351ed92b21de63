"""nas datasets: make data ready."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nas.cli.terminal import output

app = typer.Typer(help="Make data sets ready.", no_args_is_help=True)


@app.callback()
def _datasets() -> None:
    pass


@app.command("prepare")
def prepare(
    name: Annotated[str, typer.Argument(help="A TFDS name, such as fashion_mnist or cifar10.")],
    source: Annotated[
        Path | None, typer.Option("--from", help="Folder with the files of an MNIST-like set; downloads if left out.")
    ] = None,
    data_dir: Annotated[str | None, typer.Option(help="Where TFDS keeps prepared data sets.")] = None,
    manual_dir: Annotated[str | None, typer.Option(help="Where TFDS finds files that you downloaded yourself.")] = None,
) -> None:
    """Prepare a TFDS data set, from local idx files (no network) or by TFDS's own download."""
    from nas.datasets import prepare as from_files
    from nas.datasets import prepare_tfds

    where = prepare_tfds(name, data_dir, manual_dir) if source is None else from_files(name, source, data_dir)
    output.print(f"{name} is ready in {where}", markup=False, soft_wrap=True)
