"""Trained networks as files for other programs, each checked against the trained model."""

from __future__ import annotations

from nas.export import savedmodel  # noqa: F401 - registers its format
from nas.export.exporter import ExportReport, export
from nas.export.format import FORMATS, ExportError, ExportFormat
from nas.export.measure import measure

__all__ = ["FORMATS", "ExportError", "ExportFormat", "ExportReport", "export", "measure"]
