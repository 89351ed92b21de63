"""Several searches' fronts side by side: which is better, and for networks of which size. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, final

from nas.errors import NasError
from nas.results.pareto import ParetoFront, hypervolume

if TYPE_CHECKING:
    from nas.results.trial import TrialRecord


@final
@dataclass(frozen=True, kw_only=True, slots=True)
class Stretch:
    """Costs for which one search is ahead.

    Attributes:
        winner: its name; "" where the best searches are equal.
        start: the budget from which that holds.
        end: the budget up to which it does, exclusive; `None` for all larger ones.
        lead: largest lead over the next best search in this stretch, in [0, 1]; over nothing, if there is no other yet.
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
        limits: of each cost, between which the hypervolumes are taken; the same for all.
        hypervolumes: by name, in [0, 1].
        joint: the front of all searches together, as (name, trial).
        stretches: who is ahead, from the cheapest network up; () if networks have more than one cost.
    """

    fronts: Mapping[str, ParetoFront[TrialRecord]]
    limits: Mapping[str, tuple[float, float]]
    hypervolumes: Mapping[str, float]
    joint: tuple[tuple[str, TrialRecord], ...]
    stretches: tuple[Stretch, ...]

    @classmethod
    def of(
        cls, searches: Mapping[str, Iterable[TrialRecord]], *, limits: Mapping[str, tuple[float, float]]
    ) -> Comparison:
        """Compare searches on the same data.

        Args:
            searches: trials by name.
            limits: by cost, the lowest and the highest that a network of any of them may have.

        Raises:
            NasError: there are fewer than two.
        """
        if len(searches) < 2:
            raise NasError(f"a comparison takes at least two searches; received {len(searches)}")
        fronts = {name: ParetoFront.of(records, limits) for name, records in searches.items()}
        return cls(
            fronts=fronts,
            limits=limits,
            hypervolumes={name: hypervolume(f, limits) for name, f in fronts.items()},
            joint=tuple(_joint(fronts, tuple(limits))),
            stretches=tuple(_stretches(fronts, *limits)) if len(limits) == 1 else (),
        )

    def on_joint_front(self, name: str) -> int:
        """How many trials of a search no other search beats."""
        return sum(1 for owner, _ in self.joint if owner == name)


def _joint(fronts: Mapping[str, ParetoFront[TrialRecord]], costs: tuple[str, ...]) -> Iterable[tuple[str, TrialRecord]]:
    """The front of all together; of points equal in everything, the one of the search that was named first."""
    points = [(name, point) for name, front in fronts.items() for point in front]
    # Numbers of different searches' trials are the same.
    renumbered = [replace(point, number=place) for place, (_, point) in enumerate(points)]
    return (points[found.number] for found in ParetoFront.of(renumbered, costs))


def _stretches(fronts: Mapping[str, ParetoFront[TrialRecord]], cost: str) -> Iterable[Stretch]:
    starts = sorted({point.cost(cost) for front in fronts.values() for point in front})
    found: list[Stretch] = []
    for start, end in zip(starts, [*starts[1:], None], strict=True):
        reached = {name: _accuracy_within(front, cost, start) for name, front in fronts.items()}
        first, second = sorted(reached.values(), reverse=True)[:2]
        winner = "" if first == second else max(reached, key=lambda name: reached[name])
        began, lead = start, first - second
        if found and found[-1].winner == winner:
            before = found.pop()
            began, lead = before.start, max(before.lead, lead)
        found.append(Stretch(winner=winner, start=began, end=end, lead=lead))
    return found


def _accuracy_within(front: ParetoFront[TrialRecord], cost: str, most: float) -> float:
    """Of the best network with at most so much; 0 if there is none."""
    return max((point.val_accuracy for point in front if point.cost(cost) <= most), default=0.0)
