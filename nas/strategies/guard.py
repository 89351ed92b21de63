"""Where a search has to look although its model sees no reason to."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

from nas.objectives import PARAMETERS, Objectives, log_cost
from nas.results.pareto import ParetoFront, hypervolume
from nas.strategies.history import History

GAP = 0.25
"""Share of the range of sizes that may lie between two neighboring networks that were trained in full."""

ATTEMPTS = 3
"""Trials inside such a gap, whatever became of them, after which it is left alone."""

FAR = 0.1
"""Share of the range of sizes by which the front may end below its upper end."""

LATELY = 20
"""Trials among which something must have happened: a gain, or a network larger than the front's largest."""

GAIN = 0.001
"""Of hypervolume, the least that is worth naming."""

EVERY = 4
"""One trial in so many is spent on a doubt."""


def is_out_of_patience(history: History[Any], objectives: Objectives, patience: int | None) -> bool:
    """Whether so many trials that have ended, the last ones, gained nothing worth naming; never without patience."""
    if patience is None:
        return False
    # Refused networks were not trained, and running trials may still gain something.
    ended = [*history.completed, *history.stopped, *history.failed]
    last = sorted(trial.number for trial in ended)[-patience:]
    if len(ended) <= patience:
        return False
    before = [trial for trial in history.completed if trial.number < last[0]]
    return hypervolume(history.completed, objectives) - hypervolume(before, objectives) < GAIN


def doubt(history: History[Any], objectives: Objectives) -> tuple[float, float] | None:
    """Between which numbers of parameters to look now; None: anywhere, the model may choose.

    * No network of some sizes was trained in full: nothing is known there.
    * The front ends far below the budget, and nothing larger was tried lately.
    * Nothing was gained lately: the search goes in circles.
    """
    if PARAMETERS not in objectives.interest:
        return None
    low, high = objectives.interest[PARAMETERS]
    width = log_cost(high) - log_cost(low)
    if width <= 0:
        return None
    full = [trial for trial in history.completed if math.isfinite(trial.score)]
    running = [trial.cost(PARAMETERS) for trial in history.running]
    sizes = [min(max(size, low), high) for size in (*(trial.cost(PARAMETERS) for trial in full), *running)]
    for below, above in pairwise(sorted([low, *sizes, high])):
        tried = sum(below < trial.cost(PARAMETERS) < above for trial in history.trials)
        if log_cost(above) - log_cost(below) > GAP * width and tried < ATTEMPTS:
            return below, above
    if len(history) % EVERY or len(full) <= LATELY:
        return None
    end = max((point.cost(PARAMETERS) for point in ParetoFront.of(full, objectives.costs)), default=low)
    if log_cost(high) - log_cost(end) > FAR * width:
        lately = [trial.cost(PARAMETERS) for trial in history.trials[-LATELY:]]
        if sum(size > end for size in lately) < LATELY // EVERY:
            return end, high
    if hypervolume(full, objectives) - hypervolume(full[:-LATELY], objectives) < GAIN:
        return low, high
    return None
