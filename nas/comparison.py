"""Several searches' fronts side by side: which is better, and for networks of which size. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, final

from nas.errors import NasError
from nas.pareto import ParetoFront, hypervolume

if TYPE_CHECKING:
    from nas.trial import TrialRecord


@final
@dataclass(frozen=True, kw_only=True, slots=True)
class Stretch:
    """Sizes for which one search is ahead.

    Attributes:
        winner: its name; "" where the best searches are equal.
        from_parameters: the budget from which that holds.
        to_parameters: the largest budget for which it does; `None` for all larger ones.
        lead: largest lead over the next best search in this stretch, in [0, 1]; over nothing, if there is no other yet.
    """

    winner: str
    from_parameters: int
    to_parameters: int | None
    lead: float


@final
@dataclass(frozen=True, kw_only=True, slots=True)
class Comparison:
    """Fronts of several searches, in the order in which they were named.

    Attributes:
        fronts: by name.
        limits: parameters between which the hypervolumes are taken, the same for all.
        hypervolumes: by name, in [0, 1].
        joint: the front of all searches together, as (name, trial).
        stretches: who is ahead, from the smallest network up.
    """

    fronts: Mapping[str, ParetoFront[TrialRecord]]
    limits: tuple[int, int]
    hypervolumes: Mapping[str, float]
    joint: tuple[tuple[str, TrialRecord], ...]
    stretches: tuple[Stretch, ...]

    @classmethod
    def of(cls, searches: Mapping[str, Iterable[TrialRecord]], *, limits: tuple[int, int]) -> Comparison:
        """Compare searches on the same data.

        Args:
            searches: trials by name.
            limits: parameters of the smallest and the largest network of any of them.

        Raises:
            NasError: there are fewer than two.
        """
        if len(searches) < 2:
            raise NasError(f"a comparison takes at least two searches; received {len(searches)}")
        fronts = {name: ParetoFront.of(records) for name, records in searches.items()}
        smallest, largest = limits
        return cls(
            fronts=fronts,
            limits=limits,
            hypervolumes={name: hypervolume(f, smallest=smallest, largest=largest) for name, f in fronts.items()},
            joint=tuple(_joint(fronts)),
            stretches=tuple(_stretches(fronts)),
        )

    def on_joint_front(self, name: str) -> int:
        """How many trials of a search no other search beats."""
        return sum(1 for owner, _ in self.joint if owner == name)


def _joint(fronts: Mapping[str, ParetoFront[TrialRecord]]) -> Iterable[tuple[str, TrialRecord]]:
    """Both objectives strictly improving; of equal points, the one of the search that was named first."""
    best = -1.0
    points = [(name, point) for name, front in fronts.items() for point in front]
    points.sort(key=lambda pair: (pair[1].parameters, -pair[1].val_accuracy, pair[1].macs))
    for name, point in points:
        if point.val_accuracy > best:
            best = point.val_accuracy
            yield name, point


def _stretches(fronts: Mapping[str, ParetoFront[TrialRecord]]) -> Iterable[Stretch]:
    sizes = sorted({point.parameters for front in fronts.values() for point in front})
    found: list[Stretch] = []
    for size, following in zip(sizes, [*sizes[1:], None], strict=True):
        reached = {name: _accuracy_within(front, size) for name, front in fronts.items()}
        first, second = sorted(reached.values(), reverse=True)[:2]
        winner = "" if first == second else max(reached, key=lambda name: reached[name])
        end = None if following is None else following - 1
        if found and found[-1].winner == winner:
            before = found.pop()
            size, lead = before.from_parameters, max(before.lead, first - second)
        else:
            lead = first - second
        found.append(Stretch(winner=winner, from_parameters=size, to_parameters=end, lead=lead))
    return found


def _accuracy_within(front: ParetoFront[TrialRecord], parameters: int) -> float:
    """Of the best network with at most so many parameters; 0 if there is none."""
    return max((point.val_accuracy for point in front if point.parameters <= parameters), default=0.0)
