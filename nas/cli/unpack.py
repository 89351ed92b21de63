"""nas unpack: a search from a file of nas pack."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from nas.cli.terminal import Format, RunsDir, errors, output
from nas.command_line import RUNS_DIR, command_line
from nas.quantity import counted


def unpack(
    file: Annotated[Path, typer.Argument(help="A .tar.gz file of nas pack.")],
    format: Annotated[Format, typer.Option(help="How to print what was unpacked.")] = Format.table,
    runs_dir: RunsDir = RUNS_DIR,
) -> None:
    """Unpack a search from a file of nas pack, under its own name.

    Only plain files inside of one folder are taken, and a search of that name is never replaced.
    """
    from nas.tuning.packing import unpack

    packed = unpack(file, runs_dir)
    if format is Format.json:
        document = {"search": packed.search, "folder": str(packed.path)}
        output.file.write(json.dumps(document | {"files": packed.files, "bytes": packed.bytes}, indent=2) + "\n")
        return
    output.print(
        f"Unpacked {packed.search!r} into {packed.path}: {counted(packed.files, 'file')}, {packed.bytes:,} bytes",
        markup=False,
        soft_wrap=True,
    )
    errors.print(
        f"To create its MLflow runs: {command_line('sync', packed.search, runs_dir=runs_dir)}",
        markup=False,
        soft_wrap=True,
    )
