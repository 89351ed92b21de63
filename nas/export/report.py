"""What an export has written, and how it compares with the trained network."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

from nas.export.format import FORMATS
from nas.objectives import FLASH_BYTES, RAM_BYTES


@final
@dataclass(frozen=True, kw_only=True)
class Written:
    """One format of an export, and how it compares with the trained model.

    Attributes:
        format: a key of `FORMATS`.
        bytes: of its files.
        largest_difference: of an answer, over all validation images.
        images_checked: how many that were.
        scores: by split: the trained model's score and the export's, in [0, 1], on the same images; none without
            targets.
        facts: of the format, such as input, output, operators, and the arena of a microcontroller.
    """

    format: str
    bytes: int
    largest_difference: float
    images_checked: int
    scores: Mapping[str, tuple[float, float]]
    facts: Mapping[str, Any]


@final
@dataclass(frozen=True, kw_only=True)
class ExportReport:
    """What was written.

    Attributes:
        path: the folder.
        bytes: of all files together.
        written: a format after the other.
        detector: of a classifier of crops whose SavedModel detects: the images' shape, how many windows it looks at,
            the multiply-adds of all together, and on how many images which mAP@50 was measured; as in `export.json`.
    """

    path: Path
    bytes: int
    written: tuple[Written, ...]
    detector: Mapping[str, Any] | None = None

    @property
    def largest_difference(self) -> float:
        """Of an answer, of the first format, over all validation images."""
        return self.written[0].largest_difference

    @property
    def is_for_devices(self) -> bool:
        """Whether it has a quantized network."""
        return any(FORMATS[each.format].is_quantized for each in self.written)

    def int8_facts(self, *, images: int) -> dict[str, float]:
        """What it says of the int8 file, by the names that trials have for it: bytes of flash and RAM, and the score.

        Args:
            images: in the validation split; a score on fewer of them is none of a trial's.
        """
        found: dict[str, float] = {}
        for each in self.written:
            if each.format == "litert-int8":
                found[FLASH_BYTES.name] = each.bytes
            if "arena_bytes" in each.facts:
                found[FLASH_BYTES.name], found[RAM_BYTES.name] = each.facts["array_bytes"], each.facts["arena_bytes"]
            if FORMATS[each.format].is_quantized and each.images_checked == images:
                found["int8_val_score"] = each.scores["val"][1]
        return found
