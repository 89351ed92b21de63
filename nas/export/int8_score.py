"""What a device runs: the score of the int8 file on images of a search, and what the file takes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from nas.export.litert_file import answers, convert
from nas.export.measure import is_measurable
from nas.export.micro import arena_bytes
from nas.objectives import FLASH_BYTES, RAM_BYTES, Score
from nas.tasks import TASKS
from nas.training.model import Weights, rebuild

if TYPE_CHECKING:
    from nas.architecture import Architecture

    Examples = tuple[npt.NDArray[np.uint8], npt.NDArray[Any]]


def int8_scores(
    architecture: Architecture,
    weights: Weights,
    *,
    calibration: npt.NDArray[np.uint8],
    splits: Mapping[str, Examples],
    score: Score | None = None,
) -> dict[str, float]:
    """The score in [0, 1] of a trained network's int8 file, by the name of each split.

    The file is the one that `nas export --format litert-int8` writes. It runs in LiteRT by its fast kernels, whose
    answers differ from TFLM's by a step or two of 256.

    Args:
        architecture: the specification.
        weights: as trained.
        calibration: training images, uint8 `(n, height, width, channels)`.
        splits: uint8 images, a row an example, and their targets.
        score: which of the task's; its first if left out.
    """
    content = convert(architecture, rebuild(architecture, weights), calibration=calibration)
    return {name: _score(architecture, content, split, score) for name, split in splits.items()}


def int8_facts(
    architecture: Architecture,
    weights: Weights,
    *,
    calibration: npt.NDArray[np.uint8],
    validation: Examples,
    score: Score | None = None,
) -> dict[str, float]:
    """What a trained network's int8 file takes, `flash_bytes` and `ram_bytes`, and its `int8_val_score` in [0, 1].

    RAM is left out where TFLM is not installed. Arguments are those of `int8_scores`.

    Raises:
        ExportError: TFLM cannot run the network.
    """
    content = convert(architecture, rebuild(architecture, weights), calibration=calibration)
    found: dict[str, float] = {FLASH_BYTES.name: len(content)}
    if is_measurable(RAM_BYTES):
        found[RAM_BYTES.name] = arena_bytes(content)
    return {**found, "int8_val_score": _score(architecture, content, validation, score)}


def _score(architecture: Architecture, content: bytes, examples: Examples, score: Score | None) -> float:
    task = TASKS[architecture.head.task]
    images, targets = examples
    evidence = np.asarray(task.evidence(targets, answers(content, images, exact=False)))
    return task.score_of(evidence, score)
