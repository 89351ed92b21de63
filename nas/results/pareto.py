"""Score against costs: which trials no other beats, how good they are together, which one to take."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Generic, Protocol, TypeVar

from nas.errors import NasError
from nas.objectives import DEFAULT_COSTS, MACS, PARAMETERS, Cost, Objectives, log_cost
from nas.quantity import counted


class Scored(Protocol):
    """What a front needs to know of a trial."""

    @property
    def number(self) -> int: ...
    @property
    def completed(self) -> bool: ...
    @property
    def score(self) -> float:
        """In [0, 1]; only asked of a completed trial."""
        ...

    def cost(self, cost: Cost) -> float:
        """Only asked of a completed trial."""
        ...


Trial = TypeVar("Trial", bound=Scored)


@dataclass(frozen=True, slots=True, repr=False)
class ParetoFront(Generic[Trial]):
    """The trials that no other beats in one objective without losing in another.

    Attributes:
        points: by the first cost, ascending; with a single cost, the score is strictly increasing too. Of trials equal
            in all objectives, the one with the fewest MACs is here, then the one with the lowest number.
        costs: what is to be low.
    """

    points: tuple[Trial, ...] = ()
    costs: tuple[Cost, ...] = DEFAULT_COSTS

    @classmethod
    def of(cls, records: Iterable[Trial], costs: Iterable[Cost] = DEFAULT_COSTS) -> ParetoFront[Trial]:
        """The front of the completed trials among `records`, in any order."""
        costs = tuple(costs)
        return cls(tuple(record for record, rank in _ranked(records, costs) if rank == 0), costs)

    def adding(self, record: Trial) -> ParetoFront[Trial]:
        """The front with one more trial: a point that has left a front never comes back."""
        return ParetoFront.of((*self.points, record), self.costs)

    def __len__(self) -> int:
        return len(self.points)

    def __getitem__(self, place: int) -> Trial:
        """The point at a place in the front's order."""
        return self.points[place]

    def __repr__(self) -> str:
        if not self.points:
            return "ParetoFront(no points)"
        axis, (first, last) = self.costs[0], (self.points[0], self.points[-1])
        ends = f"{axis.text(first.cost(axis))} to {axis.text(last.cost(axis))} {axis.heading}"
        return f"ParetoFront({counted(len(self), 'point')}, {ends}, score {first.score:.3f} to {last.score:.3f})"

    def __iter__(self) -> Iterator[Trial]:
        return iter(self.points)

    def best(self, max_parameters: int | None = None) -> Trial:
        """The best point with at most `max_parameters`.

        Raises:
            NasError: there is none.
        """
        if not self.points:
            raise NasError(_EMPTY)
        fitting = [p for p in self.points if max_parameters is None or p.cost(PARAMETERS) <= max_parameters]
        if not fitting:
            smallest = min(self.points, key=lambda point: point.cost(PARAMETERS))
            raise NasError(
                f"no trial on the front has at most {max_parameters:,} parameters; the smallest, trial "
                f"{smallest.number}, has {PARAMETERS.text(smallest.cost(PARAMETERS))}; allow at least that many, or "
                "search for smaller networks"
            )
        return max(fitting, key=lambda point: point.score)

    def knee(self) -> Trial:
        """The point farthest above the chord from the cheapest to the best one, over the first log-cost.

        Beyond it, a higher score costs more than on average. A front without a bend gives its cheapest point.

        Raises:
            NasError: the front is empty.
        """
        if not self.points:
            raise NasError(_EMPTY)
        axis = self.costs[0]
        first, last = self.points[0], self.best()
        width = log_cost(last.cost(axis)) - log_cost(first.cost(axis))
        height = last.score - first.score

        def above_chord(point: Trial) -> float:
            if not width or not height:
                return 0.0
            share_of_width = (log_cost(point.cost(axis)) - log_cost(first.cost(axis))) / width
            return round((point.score - first.score) / height - share_of_width, 12)

        return max(self.points, key=above_chord)


BEYOND = 0.1
"""Share of the range of interest, in log-cost, by which volume goes on beyond its upper end. If it ended there, the
largest networks, often the best ones, would add nothing (Ishibuchi et al., 2018: How to specify a reference point in
hypervolume calculation for fair performance comparison)."""


