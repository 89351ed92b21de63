"""Trained networks as files for other programs, each checked against the trained model."""

from __future__ import annotations

from nas.export import c_source, keras_file, litert, onnx_file, savedmodel  # noqa: F401 - each registers its formats
from nas.export.exporter import export
from nas.export.format import FORMATS, ExportError, ExportFormat, Source
from nas.export.int8_score import int8_facts, int8_scores
from nas.export.litert_file import PixelType
from nas.export.measure import check_measurable, measure
from nas.export.report import ExportReport, Written
from nas.export.windows import Scenes

__all__ = [
    "FORMATS",
    "ExportError",
    "ExportFormat",
    "ExportReport",
    "PixelType",
    "Scenes",
    "Source",
    "Written",
    "check_measurable",
    "export",
    "int8_facts",
    "int8_scores",
    "measure",
]
