"""The score to expect of a network that was trained, if it were trained once more: the front that is believed."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import replace
from statistics import fmean
from typing import TYPE_CHECKING

from nas.objectives import Objectives
from nas.results.trial import TrialRecord
from nas.strategies.ehvi import EhviStrategy, observed
from nas.strategies.history import Proposed, history_of
from nas.strategies.learning_curve import Expected, expected
from nas.strategies.score_model import ScoreModel
from nas.strategies.starting import START
from nas.strategies.threads import one_thread

if TYPE_CHECKING:
    from nas.architecture import Budget
    from nas.space.recipe_space import RecipeSpace

MOST = 1_000
"""Trainings that a model takes into account; time grows with their cube."""

KEPT_RANKS = 3
"""Weights are kept of trials whose rank by what was observed is lower than this: these may come onto the front."""


def with_expectations(
    records: Sequence[TrialRecord],
    space: RecipeSpace,
    budget: Budget,
    objectives: Objectives,
    *,
    kept: Collection[int],
) -> tuple[TrialRecord, ...]:
    """The trials, each completed one with the score to expect of it, which then is its `score`.

    A training is one noisy observation, and a front is made of the lucky ones. All that is known of a network counts:
    its trainings, those of the final stage too, and its neighbors, by the same model that proposes networks. Without
    enough trials for a model, the mean of its trainings is expected of one that the final stage has trained; of others,
    observations stand.

    Args:
        records: of a search, in order of their numbers.
        space: that was searched.
        budget: of the search.
        objectives: of the search.
        kept: numbers of the trials whose weights were kept.
    """
    found = _expectations(records, space, budget, objectives, kept=kept)
    return tuple(
        replace(record, metrics={**record.metrics, "expected_score": found[record.number]})
        if record.number in found
        else record
        for record in records
    )


def _expectations(
    records: Sequence[TrialRecord],
    space: RecipeSpace,
    budget: Budget,
    objectives: Objectives,
    *,
    kept: Collection[int],
) -> dict[int, float]:
    known = [each for each in expected(history_of(records)) if each.architecture in space]
    judged = [record for record in records if record.completed and math.isfinite(record.score)]
    # All that is known of a network without neighbors.
    alone = {
        record.number: fmean([record.score, *(training.val_score for training in record.finals)]) for record in judged
    }
    if len(known) < START:
        if not any(record.finals for record in judged):
            return {}
        found = _without_strangers(dict(alone), judged, objectives, kept)
        return {each.number: found[each.number] for each in judged if each.finals or found[each.number] < each.score}
    own = {trial.number for trial in known}
    again = [
        Expected(Proposed(record), training.val_score)
        for record in judged
        if record.number in own
        for training in record.finals
    ]
    strategy = EhviStrategy(space, budget, objectives)
    with one_thread():
        # The most telling ones first: full trainings, then those of the final stage.
        seen = [*known, *again][:MOST]
        model = ScoreModel(strategy.encoder, *observed(strategy, seen), strategy.fitted(known))
        of_space = [record for record in judged if record.number in own]
        means, _ = model.predict([strategy.genes(Proposed(record).architecture) for record in of_space])
    found = {record.number: objectives.score_worth(float(mean)) for record, mean in zip(of_space, means, strict=True)}
    return _without_strangers(alone | found, judged, objectives, kept)


def _without_strangers(
    found: dict[int, float], judged: Sequence[TrialRecord], objectives: Objectives, kept: Collection[int]
) -> dict[int, float]:
    """A trial without weights is below each cheaper one that has some: what the front shows can be exported."""
    for record in judged:
        if record.number not in kept:
            cheaper = [
                found[other.number]
                for other in judged
                if other.number in kept and all(other.cost(cost) <= record.cost(cost) for cost in objectives.costs)
            ]
            if cheaper:
                found[record.number] = min(found[record.number], math.nextafter(max(cheaper), 0.0))
    return found