def hypervolume(points: Iterable[Scored], objectives: Objectives) -> float:
    """How good a front is, in [0, 1]: the share of all possible gain that completed `points` reach.

    It is the mean over budgets of what the best network within the budget is worth. Worth counts factors of error, from
    the floor to one image (`Objectives.worth`). Budgets are drawn evenly from the logarithms of the range of interest;
    one in eleven is the upper end itself, which is what the user asked for (`BEYOND`). With several costs there is a
    budget of each. So 1.0 means no error at the lowest costs of interest, and values can be compared wherever the
    objectives are the same. A range whose ends are equal is left out.

    Args:
        points: trials in any order; dominated ones change nothing.
        objectives: ranges of interest, floor and finest error.
    """
    axes = [cost for cost, (low, high) in objectives.interest.items() if low < high]
    corners = [
        ([_share(point.cost(cost), *objectives.interest[cost]) for cost in axes], objectives.worth(point.score))
        for point in ParetoFront.of(points, objectives.costs)
        if all(point.cost(cost) <= high for cost, (_, high) in objectives.interest.items())
    ]
    return _volume(corners)


def is_of_interest(point: Scored, objectives: Objectives) -> bool:
    """Whether a completed trial lies inside the ranges of interest and above the floor."""
    within = (low <= point.cost(cost) <= high for cost, (low, high) in objectives.interest.items())
    return point.score > objectives.floor and all(within)


def pareto_rank(records: Iterable[Scored], costs: Iterable[Cost] = DEFAULT_COSTS) -> dict[int, int]:
    """Rank by trial number: 0 is the front, 1 the front of what is left without it, and so on."""
    return {record.number: rank for record, rank in _ranked(records, tuple(costs))}


_EMPTY = (
    "the Pareto front is empty because no trial has completed; see why in the list of trials (nas report), or run more"
)


def _share(cost: float, low: float, high: float) -> float:
    """Where a cost lies between the ends of its range and what is `BEYOND`, in [0, 1]."""
    width = (1 + BEYOND) * (log_cost(high) - log_cost(low))
    return max(0.0, (log_cost(cost) - log_cost(low)) / width)


def _volume(corners: Sequence[tuple[Sequence[float], float]]) -> float:
    """Of the union of boxes from each corner to 1 along all axes, as high as it is worth.

    Between two corners along the last axis, the union's section is that of the corners up to the first of them.
    """
    if not corners or not corners[0][0]:
        return max((worth for _, worth in corners), default=0.0)
    corners = sorted(corners, key=lambda corner: corner[0][-1])
    edges = [place[-1] for place, _ in corners] + [1.0]
    flat, highest, volume = len(corners[0][0]) == 1, 0.0, 0.0
    for count, (left, right) in enumerate(pairwise(edges), start=1):
        highest = max(highest, corners[count - 1][1])
        if right > left:
            section = highest if flat else _volume([(place[:-1], worth) for place, worth in corners[:count]])
            volume += (right - left) * section
    return volume


def _ranked(records: Iterable[Trial], costs: tuple[Cost, ...]) -> Sequence[tuple[Trial, int]]:
    """Completed trials by costs with their rank: efficient non-dominated sorting (Zhang et al., 2015).

    Sorted this way a trial can only be beaten by earlier ones, and who is beaten by one of a rank is beaten by one of
    each rank before. A trial equal in all objectives comes later and is ranked below. With a single cost a rank's
    latest member has its highest score, so that only that one has to be looked at: O(n log n).
    """
    usable = [r for r in records if r.completed and math.isfinite(r.score)]
    keyed = [(tuple(record.cost(each) for each in costs), record) for record in usable]
    keyed.sort(key=lambda pair: (pair[0], -pair[1].score, pair[1].cost(MACS), pair[1].number))
    ranks: list[list[tuple[tuple[float, ...], float]]] = []
    ranked = []
    for cost, record in keyed:
        score = record.score

        def is_not_beaten(
            rank: list[tuple[tuple[float, ...], float]], cost: tuple[float, ...] = cost, score: float = score
        ) -> bool:
            rivals = rank if len(costs) > 1 else rank[-1:]
            return not any(
                other >= score and all(a <= b for a, b in zip(rival, cost, strict=True)) for rival, other in rivals
            )

        place = bisect_left(ranks, True, key=is_not_beaten)
        if place == len(ranks):
            ranks.append([])
        ranks[place].append((cost, score))
        ranked.append((record, place))
    return ranked
