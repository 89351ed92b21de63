"""The costs that have to be measured, and how."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nas.export.latency import latency_ms
from nas.objectives import LATENCY, Cost

if TYPE_CHECKING:
    from nas.architecture import Architecture

_MEASURES = {LATENCY: latency_ms}


def measure(cost: Cost, architecture: Architecture) -> float:
    """A measured cost of a network, which need not be trained."""
    return _MEASURES[cost](architecture)
