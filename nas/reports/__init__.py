"""What people look at: tables, charts, drawings, the page. Bytes and text come out; MLflow is not known here."""

from __future__ import annotations

from nas.reports.story import Story

__all__ = ["Story"]
