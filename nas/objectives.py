"""What a search wants: a high validation accuracy at low costs."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import final

from nas.errors import NasError
from nas.quantity import short_count

ACCURACY = "val_accuracy"

LATENCY = "latency_ms"
"""The only cost that has to be measured; the others are counted before anything is trained."""

COSTS = {"parameters": "parameters", "macs": "MACs", "activation_bytes": "activation bytes", LATENCY: "latency (ms)"}
"""Every cost by its name in experiment files, with its heading."""

PARAMETERS = ("parameters",)
"""What networks cost if nothing else is said."""

COUNTS = tuple(name for name in COSTS if name != LATENCY)
"""Those that are known before anything is trained."""

LATENCIES = 0.001, 1_000.0
"""Milliseconds between which latency counts in hypervolumes: nobody knows a network's before it was measured."""


@final
@dataclass(frozen=True, kw_only=True, slots=True)
class Objectives:
    """The costs of a search, and what they are measured against.

    Attributes:
        limits: by cost, between which values hypervolumes are taken: no network of the search costs less, and none more
            than the upper one counts. The first cost is the horizontal axis of charts.
        budget: the most that a network may have of the first cost; None for no limit.
    """

    limits: Mapping[str, tuple[float, float]]
    budget: float | None = None

    def __post_init__(self) -> None:
        for name, (least, most) in self.limits.items():
            if least > most:
                raise NasError(
                    f"The lower limit of {COSTS[name]} must not exceed the upper one; received {least:,} > {most:,}. "
                    "Exchange them."
                )

    @property
    def costs(self) -> tuple[str, ...]:
        return tuple(self.limits)

    @property
    def axis(self) -> str:
        """The first cost."""
        return next(iter(self.limits))


def directions(costs: Iterable[str]) -> dict[str, str]:
    """All objectives as other programs read them."""
    return dict.fromkeys(costs, "minimize") | {ACCURACY: "maximize"}


def shown_costs(costs: Iterable[str]) -> tuple[str, ...]:
    """The costs that tables have a column for: two that everybody asks for, then those that the search is after."""
    return tuple(dict.fromkeys((*PARAMETERS, "macs", *costs)))


def cost_in_words(name: str, value: float) -> str:
    """A cost in a sentence.

    >>> cost_in_words("parameters", 7_466), cost_in_words("latency_ms", 0.61234)
    ('7,466 parameters', '0.612 ms')
    """
    return f"{cost_text(name, value)} {unit(name)}"


def unit(name: str) -> str:
    """What stands behind the number."""
    return "ms" if name == LATENCY else COSTS[name]


def cost_text(name: str, value: float) -> str:
    """A cost as tables show it.

    >>> cost_text("macs", 12_345), cost_text("latency_ms", 0.61234)
    ('12,345', '0.612')
    """
    return f"{value:.3g}" if name == LATENCY and value < 100 else f"{value:,.0f}"


def short_cost(name: str, value: float) -> str:
    """A cost where there is little room.

    >>> short_cost("parameters", 8_412), short_cost("latency_ms", 0.61234)
    ('8.41k', '0.612 ms')
    """
    return cost_in_words(name, value) if name == LATENCY else short_count(value)


def log_cost(cost: float) -> float:
    """The natural logarithm; what is next to nothing costs a thousandth."""
    return math.log(max(cost, 1e-3))
