"""What an export format is, and the registry of them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import numpy.typing as npt

from nas.architecture.keras_types import KerasModel
from nas.errors import NasError
from nas.registry import Registry

if TYPE_CHECKING:
    from nas.architecture import Architecture


class ExportError(NasError):
    """An export that was not made, and why."""


class ExportFormat(ABC):
    """One way to write a trained network. One file a format, registered with `@register`.

    Attributes:
        name: as in `--format`.
        tolerance: largest difference of an answer from the trained network's that passes, relative to the size of the
            numbers.
    """

    name: ClassVar[str]
    tolerance: ClassVar[float] = 1e-4

    @abstractmethod
    def write(self, architecture: Architecture, model: KerasModel, folder: Path) -> None:
        """Writes the float32 `keras.Model` of an architecture into an existing, empty folder."""

    @abstractmethod
    def predict(
        self, architecture: Architecture, folder: Path, images: npt.NDArray[np.uint8]
    ) -> npt.NDArray[np.float32]:
        """Loads what `write` wrote as a stranger to nas would, and returns the task's answers, a row an image."""


FORMATS: Registry[ExportFormat] = Registry("export format", ExportError)
"""Every format, by name."""


def register(cls: type[ExportFormat]) -> type[ExportFormat]:
    """Class decorator: makes a format known by its name."""
    FORMATS.add(cls.name, cls())
    return cls
