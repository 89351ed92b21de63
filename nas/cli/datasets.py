"""nas datasets: make data ready, and look at them before they are trained on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from nas.cli.terminal import Format, output

SHOWN = 5
"""Names under a finding."""

app = typer.Typer(help="Make data sets ready, and look at them.", no_args_is_help=True)


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


@app.command("check")
def check(
    name: Annotated[str, typer.Argument(help="A folder of class folders, an .npz file, or a TFDS name.")],
    image_size: Annotated[str | None, typer.Option(help="Pixels that images are resized to: 32, or 24x32.")] = None,
    fit: Annotated[str, typer.Option(help="How they become that size: stretch, crop or pad.")] = "stretch",
    grayscale: Annotated[bool, typer.Option("--grayscale", help="One channel.")] = False,
    data_dir: Annotated[str | None, typer.Option(help="Where TFDS keeps prepared data sets.")] = None,
    format: Annotated[Format, typer.Option(help="table or json.")] = Format.table,
) -> None:
    """Say how images are divided, what is left out, and what looks wrong, with names; read all, train nothing."""
    from nas.config import dataset_config
    from nas.datasets import load
    from nas.datasets.findings import described, findings
    from nas.devices import without_noise
    from nas.tasks import TASKS

    with without_noise():
        spec = load(dataset_config(name=name, image_size=image_size, fit=fit, grayscale=grayscale, data_dir=data_dir))
    found = findings(spec)
    if format is Format.json:
        document = {
            "name": spec.info.name,
            "input_shape": list(spec.info.input_shape),
            "labels": list(spec.info.labels),
            "splits": {
                split: {"images": len(part), "drawn": split in spec.drawn, "digest": part.digest}
                for split, part in spec.splits.items()
            },
            "findings": [{"text": each.text, "names": list(each.names)} for each in found],
        }
        output.file.write(json.dumps(document, indent=2) + "\n")
        return
    size = "x".join(map(str, spec.info.input_shape))
    task = TASKS[spec.info.task].described(spec.info.labels)
    output.print(f"{spec.info.name}: {size}, {task}; {described(spec)}", markup=False, soft_wrap=True)
    for finding in found:
        output.print(f"* {finding.text}", markup=False, soft_wrap=True)
        for each in finding.names[:SHOWN]:
            output.print(f"    {each}", markup=False, soft_wrap=True)
        if len(finding.names) > SHOWN:
            output.print(f"    and {len(finding.names) - SHOWN:,} more (--format json has all)")
    if not found:
        output.print("Nothing stands out.")
