"""LiteRT, which was TensorFlow Lite: one file for phones, boards with an operating system, and microcontrollers.

The int8 file holds whole numbers only. TensorFlow's own converter makes it, whose files are smaller than those of
`litert-quantizer` and lose no more.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

import numpy as np
import numpy.typing as npt

from nas.export.format import ExportFormat, Source, register
from nas.export.litert_file import answers, convert, describe

if TYPE_CHECKING:
    from nas.architecture import Architecture


class _LiteRTFile(ExportFormat):
    """What both formats share: one image at a time, as on a device."""

    file: str

    def predict(
        self, architecture: Architecture, folder: Path, images: npt.NDArray[np.uint8]
    ) -> npt.NDArray[np.float32]:
        del architecture
        return answers((folder / self.file).read_bytes(), images)

    def facts(self, folder: Path) -> Mapping[str, Any]:
        return describe((folder / self.file).read_bytes())


@final
@register
class LiteRT(_LiteRTFile):
    """`model.tflite`: float32 pixels in [0, 1] of one image in, the task's answers out, both float32."""

    name, file = "litert", "model.tflite"

    def write(self, source: Source, folder: Path) -> None:
        (folder / self.file).write_bytes(convert(source.architecture, source.model))


@final
@register
class LiteRTInt8(_LiteRTFile):
    """`model_int8.tflite`: pixels of one image in and answers out as whole numbers; no float anywhere.

    Weights and maps are rounded to 8 bits, the ranges of the maps being those of the calibration images. An int8 pixel
    is its value less 128.
    """

    name, file = "litert-int8", "model_int8.tflite"
    is_quantized = True

    def write(self, source: Source, folder: Path) -> None:
        (folder / self.file).write_bytes(source.int8)
