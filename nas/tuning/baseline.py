"""Another strategy's search at the same training cost, to compare with."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

from pydantic import ValidationError

from nas.errors import NasError
from nas.tuning.plan import Plan

if TYPE_CHECKING:
    from nas.config import ExperimentConfig
    from nas.tuning.search import Search


def baseline_plan(experiment: ExperimentConfig, strategy: str) -> Plan:
    """A search that differs from another one in its strategy; `at_cost_of` says how many trials it has.

    Early stopping, patience, inherited weights and what the other one begins with are left out: they are part of how it
    spends its epochs.

    Raises:
        NasError: there is no such strategy, or its name makes that of the search invalid.
    """
    changed = {"strategy": strategy, "early_stopping": "none", "inherit": False, "time_limit": None}
    changed |= {"patience": None, "start": (), "start_from": ()}
    plan = Plan.of(experiment.model_copy(update=changed))
    name = f"{experiment.name}-{strategy}"
    try:
        named = type(experiment).model_validate(plan.experiment.model_dump() | {"name": name})
    except ValidationError as error:
        raise NasError(
            f"--baseline {strategy} would create the search {name!r}, and that name is not valid "
            f"({error.errors()[0]['msg']}); give a shorter --name"
        ) from None
    return replace(plan, experiment=named)


def at_cost_of(search: Search, plan: Plan) -> Plan:
    """The baseline, trained for as many epochs in all as a finished search."""
    epochs = sum(len(trial.curve) for trial in search.trials)
    trials = max(1, math.ceil(epochs / plan.experiment.training.epochs))
    return replace(plan, experiment=plan.experiment.model_copy(update={"trials": trials}))
