"""Which decisions matter: a model of the score is asked what each would change, everything else being equal.

A partial dependence (Friedman, 2001: Greedy function approximation) of a Gaussian process, of which the difference of
two means over the same networks has an exact distribution. The size of a network is one of the model's genes and stays
what it is: a decision that only makes networks larger has no effect here. How often weights are used is not, because
that is how strides and pooling act.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nas.results.effects import Effect
from nas.space.encoding import as_written, replaced
from nas.strategies.ehvi import FOLLOWING, SIZE, EhviStrategy, observed
from nas.strategies.history import History
from nas.strategies.learning_curve import expected
from nas.strategies.score_model import Encoder, ScoreModel
from nas.strategies.starting import START
from nas.strategies.threads import one_thread

if TYPE_CHECKING:
    from nas.space.protocol import AnyCandidate, Genes

MOST = 200
"""Trainings that are looked at; time grows with their square."""


def effects(strategy: EhviStrategy[AnyCandidate], history: History[AnyCandidate]) -> list[Effect]:
    """Of each decision with a choice, the largest first; none while there are too few trials for a model.

    Args:
        strategy: whose space, objectives and model.
        history: of a search.
    """
    known = expected(history)[-MOST:]
    if len(known) < START:
        return []
    with one_thread():
        genes, worths, deviations = observed(strategy, known)
        encoder = Encoder({**strategy.space.genes(), SIZE: FOLLOWING[SIZE]})
        model = ScoreModel(encoder, genes, worths, deviations)
        found = [
            effect
            for name, values in strategy.space.genes().items()
            if (effect := _effect(model, strategy, genes, name, [value for value in values if value])) is not None
        ]
    return sorted(found, key=lambda effect: -effect.gain)


def _effect(
    model: ScoreModel, strategy: EhviStrategy[AnyCandidate], genes: list[Genes], name: str, values: list[str]
) -> Effect | None:
    """None: no trial has two values to compare."""
    having = [each for each in genes if name in each]
    tried = [value for value in values if any(each[name] == value for each in having)]
    if len(tried) < 2:
        return None
    changed = {value: [replaced(each, name, value) for each in having] for value in tried}
    means = {value: float(model.predict(networks)[0].mean()) for value, networks in changed.items()}
    best, worst = max(tried, key=means.__getitem__), min(tried, key=means.__getitem__)
    difference, deviation = model.difference(changed[best], changed[worst])
    middle, score_worth = (means[best] + means[worst]) / 2, strategy.objectives.score_worth

    def points(worth: float) -> float:
        return score_worth(middle + worth / 2) - score_worth(middle - worth / 2)

    return Effect(
        decision=name,
        best=as_written(best),
        worst=as_written(worst),
        gain=points(difference),
        deviation=points(deviation),
    )
