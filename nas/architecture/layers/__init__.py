"""The primitive layers that blocks are wired from: all that others ask of a layer, side by side in its class.

Every formula stands here once; blocks only connect layers. The words of the answers are in `facets`.
"""

from __future__ import annotations

from nas.architecture.layers.base import Layer
from nas.architecture.layers.facets import DoesNotFitError, Pair, Window, pair
from nas.architecture.layers.pooling import AdaptivePool2D, GlobalPool2D, Pool2D
from nas.architecture.layers.regions import AnchorBoxes, Proposals, RegionPool
from nas.architecture.layers.weighted import BatchNormalization, Conv2D, Conv2DTranspose, Dense, DepthwiseConv2D
from nas.architecture.layers.weightless import (
    Activation,
    Add,
    Concatenate,
    Dropout,
    Flatten,
    LocalResponseNormalization,
    Resize2D,
    ZeroPad2D,
)

__all__ = [
    "Activation",
    "AdaptivePool2D",
    "Add",
    "AnchorBoxes",
    "BatchNormalization",
    "Concatenate",
    "Conv2D",
    "Conv2DTranspose",
    "Dense",
    "DepthwiseConv2D",
    "DoesNotFitError",
    "Dropout",
    "Flatten",
    "GlobalPool2D",
    "Layer",
    "LocalResponseNormalization",
    "Pair",
    "Pool2D",
    "Proposals",
    "RegionPool",
    "Resize2D",
    "Window",
    "ZeroPad2D",
    "pair",
]
