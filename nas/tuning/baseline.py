"""Another strategy's search at the same training cost, to compare with."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from nas.tuning.plan import Plan

if TYPE_CHECKING:
    from nas.tuning.search import Search


def baseline_plan(search: Search, strategy: str) -> Plan:
    """A search with everything of a finished one but its strategy, trained for as many epochs in all.

    Early stopping and inherited weights are left out: they are a part of how the finished one spent its epochs.

    Raises:
        NasError: there is no such strategy.
    """
    experiment = search.experiment
    epochs = sum(len(trial.curve) for trial in search.trials)
    changed = {
        "name": f"{experiment.name}-{strategy}",
        "strategy": strategy,
        "early_stopping": "none",
        "inherit": False,
        "trials": max(1, math.ceil(epochs / experiment.training.epochs)),
        "time_limit": None,
    }
    return Plan.of(type(experiment).model_validate(experiment.model_dump() | changed))
