"""Which share of a space is inside a budget.

Parameters add up along a path, so their distribution follows by dynamic programming: a state's histogram is the sum
of its predecessors', each moved by what the step between them adds. Sampling could not see a share of one in a
billion; this can.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from nas.architecture import Budget
from nas.objectives import ACTIVATION_BYTES, MACS
from nas.space.counting import count_paths
from nas.space.decisions import Choice, Decisions, State

if TYPE_CHECKING:
    import numpy as np

    Histogram = np.ndarray[Any, np.dtype[np.float64]]

CELLS = 800_000_000
"""Additions that a share may take; a second or so. More steps in a space leave fewer bins to each."""

FEWEST_BINS, MOST_BINS = 4_096, 1 << 20

StepWeights = Callable[[State], list[float]]
"""For a state the probability of each of its steps."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Share:
    """Part of a space.

    Attributes:
        value: in [0, 1].
        exact: whether every parameter count had a bin of its own. If not, the value is a close estimate.
        without_macs: whether the budget limits multiply-adds, which is left out: the true share is smaller.
    """

    value: float
    exact: bool
    without_macs: bool = False

    def __str__(self) -> str:
        percent = f"{self.value:.3%}" if self.value >= 0.0001 or self.value == 0 else f"1 in {1 / self.value:,.0f}"
        kind = (
            "upper bound; the limit on MACs is ignored" if self.without_macs else "exact" if self.exact else "estimate"
        )
        return f"{percent} ({kind})"


class _Line(NamedTuple):
    """Parameters seen from the nearer end of the space: a step's excess is what it adds to the best possible."""

    from_top: bool
    low: int
    high: int

    def excess(self, choice: Choice, of_state: tuple[int, ...]) -> int:
        return of_state[1] - choice.most_parameters if self.from_top else choice.fewest_parameters - of_state[0]


def share(decisions: Decisions, budget: Budget, weights: StepWeights | None = None) -> Share:
    """The share of all paths that are inside a budget's limits on parameters and memory.

    Args:
        decisions: with at least one path.
        budget: limits on multiply-adds are left out.
        weights: gives each step's probability; all paths are equally likely if left out.
    """
    reach = decisions.reach(decisions.start)
    if reach is None:
        return Share(value=0.0, exact=True)
    least = max(budget.min_parameters or 0, reach.fewest_parameters)
    most = reach.most_parameters
    if budget.max_parameters is not None:
        most = min(budget.max_parameters, most)
    # Counts from `least` to `most` as a stretch of excess, from whichever end it is nearer to.
    bottom = _Line(False, least - reach.fewest_parameters, most - reach.fewest_parameters)
    top = _Line(True, reach.most_parameters - most, reach.most_parameters - least)
    line = min(bottom, top, key=lambda line: line.high)
    without_macs = budget.most(MACS) is not None
    if least > most:
        return Share(value=0.0, exact=True)
    if (least, most) == (reach.fewest_parameters, reach.most_parameters) and budget.most(ACTIVATION_BYTES) is None:
        return Share(value=1.0, exact=True, without_macs=without_macs)
    steps = sum(len(decisions.choices(state)) for state in decisions.states())
    bins = min(max(CELLS // max(steps, 1), FEWEST_BINS), MOST_BINS, line.high + 1)
    width = -(-(line.high + 1) // bins)
    value = _inside(decisions, line, width, budget.most(ACTIVATION_BYTES), weights or uniform(decisions))
    return Share(value=min(value, 1.0), exact=width == 1, without_macs=without_macs)


def uniform(decisions: Decisions) -> StepWeights:
    """Every path is equally likely."""
    paths = count_paths(decisions)
    return lambda state: [paths.get(step.to, 1) / paths[state] for step in decisions.steps(state)]


def _inside(decisions: Decisions, line: _Line, width: int, memory: float | None, weights: StepWeights) -> float:
    """Probability that a path's excess is from `line.low` to `line.high`."""
    import numpy as np

    bins = line.high // width + 2
    waiting: dict[State, Histogram] = {decisions.start: np.ones(1)}
    inside = 0.0
    for state in reversed(list(decisions.states())):
        histogram = waiting.pop(state, None)
        of_state = decisions.reach(state)
        if histogram is None or of_state is None:
            continue
        cumulative = np.concatenate([[0.0], np.cumsum(histogram)])
        moves: dict[tuple[State, int], float] = {}
        for choice, weight in zip(decisions.choices(state), weights(state), strict=True):
            step, excess = choice.step, line.excess(choice, of_state)
            if excess > line.high or (memory is not None and step.activation_bytes > memory):
                continue
            if decisions.is_end(step.to):
                above = _below(cumulative, (line.high - excess) / width + 1)
                inside += weight * (above - _below(cumulative, (line.low - excess) / width))
            else:
                moves[step.to, excess] = moves.get((step.to, excess), 0.0) + weight
        for (to, excess), weight in moves.items():
            waiting[to] = _added(waiting.get(to), histogram, excess / width, weight, bins)
    return inside


def _below(cumulative: Histogram, position: float) -> float:
    """What a histogram has in its bins below a position, a bin that it cuts in proportion."""
    index = min(max(math.floor(position), 0), len(cumulative) - 1)
    part = min(max(position - index, 0.0), 1.0)
    on = cumulative[min(index + 1, len(cumulative) - 1)]
    return float(cumulative[index] + part * (on - cumulative[index]))


def _added(target: Histogram | None, histogram: Histogram, distance: float, weight: float, bins: int) -> Histogram:
    """`target` plus `histogram` moved by `distance` bins; a part of a bin is shared by its two neighbors."""
    import numpy as np

    whole = math.floor(distance)
    part = distance - whole
    size = min(len(histogram) + whole + (part > 0), bins)
    if target is None:
        target = np.zeros(size)
    elif len(target) < size:
        target = np.concatenate([target, np.zeros(size - len(target))])
    for start, share_of in ((whole, 1 - part), (whole + 1, part)):
        if share_of > 0 and start < size:
            end = min(start + len(histogram), size)
            target[start:end] += (weight * share_of) * histogram[: end - start]
    return target
