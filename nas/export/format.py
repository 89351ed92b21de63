"""What an export format is, and the registry of them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, final

import numpy as np
import numpy.typing as npt

from nas.architecture.keras_types import KerasModel
from nas.errors import NasError
from nas.export.litert_file import PixelType, convert
from nas.export.windows import Windows
from nas.registry import Registry

if TYPE_CHECKING:
    from nas.architecture import Architecture


class ExportError(NasError):
    """An export that was not made, and why."""


@final
@dataclass(frozen=True, kw_only=True)
class Source:
    """A trained network, as formats write it.

    Attributes:
        architecture: the specification.
        model: the float32 `keras.Model`, with its trained weights.
        labels: names of the classes; none if the task has none.
        calibration: uint8 `(n, height, width, channels)`, training images that show a quantized format the ranges of
            its maps; None if there are no such formats.
        pixels: what a quantized network takes.
        image_shape: of the images that a format which `adapts` takes; the network's own if left out.
        windows: at which a format which `adapts` looks in larger images, if the network classifies crops.
    """

    architecture: Architecture
    model: KerasModel
    labels: Sequence[str] = ()
    calibration: npt.NDArray[np.uint8] | None = None
    pixels: PixelType = "int8"
    image_shape: tuple[int, int, int] | None = None
    windows: Windows | None = None

    @cached_property
    def int8(self) -> bytes:
        """The quantized network, as a LiteRT file: made once for all formats that hold it."""
        return convert(self.architecture, self.model, calibration=self.calibration, pixels=self.pixels)


class ExportFormat(ABC):
    """One way to write a trained network. One file a format, registered with `@register`.

    Attributes:
        name: as in `--format`.
        tolerance: largest difference of an answer from the trained network's that passes, relative to the size of the
            numbers.
        is_quantized: whether its numbers are rounded so much that only the score tells whether it is right.
        adapts: whether it takes the images of the data set where the search chose another size or gray or took crops
            of them, and makes those that the network takes itself.
        packages: that it needs beside those of nas, as they are imported.
        extra: of keras-nas, which installs them.
    """

    name: ClassVar[str]
    tolerance: ClassVar[float] = 1e-4
    is_quantized: ClassVar[bool] = False
    adapts: ClassVar[bool] = False
    packages: ClassVar[tuple[str, ...]] = ()
    extra: ClassVar[str] = ""

    def check_installed(self) -> None:
        """Refuse to begin what cannot be written or checked here.

        Raises:
            ExportError: with what to install.
        """
        missing = [package for package in self.packages if find_spec(package) is None]
        if missing:
            raise ExportError(
                f"--format {self.name} needs {', '.join(missing)}; install with: pip install 'keras-nas[{self.extra}]'"
            )

    @abstractmethod
    def write(self, source: Source, folder: Path) -> None:
        """Writes a network into an existing folder, which may hold other formats."""

    @abstractmethod
    def predict(
        self, architecture: Architecture, folder: Path, images: npt.NDArray[np.uint8]
    ) -> npt.NDArray[np.float32]:
        """Loads what `write` wrote as a stranger to nas would, and returns the task's answers, a row an image."""

    def facts(self, folder: Path) -> Mapping[str, Any]:
        """What a user of the file has to know, for `export.json`: its input, its output, its operators."""
        del folder
        return {}


FORMATS: Registry[ExportFormat] = Registry("export format", ExportError)
"""Every format, by name."""


def register(cls: type[ExportFormat]) -> type[ExportFormat]:
    """Class decorator: makes a format known by its name."""
    FORMATS.add(cls.name, cls())
    return cls
