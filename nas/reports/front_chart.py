"""What a picture of the front shows, before anything is drawn. Pure."""

from __future__ import annotations

import statistics
from collections.abc import Iterable
from dataclasses import dataclass

from nas.objectives import Objectives
from nas.quantity import counted
from nas.results.pareto import ParetoFront, is_of_interest
from nas.results.trial import TrialRecord, incomplete


@dataclass(frozen=True, kw_only=True, slots=True)
class FrontChart:
    """What every picture of a front shows.

    Attributes:
        objectives: of the search; the horizontal axis is the first cost.
        x_range: costs at both ends of the axis.
        y_range: scores at both ends. Networks that learned next to nothing are left below it, because they
            would press everything worth seeing into one line; `below` counts them.
        steps: corners of the line under which everything is dominated as far as this axis goes, (cost, score).
    """

    objectives: Objectives
    front: ParetoFront[TrialRecord]
    dominated: tuple[TrialRecord, ...]
    x_range: tuple[float, float]
    y_range: tuple[float, float]
    steps: tuple[tuple[float, float], ...]
    trials: int
    incomplete: str
    below: int

    @classmethod
    def of(cls, records: Iterable[TrialRecord], objectives: Objectives) -> FrontChart:
        records = tuple(records)
        done = [r for r in records if r.completed]
        front = ParetoFront.of(done, objectives.costs)
        axis, budget = objectives.axis, objectives.budget
        members = {p.number for p in front}
        costs = [r.cost(axis) for r in done] + ([budget] if budget else [])
        low, high = objectives.interest[axis]
        x_range = (min(costs, default=low or 1) / 1.25, max(costs, default=high) * 1.25)
        scores = sorted(r.score for r in done)
        low, high = 0.0, 1.0
        if front.points:
            high = front.best().score
            usual = statistics.quantiles(scores, n=5)[0] if len(scores) > 4 else scores[0]
            matter = [point.score for point in front if is_of_interest(point, objectives)]
            low = min([*(matter or [point.score for point in front]), usual])
        margin = max(0.08 * (high - low), 0.005)
        y_range = (max(low - margin, -0.02), min(high + margin, 1.02))
        steps: list[tuple[float, float]] = []
        for point in ParetoFront.of(front, [axis]):
            steps += [(point.cost(axis), steps[-1][1] if steps else y_range[0])]
            # One that is not of interest may lie below the plot.
            steps += [(point.cost(axis), max(point.score, y_range[0]))]
        if steps:
            end = x_range[1] if budget is None else max(budget, steps[-1][0])
            steps.append((end, steps[-1][1]))
        return cls(
            objectives=objectives,
            front=front,
            dominated=tuple(r for r in done if r.number not in members),
            x_range=x_range,
            y_range=y_range,
            steps=tuple(steps),
            trials=len(records),
            incomplete=incomplete(records),
            below=sum(each < y_range[0] for each in scores),
        )

    @property
    def inside(self) -> tuple[TrialRecord, ...]:
        """The front's points that are of interest."""
        return tuple(point for point in self.front if is_of_interest(point, self.objectives))

    @property
    def outside(self) -> tuple[TrialRecord, ...]:
        """The front's other points, which are drawn in gray."""
        return tuple(point for point in self.front if not is_of_interest(point, self.objectives))

    @property
    def score_heading(self) -> str:
        """Of the vertical axis."""
        drawn = (*self.front, *self.dominated)
        named = next((trial for trial in drawn if trial.is_expected), drawn[0] if drawn else None)
        score = self.objectives.score
        return named.score_heading(score) if named else f"validation {score.heading}"

    @property
    def subtitle(self) -> str:
        others = f", {self.incomplete}" if self.incomplete else ""
        below = f"; {self.below} below the plot" if self.below else ""
        return f"{counted(self.trials, 'trial')}{others}, {len(self.front)} on the Pareto front{below}"
