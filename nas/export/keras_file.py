"""Keras' own file, to go on training with."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, final

import numpy as np
import numpy.typing as npt

from nas.export.format import ExportFormat, Source, register

if TYPE_CHECKING:
    from nas.architecture import Architecture


@final
@register
class KerasFile(ExportFormat):
    """`model.keras`: the float32 `keras.Model`, pixels in [0, 1] in, the head's outputs out; without nas."""

    name = "keras"

    def write(self, source: Source, folder: Path) -> None:
        source.model.save(folder / "model.keras")

    def predict(
        self, architecture: Architecture, folder: Path, images: npt.NDArray[np.uint8]
    ) -> npt.NDArray[np.float32]:
        import keras

        from nas.training.model import answers_of

        return answers_of(architecture, keras.models.load_model(folder / "model.keras"), images)
