"""A search that begins with given networks: known ones, or those that earlier searches recommend."""

from __future__ import annotations

import random
from collections.abc import Collection, Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple, final

from nas.space.protocol import AnyCandidate, Genes
from nas.strategies.base import Strategy
from nas.strategies.history import History
from nas.strategies.proposals import of_interest, place
from nas.strategies.score_model import Encoder, ScoreModel
from nas.strategies.threads import one_thread

if TYPE_CHECKING:
    from nas.objectives import Objectives

START = 10
"""Trials of all sizes before a model is asked."""

DRAWN = 40
"""Networks of a size, where the climb to the one that earlier searches expect most of begins."""

ROUNDS, CLIMBERS, CHILDREN = 6, 5, 20
"""Of the climb: in each round so many of the best have so many mutations each."""


@final
class StartingWith(Strategy[AnyCandidate]):
    """Another strategy, after some given networks.

    Args:
        strategy: what goes on.
        first: tried before, in this order; those outside the budget are passed over.
        foreign: identifiers of those among them that are not of the space. The strategy is not told of their trials.
    """

    def __init__(
        self, strategy: Strategy[AnyCandidate], first: Sequence[AnyCandidate], foreign: Collection[str] = ()
    ) -> None:
        super().__init__(strategy.space, strategy.budget, strategy.objectives)
        self.strategy, self.first, self.foreign = strategy, first, frozenset(foreign)

    def propose(self, history: History[AnyCandidate], rng: random.Random) -> AnyCandidate | None:
        for found in self.first:
            if found.id not in history.ids and self.budget.admits(found.count):
                return found
        return self.strategy.propose(self._own(history), rng)

    def expected_gain(self, history: History[AnyCandidate], rng: random.Random) -> float | None:
        return self.strategy.expected_gain(self._own(history), rng)

    def _own(self, history: History[AnyCandidate]) -> History[AnyCandidate]:
        return History.of(trial for trial in history.trials if trial.architecture.id not in self.foreign)


class Known(NamedTuple):
    """What an earlier search of the same space found out: genes, and the score of each."""

    objectives: Objectives
    genes: Sequence[Genes]
    scores: Sequence[float]


def recommended(
    strategy: Strategy[AnyCandidate], earlier: Sequence[Known], count: int, rng: random.Random
) -> list[AnyCandidate]:
    """Networks of all sizes of interest, of each size the one that a model of earlier searches expects most of.

    Data, budget and epochs may have been others: only which networks are better than others of their search counts.

    Args:
        strategy: whose space, budget and range of interest.
        earlier: searches with at least two different scores.
        count: of networks.
        rng: the only source of randomness.
    """
    import numpy as np

    standard = []
    for known in earlier:
        worths = np.array([known.objectives.worth(score) for score in known.scores])
        standard.append((worths - worths.mean()) / (worths.std() or 1.0))
    space, budget, chosen = strategy.space, of_interest(strategy), dict[str, AnyCandidate]()
    with one_thread():
        genes = [each for known in earlier for each in known.genes]
        model = ScoreModel(Encoder(space.genes()), genes, np.concatenate(standard))

        def best_first(networks: Iterable[AnyCandidate]) -> list[AnyCandidate]:
            new = list({found.id: found for found in networks if found.id not in chosen}.values())
            means, _ = model.predict([space.encode(found) for found in new]) if new else (np.empty(0), None)
            return [new[index] for index in np.argsort(-means, kind="stable")]

        for number in range(count):
            drawn = [space.sample(rng, budget, quantile=place(number)) for _ in range(DRAWN)]
            # Drawn alone, the best of a size is far from the best that there is: spaces are large.
            within = budget.at_most(max(found.count.parameters for found in drawn))
            best = best_first(drawn)[:CLIMBERS]
            for _ in range(ROUNDS):
                children = [space.mutate(parent, rng, within) for parent in best for _ in range(CHILDREN)]
                best = best_first([*best, *children])[:CLIMBERS]
            if best:
                chosen[best[0].id] = best[0]
    return list(chosen.values())
