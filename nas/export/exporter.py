"""Exports one trained network: written beside, reloaded, compared, and only then put in place."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

import numpy as np
import numpy.typing as npt

from nas import __version__
from nas.export.format import FORMATS, ExportError, ExportFormat, Source
from nas.export.litert_file import CALIBRATED, PixelType
from nas.export.place import foreign, put_in_place, recover, staging, write_card
from nas.export.report import ExportReport, Written
from nas.export.windows import Scenes, detections
from nas.objectives import Score
from nas.quantity import counted
from nas.recipe import Recipe
from nas.reports.network_diagram import diagram
from nas.tasks import TASKS, Task
from nas.training.model import Weights, answers_of, rebuild, shaped, spread

if TYPE_CHECKING:
    from nas.architecture import Architecture

logger = logging.getLogger(__name__)

PICTURED = 18
"""Images in the picture of predictions."""

QUANTIZED_MACS, LEAST_CHECKED = 10**10, 256
"""Multiply-adds that checking a quantized format may take, about a minute, and the images that are checked at least."""

DETECTED_MACS, LEAST_DETECTED = 10**11, 64
"""The same of detecting by windows."""

SPLITS = {"val": "validation", "test": "test"}
"""Names of splits in scores, and in words."""

ALLOWED_LOSS = 0.01
"""Of the score, by quantization."""


@final
@dataclass(frozen=True, kw_only=True)
class _Examples:
    """What an export is compared on.

    Attributes:
        name: of the split, as scores have it: `val` or `test`.
        images: uint8 `(n, height, width, channels)`, n > 0, of the data set.
        shaped: the same as the network takes them.
        targets: a row an image; None: they are not known.
    """

    name: str
    images: npt.NDArray[np.uint8]
    shaped: npt.NDArray[np.uint8]
    targets: npt.NDArray[Any] | None = None


def export(
    architecture: Architecture,
    weights: Weights,
    *,
    labels: Sequence[str],
    to: Path,
    check_images: npt.NDArray[np.uint8],
    check_targets: npt.NDArray[Any] | None = None,
    test: tuple[npt.NDArray[np.uint8], npt.NDArray[Any]] | None = None,
    format: str = "savedmodel",
    calibration: npt.NDArray[np.uint8] | None = None,
    pixels: PixelType = "int8",
    allowed_loss: float = ALLOWED_LOSS,
    inherited_from: int | None = None,
    score: Score | None = None,
    recipe: Recipe | None = None,
    image_shape: tuple[int, int, int] | None = None,
    scenes: Scenes | None = None,
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
        check_images: uint8 `(n, height, width, channels)`, n > 0, validation images, on which the export must answer
            what the trained model answers.
        check_targets: of these images, for scores, without which no quantized format is written, and for a picture of
            some predictions; None: they are not known.
        test: images and targets on which the export is scored, too.
        format: keys of `FORMATS`, with commas between them.
        calibration: training images, uint8 `(n, height, width, channels)`, of which some show a quantized format its
            ranges; needed for these formats only.
        pixels: what a quantized network takes.
        allowed_loss: most that the validation score may fall in a quantized format, in [0, 1]. One image is always
            allowed.
        inherited_from: the trial with whose weights the training began, for `export.json`; None: it began from random
            ones.
        score: which of the task's the export is judged by; its first if left out.
        recipe: what it was trained with where that was a choice, for `export.json`.
        image_shape: of all images above, where that is not the network's: formats that adapt take these.
        scenes: of which all images above are crops: formats that adapt take these whole images, and give
            boxes.

    Raises:
        ExportError: the destination is in use or cannot be written, a package is missing, or the export predicts
            something else; then the destination is as it was.
        NasError: the weights are not this architecture's.
    """
    writers = [FORMATS.find(name) for name in dict.fromkeys(format.split(","))]
    for writer in writers:
        writer.check_installed()
    own = architecture.input_shape
    for images in (check_images, *(test or ())[:1]):
        _check_images(image_shape or own, images)
    check = [
        _Examples(name="val", images=check_images, shaped=shaped(check_images, own), targets=check_targets),
    ]
    if test is not None:
        check.append(_Examples(name="test", images=test[0], shaped=shaped(test[0], own), targets=test[1]))
    if any(writer.is_quantized for writer in writers) and (calibration is None or check_targets is None):
        raise ExportError(
            "a quantized network is calibrated on training images, and judged by its score on validation images with "
            "targets; pass calibration and check_targets"
        )
    to = to.resolve()
    recover(to)
    _check_destination(to)
    task = TASKS[architecture.head.task]
    score = task.score if score is None else score.in_training
    model = rebuild(architecture, weights)
    expected = [answers_of(architecture, model, examples.shaped) for examples in check]
    if problem := task.check_answers(expected[0].shape[1:], labels):
        raise ExportError(f"the network {problem}; pass the labels of the data set it was trained on")
    source = Source(
        architecture=architecture,
        model=model,
        labels=labels,
        calibration=None if calibration is None else shaped(spread(calibration, CALIBRATED), own),
        pixels=pixels,
        image_shape=image_shape,
        windows=None if scenes is None else scenes.windows,
    )
    try:
        with staging(to) as stage:
            written = [
                _written(writer, source, task, score, stage, list(zip(check, expected, strict=True)), allowed_loss)
                for writer in writers
            ]
            if labels:
                (stage / "labels.txt").write_text("".join(f"{' '.join(label.split())}\n" for label in labels), "utf-8")
            detector = None
            if scenes is not None and any(writer.adapts for writer in writers):
                detector = _detect(architecture, scenes, stage, [examples.name for examples in check])
            elif check_targets is not None:
                # Spread, as a folder's images are in the order of their classes.
                images, wanted, answered = (
                    spread(each, PICTURED) for each in (check_images, check_targets, expected[0])
                )
                (stage / "predictions.svg").write_text(task.picture(images, wanted, answered, labels), "utf-8")
            (stage / "architecture.json").write_text(architecture.to_json() + "\n", "utf-8")
            (stage / "architecture.svg").write_text(diagram(architecture).svg(), "utf-8")
            card = {
                "created_by": f"nas {__version__}",
                "architecture": architecture.id,
                "input_shape": list(architecture.input_shape),
                **({} if image_shape in (None, own) else {"image_shape": list(image_shape or own)}),
                **({"recipe": dict(recipe)} if recipe else {}),
                "inherited_from": inherited_from,
                "formats": {each.format: _on_card(each, score) for each in written},
                **({} if detector is None else {"detector": detector}),
            }
            write_card(stage, card)
            size = _bytes(stage)
            _check_destination(to)  # somebody may have put a file there meanwhile
            put_in_place(stage, to)
    except OSError as error:
        raise ExportError(
            f"cannot write the export to {to}: {error.strerror or error}; free space or choose another folder"
        ) from error
    return ExportReport(path=to, bytes=size, written=tuple(written), detector=detector)


