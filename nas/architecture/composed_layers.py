"""The old place of a layer."""

from __future__ import annotations

from nas.architecture.layers import AdaptivePool2D

__all__ = ["AdaptivePool2D"]
