"""How much of a TPU's matrix unit networks can use, from the widths of their layers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from nas.architecture.architecture import Architecture
from nas.architecture.layers.facets import Mixed

LANES = 128
"""Columns of the matrix unit; output channels are padded to a multiple of them."""

ROUND = 8
"""Channels are stored in groups of so many; a last group that is not full is padded."""


@dataclass(frozen=True, kw_only=True)
class MatrixUnitUse:
    """Of the multiply-adds of some networks.

    Attributes:
        round_share: how many are in layers whose output channels are a multiple of `ROUND`, in [0, 1].
        lanes_share: how many of the unit's lanes they fill on average, in [0, 1]; the rest multiplies padding. An upper
            limit of the use: what a layer waits for is not in it.
    """

    round_share: float
    lanes_share: float


def matrix_unit_use(networks: Iterable[Architecture]) -> MatrixUnitUse:
    """Every network counts alike. Depthwise convolutions do not run on the matrix unit, and count as no use of it."""
    rounds, fills, count = 0.0, 0.0, 0
    for network in networks:
        count += 1
        total = max(network.count.macs, 1)
        for _, node in network.nodes():
            if isinstance(node.layer.channels, Mixed):
                channels = node.shape[-1]
                rounds += node.count.macs / total * (channels % ROUND == 0)
                fills += node.count.macs / total * channels / (-(-channels // LANES) * LANES)
    return MatrixUnitUse(round_share=rounds / max(count, 1), lanes_share=fills / max(count, 1))
