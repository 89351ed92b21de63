"""Limits on one network."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Integral
from typing import final

from nas.architecture.count import Count
from nas.errors import NasError


class BudgetError(NasError):
    """A budget that contradicts itself, or that nothing meets."""


@final
@dataclass(frozen=True, kw_only=True, slots=True)
class Budget:
    """Inclusive limits; None is no limit.

    Attributes:
        max_parameters, min_parameters: all weights, trainable and not.
        max_macs: multiply-adds of one example.
        max_activation_bytes: peak memory of one example's float32 maps.
        max_latency_ms: milliseconds for one example. It has to be measured: `admits` does not ask for it.
    """

    max_parameters: int | None = None
    min_parameters: int | None = None
    max_macs: int | None = None
    max_activation_bytes: int | None = None
    max_latency_ms: float | None = None

    def __post_init__(self) -> None:
        for name in ("max_parameters", "min_parameters", "max_macs", "max_activation_bytes"):
            value = getattr(self, name)
            if value is not None and not isinstance(value, Integral):
                raise BudgetError(f"{name} must be a whole number, such as 20_000; received {value!r}")
            if value is not None and value < 0:
                raise BudgetError(f"{name} must not be negative; received {value:,}")
        low, high = self.min_parameters, self.max_parameters
        if low is not None and high is not None and low > high:
            raise BudgetError(f"min_parameters must not exceed max_parameters; received {low:,} > {high:,}")

    def admits(self, count: Count) -> bool:
        """Whether a network of these counts is inside all limits on counts."""
        return (
            (self.max_parameters is None or count.parameters <= self.max_parameters)
            and (self.min_parameters is None or count.parameters >= self.min_parameters)
            and (self.max_macs is None or count.macs <= self.max_macs)
            and (self.max_activation_bytes is None or count.activation_bytes <= self.max_activation_bytes)
        )

    def excess(self, count: Count) -> str:
        """By how much a network misses, such as `1,204 parameters over 20,000`; "" if it does not."""
        misses = []
        for name, value, limit in (
            ("parameters", count.parameters, self.max_parameters),
            ("MACs", count.macs, self.max_macs),
            ("activation bytes", count.activation_bytes, self.max_activation_bytes),
        ):
            if limit is not None and value > limit:
                misses.append(f"{value - limit:,} {name} over {limit:,}")
        if self.min_parameters is not None and count.parameters < self.min_parameters:
            misses.append(f"{self.min_parameters - count.parameters:,} parameters under {self.min_parameters:,}")
        return ", ".join(misses)

    def __str__(self) -> str:
        limits = [
            f"{sign} {value:,} {name}"
            for sign, value, name in (
                ("at least", self.min_parameters, "parameters"),
                ("at most", self.max_parameters, "parameters"),
                ("at most", self.max_macs, "MACs"),
                ("at most", self.max_activation_bytes, "activation bytes"),
            )
            if value is not None
        ]
        if self.max_latency_ms is not None:
            limits.append(f"at most {self.max_latency_ms:g} ms")
        return ", ".join(limits) or "no limit"