def _written(
    writer: ExportFormat,
    source: Source,
    task: Task,
    score: Score,
    folder: Path,
    check: Sequence[tuple[_Examples, npt.NDArray[np.float32]]],
    allowed_loss: float,
) -> Written:
    """Write one format and compare it; each split comes with what the trained model answers.

    Raises:
        ExportError: the export answers something else.
    """
    before = _bytes(folder)
    logger.info("%s: writing", writer.name)
    _write(writer, source, folder)
    size = _bytes(folder) - before
    most = max(LEAST_CHECKED, QUANTIZED_MACS // max(source.architecture.count.macs, 1)) if writer.is_quantized else None
    differences, scores, counts = [], {}, []
    for examples, expected in check:
        images = spread(examples.images if writer.adapts else examples.shaped, most)
        wanted = spread(expected, most)
        logger.info("%s: checking on %s", writer.name, counted(len(images), f"{SPLITS[examples.name]} image"))
        received = writer.predict(source.architecture, folder, images)
        differences.append(_compare(writer, task, wanted, received))
        counts.append(len(images))
        if examples.targets is not None:
            targets = spread(examples.targets, most)
            scores[examples.name] = (_score(task, score, targets, wanted), _score(task, score, targets, received))
    if writer.is_quantized:
        _check_loss(writer, score, scores[check[0][0].name], max(allowed_loss, 1 / counts[0]))
    return Written(
        format=writer.name,
        bytes=size,
        largest_difference=differences[0],
        images_checked=counts[0],
        scores=scores,
        facts=writer.facts(folder),
    )


def _detect(architecture: Architecture, scenes: Scenes, folder: Path, names: Sequence[str]) -> dict[str, Any]:
    """How well a SavedModel in a folder detects, by the names of the card; of the first split some are drawn there."""
    task, windows = TASKS["detection"], scenes.windows
    macs = len(windows.boxes) * architecture.count.macs
    facts = {"image_shape": list(windows.image_shape), "windows": len(windows.boxes), "macs": macs}
    for name in names:
        images, targets = (spread(each, max(LEAST_DETECTED, DETECTED_MACS // macs)) for each in scenes.splits[name])
        logger.info("detecting in %s", counted(len(images), f"{SPLITS[name]} image"))
        found = detections(folder, images, classes=len(scenes.labels))
        evidence = np.asarray(task.evidence(targets, found))
        facts |= {f"{name}_images": len(images), f"{name}_map": round(task.score_of(evidence), 6)}
        if name == names[0]:
            images, targets, found = (spread(each, PICTURED) for each in (images, targets, found))
            picture = task.picture(images, targets, found, scenes.labels)
            (folder / "predictions.svg").write_text(picture, "utf-8")
    return facts


def _check_loss(writer: ExportFormat, score: Score, scores: tuple[float, float], allowed: float) -> None:
    trained, exported = scores
    if trained - exported > allowed + 1e-9:
        raise ExportError(
            f"the {writer.name} export loses {score.points(trained - exported)} points of validation {score.heading} "
            f"({score.text(trained)} trained, {score.text(exported)} exported); {score.points(allowed)} are allowed; "
            f"nothing was written; choose another network, or allow more with --allow-loss"
        )


def _score(task: Task, score: Score, targets: npt.NDArray[Any], answers: npt.NDArray[np.float32]) -> float:
    return task.score_of(np.asarray(task.evidence(targets, answers)), score)


def _on_card(written: Written, score: Score) -> dict[str, Any]:
    scores = {
        f"{split}_{score.name}": {"trained": round(trained, 6), "exported": round(exported, 6)}
        for split, (trained, exported) in written.scores.items()
    }
    return {
        "bytes": written.bytes,
        "images_checked": written.images_checked,
        "largest_difference": written.largest_difference,
        **scores,
        **written.facts,
    }


def _bytes(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def _check_images(shape: tuple[int, int, int], check_images: npt.NDArray[np.uint8]) -> None:
    if check_images.dtype != np.uint8 or check_images.shape[1:] != shape:
        raise ExportError(
            f"the images to check must be uint8 of shape (n, {', '.join(map(str, shape))}); "
            f"received {check_images.dtype} {check_images.shape}; pass images of the data set it was trained on"
        )
    if not len(check_images):
        raise ExportError("there must be at least one image to check; received none; pass validation images")


def _check_destination(to: Path) -> None:
    if {"[", "\\"} & set(str(to)):
        raise ExportError(
            f"an export's path must have no [ and no \\, which TensorFlow takes for patterns; received {to}; "
            f"choose another folder"
        )
    try:
        other = foreign(to) if to.is_dir() else to.name if to.exists() else ""
    except OSError as error:
        raise ExportError(f"cannot read {to}: {error.strerror}; choose another folder") from error
    if other:
        raise ExportError(
            f"an export must go to a new or empty folder, or replace an earlier export of nas; received {to}, where "
            f"{other!r} is not as nas wrote it; nothing was changed; choose another folder"
        )


def _write(writer: ExportFormat, source: Source, folder: Path) -> None:
    import tensorflow as tf

    try:
        writer.write(source, folder)
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
    if writer.is_quantized:
        # Its numbers are its own: whether they are right, the score tells.
        return float(np.abs(received - expected).max())
    agreement = task.compare(expected, received, tolerance=writer.tolerance)
    if agreement.problem:
        raise ExportError(
            f"the {writer.name} export predicts something else than the trained model: {agreement.problem}; nothing "
            f"was written"
        )
    return agreement.largest_difference
