"""nas export: a point of the front as a checked SavedModel."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nas.cli.front import Name
from nas.cli.terminal import MaxParams, RunsDir, TrackingUri, count_option, output
from nas.command_line import RUNS_DIR
from nas.errors import NasError


def export(
    name: Name,
    to: Annotated[Path, typer.Option("--to", help="Folder that is made.")],
    max_params: MaxParams = None,
    trial: Annotated[int | None, typer.Option(help="Number of a trial on the front.")] = None,
    best: Annotated[bool, typer.Option("--best", help="The point with the highest score; the default.")] = False,
    format: Annotated[str, typer.Option(help="savedmodel.")] = "savedmodel",
    register: Annotated[
        str | None, typer.Option(help="Also put it into MLflow's model registry under this name, as champion.")
    ] = None,
    tracking_uri: TrackingUri = None,
    runs_dir: RunsDir = RUNS_DIR,
) -> None:
    """Write a trained network: uint8 images in, the task's answers out, such as class probabilities.

    What was written is loaded again and must predict what the trained network predicts.
    """
    from nas.tuning import Search

    if sum((max_params is not None, trial is not None, best)) > 1:
        raise NasError("--max-params, --trial and --best each choose the network; give one of them")
    search = Search(name, runs_dir)
    limit = count_option("--max-params", max_params)
    record = search.best(limit) if trial is None else search.trial(trial)
    report = search.export(to, trial=record.number, format=format)
    score = search.objectives.score
    again = f"; trained again, test {score.heading} {record.test_text(score)}" if record.is_tested else ""
    output.print(
        f"Trial {record.number} of {name!r}: {record.parameters:,} parameters, "
        f"{record.score_text(score)}{again}\n"
        f"  {report.path}: {report.bytes:,} bytes; reloaded, and equal to the trained network on "
        f"{report.images_checked:,} images (largest difference {report.largest_difference:.1e})",
        markup=False,
        soft_wrap=True,
    )
    if register is not None:
        registered = search.register(register, trial=record.number, tracking_uri=tracking_uri)
        output.print(
            f"Version {registered.version} of the registered model {register!r}: {registered.uri}",
            markup=False,
            soft_wrap=True,
        )
