"""Accuracy against parameters: which trials nobody beats, how good they are together, which one to take."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from nas.errors import NasError


class Scored(Protocol):
    """What a front needs to know of a trial."""

    @property
    def number(self) -> int: ...
    @property
    def completed(self) -> bool: ...
    @property
    def parameters(self) -> int: ...
    @property
    def macs(self) -> int: ...
    @property
    def val_accuracy(self) -> float:
        """In [0, 1]; only asked of a completed trial."""
        ...


Trial = TypeVar("Trial", bound=Scored)


@dataclass(frozen=True, slots=True)
class ParetoFront(Generic[Trial]):
    """The trials that no other beats in one objective without losing in the other.

    Attributes:
        points: parameters and accuracy both strictly increasing. Of trials equal in both, the one with the
            fewest MACs is here, then the one with the lowest number.
    """

    points: tuple[Trial, ...] = ()

    @classmethod
    def of(cls, records: Iterable[Trial]) -> ParetoFront[Trial]:
        """The front of the completed trials among `records`, in any order."""
        return cls(tuple(record for record, rank in _ranked(records) if rank == 0))

    def __len__(self) -> int:
        return len(self.points)

    def __iter__(self) -> Iterator[Trial]:
        return iter(self.points)

    def best(self, max_parameters: int | None = None) -> Trial:
        """The most accurate point with at most `max_parameters`.

        Raises:
            NasError: there is none.
        """
        if not self.points:
            raise NasError(_EMPTY)
        fitting = [p for p in self.points if max_parameters is None or p.parameters <= max_parameters]
        if not fitting:
            smallest = self.points[0]
            raise NasError(
                f"No trial on the front has at most {max_parameters:,} parameters; the smallest, trial "
                f"{smallest.number}, has {smallest.parameters:,}. Allow at least that many, or search "
                "for smaller networks."
            )
        return fitting[-1]

    def knee(self) -> Trial:
        """The point farthest above the chord from the smallest to the most accurate one, over log-parameters.

        Beyond it, further accuracy costs more parameters than on average. A front without a bend gives its
        smallest point.

        Raises:
            NasError: the front is empty.
        """
        if not self.points:
            raise NasError(_EMPTY)
        first, last = self.points[0], self.points[-1]
        width = _log(last.parameters) - _log(first.parameters)
        height = last.val_accuracy - first.val_accuracy

        def above_chord(point: Trial) -> float:
            if not width or not height:
                return 0.0
            share_of_width = (_log(point.parameters) - _log(first.parameters)) / width
            return round((point.val_accuracy - first.val_accuracy) / height - share_of_width, 12)

        return max(self.points, key=above_chord)


def hypervolume(points: Iterable[Scored], *, smallest: int, largest: int) -> float:
    """Share, in [0, 1], of the rectangle of possible results that completed `points` dominate.

    The rectangle spans log10(smallest) to log10(largest) parameters and accuracy 0 to 1, so the reference
    point is (`largest`, accuracy 0) and 1.0 means perfect accuracy at `smallest`. Values can be compared
    wherever the two limits are the same: within a search, and between searches under one budget. A point
    below `smallest` counts as if it had `smallest`, one above `largest` not at all.

    Args:
        points: trials in any order; dominated ones change nothing.
        smallest: parameters of the smallest network that can be proposed.
        largest: the budget, or the parameters of the largest network of the space.

    Raises:
        NasError: the limits are out of order.
    """
    if smallest > largest:
        raise NasError(
            "The hypervolume's smallest parameter count must not exceed its largest; received "
            f"{smallest:,} > {largest:,}. Exchange them."
        )
    front = ParetoFront.of(p for p in points if p.parameters <= largest).points
    if not front:
        return 0.0
    low, high = _log(smallest), _log(largest)
    if low == high:
        return front[-1].val_accuracy
    left = [max(low, _log(p.parameters)) for p in front]
    right = [*left[1:], high]
    area = sum((b - a) * p.val_accuracy for a, b, p in zip(left, right, front, strict=True))
    return area / (high - low)


def pareto_rank(records: Iterable[Scored]) -> dict[int, int]:
    """Rank by trial number: 0 is the front, 1 the front of what is left without it, and so on."""
    return {record.number: rank for record, rank in _ranked(records)}


_EMPTY = "The Pareto front is empty because no trial has completed; see why the trials failed, or run more."


def _log(parameters: int) -> float:
    return math.log10(max(1, parameters))


def _ranked(records: Iterable[Trial]) -> Sequence[tuple[Trial, int]]:
    """Completed trials by parameters with their rank, in O(n log n).

    Sorted this way a trial can only be beaten by earlier ones, and a rank's latest member is its most
    accurate: the trial belongs to the first rank whose latest member is less accurate. A trial equal in both
    objectives comes later and is ranked below.
    """
    usable = [r for r in records if r.completed and math.isfinite(r.val_accuracy)]
    usable.sort(key=lambda r: (r.parameters, -r.val_accuracy, r.macs, r.number))
    negated_accuracy: list[float] = []  # of each rank's latest member; ascending
    ranked = []
    for record in usable:
        rank = bisect_right(negated_accuracy, -record.val_accuracy)
        negated_accuracy[rank : rank + 1] = [-record.val_accuracy]
        ranked.append((record, rank))
    return ranked
