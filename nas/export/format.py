"""What an export format is, and the registry of them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from nas.errors import NasError


class ExportError(NasError):
    """An export that was not made, and why."""


class ExportFormat(ABC):
    """One way to write a trained network. One file a format, registered with `@register`.

    Attributes:
        name: as in `--format`.
        tolerance: largest difference of a class probability from the trained model's that passes.
    """

    name: ClassVar[str]
    tolerance: ClassVar[float] = 1e-5

    @abstractmethod
    def write(self, model: Any, folder: Path, *, labels: Sequence[str]) -> None:
        """Writes the float32 `keras.Model` into an existing, empty folder."""

    @abstractmethod
    def predict(self, folder: Path, images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """Loads what `write` wrote as a stranger to nas would, and returns class probabilities `(n, classes)`."""


FORMATS: dict[str, ExportFormat] = {}
"""Every format, by name."""


def register(cls: type[ExportFormat]) -> type[ExportFormat]:
    """Class decorator: makes a format known by its name."""
    FORMATS[cls.name] = cls()
    return cls
