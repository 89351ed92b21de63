"""Limits on one network."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol, TypeGuard, final

from nas.architecture.count import Count
from nas.errors import NasError, shown
from nas.objectives import COSTS, PARAMETERS, Cost
from nas.quantity import parse_count, whole_number
from nas.registry import did_you_mean

_LOWER = "min_parameters"

_INTEREST = "interest"

INTEREST = 20
"""The range of interest begins at this part of a limit, if nothing else is said."""


FAR = 1.03
"""A network that is predicted at more than this factor of a limit is surely over it."""


class Network(Protocol):
    """What a budget asks a network."""

    @property
    def count(self) -> Count: ...
    def predicted(self, cost: Cost) -> int | None: ...


class BudgetError(NasError):
    """A budget that contradicts itself, or that nothing meets."""


class LimitError(BudgetError):
    """A limit that cannot be one.

    Attributes:
        key: of the limit.
        rule: what it must be, and what was received.
    """

    def __init__(self, key: str, rule: str) -> None:
        super().__init__(key, rule)
        self.key, self.rule = key, rule

    def __str__(self) -> str:
        return f"{self.key} {self.rule}"


@final
@dataclass(frozen=True, init=False, repr=False)
class Budget:
    """Inclusive limits. Each cost of `nas.objectives.COSTS` may have one, `max_NAME`; parameters a lower one, too.

    Args:
        min_parameters: all weights, trainable and not; a number, or text such as "20k", as for each of the others.
        limits: `max_parameters`, `max_macs` (multiply-adds of one example), `max_activation_bytes` (peak memory of one
            example's float32 maps); and, of what has to be measured, so that `admits` does not ask for it,
            `max_latency_ms` (of one example), `max_ram_bytes` and `max_flash_bytes` (of the int8 network). None is no
            limit.
        interest: which part of the range inside matters, of the first cost that a search wants to be low: two numbers,
            or text such as "500..2k". Strategies look there, and hypervolume is taken there. None is from a twentieth
            of the limit to the limit; without a limit, all that there is.

    Raises:
        BudgetError: an unknown limit, no number, or a lower limit above the upper one.
    """

    min_parameters: int | None
    interest: tuple[float, float] | None
    limits: tuple[tuple[Cost, float], ...]

    def __init__(
        self,
        *,
        min_parameters: int | str | None = None,
        interest: str | Sequence[float] | None = None,
        **limits: float | str | None,
    ) -> None:
        known = {cost.limit: cost for cost in COSTS.values()}
        for key in limits.keys() - known.keys():
            use = ", ".join(self.limit_names())
            raise LimitError(key, f"is no limit{did_you_mean(key, known)}; use one of {use}")
        found = tuple(
            (cost, _number(key, value, 0 if cost.is_time else 1, whole=not cost.is_time))
            for key, cost in known.items()
            if (value := limits.get(key)) is not None
        )
        low = None if min_parameters is None else int(_number(_LOWER, min_parameters, 0, whole=True))
        object.__setattr__(self, "min_parameters", low)
        object.__setattr__(self, "limits", found)
        object.__setattr__(self, "interest", None if interest is None else _range(interest))
        if low is not None and (high := self.max_parameters) is not None and low > high:
            raise LimitError(_LOWER, f"must not exceed max_parameters; received {low:,} > {high:,}")

    @classmethod
    def limit_names(cls) -> tuple[str, ...]:
        """Every limit that there may be."""
        first, *others = (cost.limit for cost in COSTS.values())
        return first, _LOWER, _INTEREST, *others

    def most(self, cost: Cost) -> float | None:
        """The upper limit of a cost; None for no limit."""
        return self._limit.get(cost)

    @cached_property
    def _limit(self) -> Mapping[Cost, float]:
        return dict(self.limits)

    @cached_property
    def max_parameters(self) -> int | None:
        """The upper limit of parameters; None for no limit."""
        most = self.most(PARAMETERS)
        return None if most is None else int(most)

    @cached_property
    def measured(self) -> Mapping[Cost, float]:
        """The limits that only a measurement shows."""
        return {cost: most for cost, most in self.limits if cost.measured}

    @cached_property
    def counted(self) -> Mapping[Cost, float]:
        """The limits that are checked before a network is built."""
        return {cost: most for cost, most in self.limits if cost.is_counted}

    def admits(self, count: Count) -> bool:
        """Whether a network of these counts is inside all limits on counts."""
        if self.min_parameters is not None and count.parameters < self.min_parameters:
            return False
        return all(cost.of(count) <= most for cost, most in self.counted.items())

    def may_admit(self, network: Network) -> bool:
        """Whether a network is inside all limits on counts, and not predicted far over one that is measured."""
        return self.admits(network.count) and self.overrun(network) <= FAR

    def overrun(self, network: Network) -> float:
        """The largest prediction of a measured cost, as a factor of its limit; 0 where nothing is predicted."""
        return max(((network.predicted(cost) or 0) / most for cost, most in self.measured.items()), default=0.0)

    def excess(self, count: Count) -> str:
        """By how much a network misses, such as `1,204 parameters over 20,000`; "" if it does not."""
        misses = [
            f"{cost.words(cost.of(count) - most)} over {cost.text(most)}"
            for cost, most in self.counted.items()
            if cost.of(count) > most
        ]
        if self.min_parameters is not None and count.parameters < self.min_parameters:
            misses.append(f"{self.min_parameters - count.parameters:,} parameters under {self.min_parameters:,}")
        return ", ".join(misses)

    def at_least(self, parameters: int) -> Budget:
        """With a lower limit on parameters, if that is higher than its own."""
        given = self.to_dict() | {_LOWER: max(parameters, self.min_parameters or 0)}
        return Budget(**given)

    def at_most(self, parameters: int) -> Budget:
        """With an upper limit on parameters, if that is lower than its own."""
        given = self.to_dict()
        return Budget(**(given | {PARAMETERS.limit: min(parameters, self.max_parameters or parameters)}))

    def to_dict(self) -> dict[str, Any]:
        """Every limit by its key, as files have it."""
        given: dict[str, Any] = {cost.limit: most for cost, most in self.limits} | {_LOWER: self.min_parameters}
        if self.interest is not None:
            given[_INTEREST] = "..".join(f"{end:.15g}" for end in self.interest)
        return {key: given.get(key) for key in self.limit_names()}

    def __str__(self) -> str:
        least = [] if self.min_parameters is None else [f"at least {PARAMETERS.words(self.min_parameters)}"]
        most = [
            f"at most {most:g} {cost.unit}" if cost.is_time else f"at most {cost.words(most)}"
            for cost, most in self.limits
        ]
        return ", ".join([*least, *most]) or "no limit"

    def __repr__(self) -> str:
        given = ", ".join(f"{key}={value!r}" for key, value in self.to_dict().items() if value is not None)
        return f"Budget({given})"


def _range(value: object) -> tuple[float, float]:
    """Two numbers, the lower one first, from themselves or from text such as "500..2k".

    Raises:
        LimitError: they are none.
    """
    ends: Sequence[object] = value.split("..") if isinstance(value, str) else value if _is_pair(value) else ()
    try:
        low, high = map(_end, ends)
        if 0 < low <= high < math.inf:
            return low, high
    except ValueError:
        pass
    raise LimitError(_INTEREST, f"must be two numbers, the lower one first, such as 500..2k; received {shown(value)}")


def _end(value: object) -> float:
    """A number, or text such as 0.5 or 2k.

    Raises:
        ValueError: it is neither.
    """
    if isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            return whole_number(value)
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return value
    raise ValueError(value)


def _is_pair(value: object) -> TypeGuard[Sequence[object]]:
    return isinstance(value, (list, tuple)) and len(value) == 2


def _number(key: str, value: object, least: float, *, whole: bool) -> float:
    """A limit as a number.

    Raises:
        LimitError: it is none, or too small.
    """
    if isinstance(value, str) and whole:
        try:
            value = parse_count(value)
        except ValueError as error:
            raise LimitError(key, str(error)) from None
    if isinstance(value, bool):
        raise LimitError(key, f"must not be true or false (on and off, yes and no); received {str(value).lower()}")
    number = float(value) if isinstance(value, (int, float)) else math.nan
    if not math.isfinite(number) or (whole and number != int(number)):
        example = "a whole number, such as 20_000 or 20k" if whole else "a number"
        raise LimitError(key, f"must be {example}; received {shown(value)}")
    if number < least or (number == 0 and not whole):
        rule = f"at least {least:g}" if whole else "greater than 0"
        raise LimitError(key, f"must be {rule}; received {shown(value)}")
    return int(number) if whole else number
