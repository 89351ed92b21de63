"""What a student learns from a teacher: its answers to the training images (Hinton, Vinyals and Dean, 2015)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, final

import numpy as np
import numpy.typing as npt

from nas.architecture import Architecture
from nas.architecture.keras_types import Tensor
from nas.errors import NasError
from nas.training.model import Weights, answers_with
from nas.training.user_model import answers_of_user_model, load_user_model

if TYPE_CHECKING:
    from nas.datasets.spec import DatasetSpec, ImageShape

TINY = 1e-7
"""Added to probabilities, of which logarithms are taken."""


@final
@dataclass(frozen=True, kw_only=True, slots=True)
class Lesson:
    """A teacher's answers.

    Attributes:
        answers: float32 `(n, classes)`, class probabilities of the training images at the temperature.
        temperature: at which teacher and student are compared; higher ones tell more of the unlikely classes.
        weight: of this part of the loss, in (0, 1]; the rest is the plain loss.
    """

    answers: npt.NDArray[np.float32]
    temperature: float
    weight: float

    def loss(self, answers: Tensor, outputs: Tensor) -> Tensor:
        """The divergence of the student from the teacher, `(batch,)`, in units of the plain loss.

        Args:
            answers: of the teacher to a batch, at the temperature, `(batch, classes)`.
            outputs: class probabilities of the student.
        """
        from keras import ops

        logits = ops.log(outputs + TINY) / self.temperature
        own = ops.log_softmax(logits, axis=-1)
        divergence = ops.sum(answers * (ops.log(answers + TINY) - own), axis=-1)
        return self.temperature**2 * divergence


@final
@dataclass(frozen=True, kw_only=True, slots=True)
class Teacher:
    """A trained network that a final training learns from.

    Attributes:
        name: for people and for the journal.
        architecture: as JSON; "" if the teacher is a file.
        weights: of the architecture.
        file: content of a .keras file.
        temperature: as in `Lesson`.
        weight: as in `Lesson`.
    """

    name: str
    architecture: str = ""
    weights: Weights = ()
    file: bytes = b""
    temperature: float
    weight: float

    def lesson(self, data: Mapping[ImageShape, DatasetSpec]) -> Lesson:
        """The answers to the training images, in the form of the data that the teacher takes.

        Raises:
            NasError: the file is none, or takes other images.
        """
        if self.architecture:
            network = Architecture.from_json(self.architecture)
            images = data[network.input_shape].train.images
            answers = answers_with(network, self.weights, images)
        else:
            answers = self._of_file(data)
        logits = np.log(answers + TINY) / self.temperature
        softened = np.exp(logits - logits.max(axis=1, keepdims=True))
        softened /= softened.sum(axis=1, keepdims=True)
        return Lesson(answers=softened.astype(np.float32), temperature=self.temperature, weight=self.weight)

    def _of_file(self, data: Mapping[ImageShape, DatasetSpec]) -> npt.NDArray[np.float32]:
        with TemporaryDirectory() as folder:
            path = Path(folder) / "teacher.keras"
            path.write_bytes(self.file)
            model = load_user_model(path)
        takes = tuple(model.inputs[0].shape[1:])
        for shape, form in data.items():
            if len(takes) == 3 and all(size in (None, has) for size, has in zip(takes, shape, strict=True)):
                answers = answers_of_user_model(model, form.train.images)
                break
        else:
            shapes = " or ".join("x".join(map(str, shape)) for shape in data)
            received = "x".join(map(str, takes))
            raise NasError(f"final.teacher must take images of {shapes}; received one that takes {received}")
        labels = next(iter(data.values())).info.labels
        if answers.shape[1:] != (len(labels),):
            raise NasError(
                f"final.teacher must return {len(labels)} numbers, one a class; its output is {answers.shape[1:]}"
            )
        if (answers < 0).any() or (np.abs(answers.sum(axis=1) - 1) > 1e-3).any():
            # Logits.
            answers = np.exp(answers - answers.max(axis=1, keepdims=True))
            answers /= answers.sum(axis=1, keepdims=True)
        return answers
