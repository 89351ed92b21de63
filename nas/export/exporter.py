"""Exports one trained network: written beside, reloaded, compared, and only then put in place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from nas import __version__
from nas.architecture.keras_types import KerasModel
from nas.export.format import FORMATS, ExportError, ExportFormat
from nas.export.place import foreign, put_in_place, recover, staging, write_card
from nas.reports.network_diagram import diagram
from nas.tasks import TASKS, Task
from nas.training.model import Weights, answers_of, rebuild

if TYPE_CHECKING:
    from nas.architecture import Architecture

PICTURED = 18
"""Images in the picture of predictions."""


@dataclass(frozen=True, kw_only=True)
class ExportReport:
    """What was written, and how it compares with the trained model.

    Attributes:
        bytes: of all files together.
        largest_difference: of an answer, over all images.
        images_checked: how many images were compared.
    """

    path: Path
    format: str
    bytes: int
    largest_difference: float
    images_checked: int


def export(
    architecture: Architecture,
    weights: Weights,
    *,
    labels: Sequence[str],
    to: Path,
    check_images: npt.NDArray[np.uint8],
    check_targets: npt.NDArray[Any] | None = None,
    format: str = "savedmodel",
    inherited_from: int | None = None,
) -> ExportReport:
    """Writes a trained network into the folder `to`, with `architecture.json`, `export.json`, the drawing
    `architecture.svg`, `labels.txt` if there are classes, and `predictions.svg` if targets are given.

    The network is rebuilt in float32 from its specification, whatever precision it was trained in.

    Args:
        architecture: the specification.
        weights: as trained, in the order of `keras.Model.get_weights()`.
        labels: names of the classes, as the data set has them.
        to: a folder that is absent, empty, or an earlier export and nothing else, which is replaced. An export that
            is killed may leave `.NAME.export-*` beside the folder, with the earlier export in it; the next export
            puts that back first and removes the rest.
        check_images: uint8 `(n, height, width, channels)`, n > 0, on which the export must predict what the trained
            model predicts.
        check_targets: of these images, for a picture of some predictions; None: they are not known.
        format: a key of `FORMATS`.
        inherited_from: the trial with whose weights the training began, for `export.json`; None: it began from random
            ones.

    Raises:
        ExportError: the destination is in use or cannot be written, or the export predicts something else; then
            the destination is as it was.
        NasError: the weights are not this architecture's.
    """
    writer = FORMATS.find(format)
    _check_images(architecture, check_images)
    to = to.resolve()
    recover(to)
    _check_destination(to)
    task = TASKS[architecture.head.task]
    model = rebuild(architecture, weights)
    expected = answers_of(architecture, model, check_images)
    if problem := task.check_answers(expected.shape[1:], labels):
        raise ExportError(f"the network {problem}; pass the labels of the data set it was trained on")
    try:
        with staging(to) as stage:
            _write(writer, architecture, model, stage)
            difference = _compare(writer, task, expected, writer.predict(architecture, stage, check_images))
            if labels:
                (stage / "labels.txt").write_text("".join(f"{' '.join(label.split())}\n" for label in labels), "utf-8")
            if check_targets is not None:
                # Spread, as a folder's images are in the order of their classes.
                some = np.linspace(0, len(check_images) - 1, min(PICTURED, len(check_images))).astype(int)
                picture = task.picture(check_images[some], check_targets[some], expected[some], labels)
                (stage / "predictions.svg").write_text(picture, "utf-8")
            (stage / "architecture.json").write_text(architecture.to_json() + "\n", "utf-8")
            (stage / "architecture.svg").write_text(diagram(architecture).svg(), "utf-8")
            card = {
                "created_by": f"nas {__version__}",
                "format": format,
                "architecture": architecture.id,
                "input_shape": list(architecture.input_shape),
                "images_checked": len(check_images),
                "largest_difference": difference,
                "inherited_from": inherited_from,
            }
            write_card(stage, card)
            size = sum(file.stat().st_size for file in stage.rglob("*") if file.is_file())
            _check_destination(to)  # somebody may have put a file there meanwhile
            put_in_place(stage, to)
    except OSError as error:
        raise ExportError(
            f"Could not write the export to {to}: {error.strerror or error}. Free space or choose another folder."
        ) from error
    return ExportReport(
        path=to, format=format, bytes=size, largest_difference=difference, images_checked=len(check_images)
    )


def _check_images(architecture: Architecture, check_images: npt.NDArray[np.uint8]) -> None:
    if check_images.dtype != np.uint8 or check_images.shape[1:] != tuple(architecture.input_shape):
        raise ExportError(
            f"The images to check must be uint8 of shape (n, {', '.join(map(str, architecture.input_shape))}); "
            f"received {check_images.dtype} {check_images.shape}. Pass images of the data set it was trained on."
        )
    if not len(check_images):
        raise ExportError("There must be at least one image to check; received none. Pass validation images.")


def _check_destination(to: Path) -> None:
    if {"[", "\\"} & set(str(to)):
        raise ExportError(
            f"An export's path must have no [ and no \\, which TensorFlow takes for patterns; received {to}. "
            f"Choose another folder."
        )
    try:
        other = foreign(to) if to.is_dir() else to.name if to.exists() else ""
    except OSError as error:
        raise ExportError(f"Could not read {to}: {error.strerror}. Choose another folder.") from error
    if other:
        raise ExportError(
            f"An export must go to a new or empty folder, or replace an earlier export of nas; received {to}, where "
            f"{other!r} is not as nas wrote it. All is left as it is. Choose another folder."
        )


def _write(writer: ExportFormat, architecture: Architecture, model: KerasModel, folder: Path) -> None:
    import tensorflow as tf

    try:
        writer.write(architecture, model, folder)
    except tf.errors.OpError as error:  # TensorFlow's own file errors: a full disk, a missing permission
        raise OSError(error.message.splitlines()[0]) from error


def _compare(
    writer: ExportFormat, task: Task, expected: npt.NDArray[np.float32], received: npt.NDArray[np.float32]
) -> float:
    """The largest difference of an answer.

    Raises:
        ExportError: the export answers something else.
    """
    if received.shape != expected.shape:
        raise ExportError(
            f"the {writer.name} export answers with shape {received.shape} instead of {expected.shape}; nothing was "
            f"written"
        )
    agreement = task.compare(expected, received, tolerance=writer.tolerance)
    if agreement.problem:
        raise ExportError(
            f"the {writer.name} export predicts something else than the trained model: {agreement.problem}; nothing "
            f"was written"
        )
    return agreement.largest_difference
