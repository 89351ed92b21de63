"""nas export: a point of the front as checked files for other programs and devices."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nas.cli.front import Name
from nas.cli.terminal import MaxParams, RunsDir, TrackingUri, count_option, output
from nas.command_line import RUNS_DIR
from nas.errors import NasError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nas.export import Written
    from nas.objectives import Score


def export(
    name: Name,
    to: Annotated[Path, typer.Option("--to", help="Folder to write.")],
    max_params: MaxParams = None,
    trial: Annotated[int | None, typer.Option(help="Export this trial of the front.")] = None,
    board: Annotated[
        str | None, typer.Option(help="Export the best network that fits this board: nas list boards, or a .yaml file.")
    ] = None,
    best: Annotated[
        bool, typer.Option("--best", help="Export the network with the highest score; the default.")
    ] = False,
    format: Annotated[
        str,
        typer.Option(help="savedmodel, keras, litert, litert-int8, onnx or c; separate several with commas."),
    ] = "savedmodel",
    input: Annotated[str, typer.Option(help="Type of a quantized network's pixels: int8 or uint8.")] = "int8",
    allow_loss: Annotated[
        float, typer.Option(help="Points of validation score that quantization may cost.", min=0)
    ] = 1.0,
    register: Annotated[
        str | None, typer.Option(help="Also register it in MLflow's model registry under this name, as champion.")
    ] = None,
    tracking_uri: TrackingUri = None,
    runs_dir: RunsDir = RUNS_DIR,
) -> None:
    """Export a trained network for TensorFlow, Keras, LiteRT or ONNX, or as C++ source for a microcontroller.

    Each file is loaded again in its own runtime and must give the answers of the trained network; a quantized
    network must keep its score.
    """
    from nas.boards import find_board
    from nas.cli.front_board import best_on
    from nas.export import FORMATS
    from nas.tuning import Search

    if sum((max_params is not None, trial is not None, board is not None, best)) > 1:
        raise NasError("--max-params, --trial, --board and --best each choose the network; give one of them")
    if input not in ("int8", "uint8"):
        raise NasError(f"--input is int8 or uint8; received {input!r}")
    search = Search(name, runs_dir)
    limit = count_option("--max-params", max_params)
    if board is not None:
        record = best_on(search, find_board(board))
    else:
        record = search.best(limit) if trial is None else search.trial(trial)
    for each in format.split(","):
        FORMATS.find(each).check_installed()
    report = search.export(
        to,
        trial=record.number,
        format=format,
        pixels="int8" if input == "int8" else "uint8",
        allowed_loss=allow_loss / 100,
    )
    score = search.objectives.score
    again = f"; trained again, test {score.heading} {record.test_text(score)}" if record.is_tested else ""
    output.print(
        f"Trial {record.number} of {name!r}: {record.parameters:,} parameters, "
        f"{record.score_text(score)}{again}\n  {report.path}: {report.bytes:,} bytes",
        markup=False,
        soft_wrap=True,
    )
    whole, own = ("x".join(map(str, shape)) for shape in (search.facts.input_shape, record.architecture.input_shape))
    if report.detector is not None:
        output.print(f"  {_detecting(report.detector, own)}", markup=False, soft_wrap=True)
    elif whole != own:
        adapting = [each.format for each in report.written if FORMATS[each.format].adapts]
        told = f"; {', '.join(adapting)} takes {whole} and makes {own} of them itself" if adapting else ""
        output.print(f"  the network takes images of {own}{told}", markup=False, soft_wrap=True)
    for written in report.written:
        output.print(f"  {written.format}: {_compared(written, score.in_training)}", markup=False, soft_wrap=True)
    if register is not None:
        registered = search.register(register, trial=record.number, tracking_uri=tracking_uri, export=report)
        part = "" if report.detector is None else ", the classifier of crops alone"
        output.print(
            f"Version {registered.version} of the registered model {register!r}: {registered.uri}{part}",
            markup=False,
            soft_wrap=True,
        )


def _detecting(detector: Mapping[str, Any], own: str) -> str:
    """What a classifier of crops finds in whole images, in words."""
    from nas.export.exporter import SPLITS
    from nas.tasks import TASKS

    score = TASKS["detection"].score
    scene = "x".join(map(str, detector["image_shape"]))
    split = "test" if "test_map" in detector else "val"
    found = score.text(detector[f"{split}_map"])
    return (
        f"the network classifies crops of {own}; savedmodel takes {scene}, looks at {detector['windows']:,} windows "
        f"({detector['macs']:,} multiply-adds) and gives boxes: {score.heading} {found} on "
        f"{detector[f'{split}_images']:,} {SPLITS[split]} images"
    )


def _compared(written: Written, score: Score) -> str:
    """What was written and how it compares with the trained network, in words."""
    from nas.export import FORMATS
    from nas.export.exporter import SPLITS

    parts = [f"{written.bytes:,} bytes"]
    if "arena_bytes" in written.facts:
        parts.append(f"{written.facts['arena_bytes']:,} bytes of memory (TFLM's arena)")
    if not FORMATS[written.format].is_quantized:
        return (
            f"{parts[0]}; reloaded, and equal to the trained network on {written.images_checked:,} images (largest "
            f"difference {written.largest_difference:.1e})"
        )
    parts += [
        f"{SPLITS[split]} {score.heading} {score.text(exported)}, trained {score.text(trained)}"
        for split, (trained, exported) in written.scores.items()
    ]
    return f"{'; '.join(parts)}; reloaded and run on {written.images_checked:,} images"
