"""A user's own Keras model, counted and scored like a trial of a search."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from nas.architecture.keras_types import KerasLayer, KerasModel
from nas.devices.tensorflow_import import import_tensorflow
from nas.errors import NasError
from nas.objectives import Score
from nas.quantity import counted
from nas.tasks import TASKS, Task
from nas.training.model import BATCH

if TYPE_CHECKING:
    from nas.datasets.spec import DatasetInfo, Split

logger = logging.getLogger(__name__)

_BYTE_SCALE = 0.1
"""A Rescaling layer with a smaller factor, such as 1/255, brings bytes to [0, 1]."""


class UserModelError(NasError):
    """A model that cannot be compared, and why."""


@dataclass(frozen=True, kw_only=True, slots=True)
class UserModel:
    """A model that is not from the search.

    Attributes:
        name: of its file.
        parameters: all weights, as `count_params()` counts them.
        score: on the search's validation split, in [0, 1].
        takes_bytes: whether it was given values from 0 to 255 and not from 0 to 1.
    """

    name: str
    parameters: int
    score: float
    takes_bytes: bool


def score_user_model(path: Path, split: Split, info: DatasetInfo, score: Score | None = None) -> UserModel:
    """Load a `.keras` file, count it, and score it on a split, by the task's first score if none is named.

    The model takes a batch of images as the search has them and returns the task's answers: for classification a number
    a class, of which the largest counts, so that logits will do. It is given float32 values in [0, 1], as every trial
    is; if it has a Rescaling layer that expects bytes, or an integer input, it is given 0 to 255. Loading runs no code
    of the file: a model with a Lambda layer or a class of the user's own is refused.

    Raises:
        UserModelError: the file cannot be loaded, or its input or output does not fit the data.
    """
    model = load_user_model(path)
    task = TASKS[info.task]
    _check(model, path, info, task)
    answers = answers_of_user_model(model, split.images)
    evidence = np.asarray(task.evidence(split.targets, answers))
    return UserModel(
        name=path.name,
        parameters=model.count_params(),
        score=task.score_of(evidence, score),
        takes_bytes=_takes_bytes(model),
    )


def load_user_model(path: Path) -> KerasModel:
    """A model of Keras' own layers from its `.keras` file, of which no code is run.

    Raises:
        UserModelError: it cannot be loaded.
    """
    import_tensorflow("tensorflow", "jax")
    import keras

    if path.suffix != ".keras":
        raise UserModelError(f"a model is given as a .keras file, from model.save(); received {str(path)!r}")
    if not path.is_file():
        raise UserModelError(f"there is no file {path}")
    try:
        model = keras.saving.load_model(path, compile=False, safe_mode=True)
    except Exception as error:  # Keras raises whatever a layer's configuration raises
        logger.debug("loading %s", path, exc_info=True)
        reason = " ".join(str(error).split())
        raise UserModelError(
            f"cannot load {path}: {reason[:200]}; it must be made of Keras' own layers, without Lambda: no code of the "
            f"file is run"
        ) from None
    return model


def answers_of_user_model(model: KerasModel, images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """What the model returns for uint8 images `(n, height, width, channels)`, given in the range that it expects."""
    scale = 1.0 if _takes_bytes(model) else 255.0
    parts = (images[start : start + BATCH] for start in range(0, len(images), BATCH))
    if _takes_integers(model):
        return np.concatenate([np.asarray(model(part, training=False)) for part in parts])
    return np.concatenate([np.asarray(model(part.astype(np.float32) / scale, training=False)) for part in parts])


def _takes_integers(model: KerasModel) -> bool:
    import keras

    return np.dtype(keras.backend.standardize_dtype(model.inputs[0].dtype)).kind in "ui"


def _takes_bytes(model: KerasModel) -> bool:
    return _takes_integers(model) or any(map(_expects_bytes, _layers(model)))


def _check(model: KerasModel, path: Path, info: DatasetInfo, task: Task) -> None:
    """Refuse a model whose input or output does not fit."""
    if len(model.inputs) != 1 or len(model.outputs) != 1:
        raise UserModelError(
            f"{path} must have one input and one output; it has {counted(len(model.inputs), 'input')} and "
            f"{counted(len(model.outputs), 'output')}"
        )
    wanted, received = info.input_shape, tuple(model.inputs[0].shape[1:])
    if len(received) != 3 or any(size not in (None, want) for size, want in zip(received, wanted, strict=True)):
        raise UserModelError(
            f"{path} must take images of {'x'.join(map(str, wanted))}, as the search does; its input is {received}"
        )
    if problem := task.check_answers(tuple(model.outputs[0].shape[1:]), info.labels):
        raise UserModelError(f"{path} {problem}")


def _layers(model: KerasModel) -> Iterator[KerasLayer]:
    """Every layer, those of models inside the model included."""
    for layer in model.layers:
        yield layer
        if hasattr(layer, "layers"):
            yield from _layers(layer)


def _expects_bytes(layer: KerasLayer) -> bool:
    import keras

    return isinstance(layer, keras.layers.Rescaling) and float(np.max(layer.scale)) < _BYTE_SCALE
