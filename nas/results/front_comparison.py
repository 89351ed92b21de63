"""Fronts of several searches side by side: which is better, and for networks of which cost. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, final

from nas.errors import NasError
from nas.objectives import Cost, Objectives
from nas.results.pareto import ParetoFront, hypervolume

if TYPE_CHECKING:
    from nas.results.trial import TrialRecord


@final
@dataclass(frozen=True, kw_only=True, slots=True)
class Stretch:
    """A range of budgets for which one search is ahead.

    Attributes:
        winner: its name; "" where the best searches are equal.
        start: lowest budget of the range.
        end: where the range ends, exclusive; `None` for all larger budgets.
        lead: largest difference of scores from the next best search, in [0, 1]; from 0 where no other has a network.
    """

    winner: str
    start: float
    end: float | None
    lead: float


@final
@dataclass(frozen=True, kw_only=True, slots=True)
class Comparison:
    """Fronts of several searches, in the order in which they were named.

    Attributes:
        fronts: by name.
        objectives: over which the hypervolumes are taken; the same for all.
        hypervolumes: by name, in [0, 1].
        joint: the front of all searches together, as (name, trial).
        stretches: which search is ahead, from the cheapest network up; () if searches have more than one cost.
    """

    fronts: Mapping[str, ParetoFront[TrialRecord]]
    objectives: Objectives
    hypervolumes: Mapping[str, float]
    joint: tuple[tuple[str, TrialRecord], ...]
    stretches: tuple[Stretch, ...]

    @classmethod
    def of(cls, searches: Mapping[str, Iterable[TrialRecord]], objectives: Objectives) -> Comparison:
        """Compare searches on the same data.

        Args:
            searches: trials by name.
            objectives: of all of them together.

        Raises:
            NasError: there are fewer than two.
        """
        if len(searches) < 2:
            raise NasError(f"a comparison takes at least two searches; received {len(searches)}")
        costs = objectives.costs
        fronts = {name: ParetoFront.of(records, costs) for name, records in searches.items()}
        return cls(
            fronts=fronts,
            objectives=objectives,
            hypervolumes={name: hypervolume(f, objectives) for name, f in fronts.items()},
            joint=tuple(_joint(fronts, costs)),
            stretches=tuple(_stretches(fronts, *costs)) if len(costs) == 1 else (),
        )

    def on_joint_front(self, name: str) -> int:
        """How many trials of a search are on the joint front."""
        return sum(1 for owner, _ in self.joint if owner == name)


def _joint(
    fronts: Mapping[str, ParetoFront[TrialRecord]], costs: tuple[Cost, ...]
) -> Iterator[tuple[str, TrialRecord]]:
    """The front of all searches; of points that are equal in everything, that of the search named first."""
    points = [(name, point) for name, front in fronts.items() for point in front]
    # Searches number their trials alike.
    renumbered = [replace(point, number=place) for place, (_, point) in enumerate(points)]
    return (points[found.number] for found in ParetoFront.of(renumbered, costs))


def _stretches(fronts: Mapping[str, ParetoFront[TrialRecord]], cost: Cost) -> list[Stretch]:
    starts = sorted({point.cost(cost) for front in fronts.values() for point in front})
    found: list[Stretch] = []
    for start, end in zip(starts, [*starts[1:], None], strict=True):
        reached = {name: _score_within(front, cost, start) for name, front in fronts.items()}
        first, second = sorted(reached.values(), reverse=True)[:2]
        winner = "" if first == second else max(reached, key=lambda name: reached[name])
        began, lead = start, first - second
        if found and found[-1].winner == winner:
            before = found.pop()
            began, lead = before.start, max(before.lead, lead)
        found.append(Stretch(winner=winner, start=began, end=end, lead=lead))
    return found


def _score_within(front: ParetoFront[TrialRecord], cost: Cost, most: float) -> float:
    """The highest score up to a cost; 0 if there is no network."""
    return max((point.score for point in front if point.cost(cost) <= most), default=0.0)
