"""nas pack: a search as one file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from nas.cli.front import Name
from nas.cli.terminal import Format, RunsDir, output
from nas.command_line import RUNS_DIR
from nas.quantity import counted


def pack(
    name: Name,
    to: Annotated[Path, typer.Option("--to", help="The .tar.gz file to write.")],
    format: Annotated[Format, typer.Option(help="How to print what was packed.")] = Format.table,
    runs_dir: RunsDir = RUNS_DIR,
) -> None:
    """Write a search into one file: its trials, its weights, and all that is needed to resume it elsewhere.

    The data set and MLflow's runs are not in it; `nas sync` makes the runs again where it is unpacked.
    """
    from nas.tuning.folder import SearchFolder
    from nas.tuning.packing import pack

    packed = pack(SearchFolder(runs_dir, name), to)
    size = packed.path.stat().st_size
    if format is Format.json:
        document = {"search": packed.search, "file": str(packed.path), "size": size}
        output.file.write(json.dumps(document | {"files": packed.files, "bytes": packed.bytes}, indent=2) + "\n")
        return
    output.print(
        f"Packed {name!r} into {packed.path}: {counted(packed.files, 'file')}, {size:,} bytes",
        markup=False,
        soft_wrap=True,
    )
