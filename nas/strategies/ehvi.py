"""Learn the score, know the costs: exact expected hypervolume improvement over a Gaussian process."""

from __future__ import annotations

import math
import random
from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, Generic, final

from nas.objectives import DEFAULT_COSTS, PARAMETERS, Cost, log_cost
from nas.results.pareto import ParetoFront, pareto_rank
from nas.space.protocol import AnyCandidate, Genes, Space
from nas.strategies.base import Strategy, register
from nas.strategies.cost_model import CostModel
from nas.strategies.history import History
from nas.strategies.improvement import Worth, expected_improvement, non_dominated, stairs
from nas.strategies.learning_curve import Expected, expected
from nas.strategies.proposals import fresh
from nas.strategies.score_model import Encoder, Fitted, ScoreModel, fit_model
from nas.strategies.threads import one_thread

if TYPE_CHECKING:
    import numpy as np

    Vector = np.ndarray[Any, np.dtype[np.float64]]

START = 10
"""Trials of all sizes before the model is asked."""

MUTANTS, CROSSED, FRESH = 100, 60, 40
"""Candidates: from one network of the front, from two, from anywhere."""

REFINED, BEST = 60, 5
"""Further candidates: neighbors of the best ones so far, and how many those are."""

FIT_AGAIN = 1.2
"""Kernel, noise and warping are fitted again when the number of trials has grown by this factor."""

CONDITION_MOST = 1_000
"""Trials that predictions take into account."""

REFERENCE = 0.1
"""Quantile of the observed scores that is worth nothing."""

BEYOND = 0.1
"""Share of the range of log-costs by which volume goes on beyond the highest cost. If it ended there, the largest
networks, often the best ones, would add nothing (Ishibuchi et al., 2018: How to specify a reference point in
hypervolume calculation for fair performance comparison)."""

KNOTS = 49
"""Scores from that quantile to 1; between them the warping counts as linear when improvements are computed."""


@final
@register("ehvi")
class EhviStrategy(Strategy[AnyCandidate]):
    """Exact expected hypervolume improvement at the known costs, over a Gaussian process of the score.

    The front to improve is the one at the model's mean, so that one lucky training does not fix it. Running trials
    count as if they had ended as expected. A cost that has to be measured is predicted for candidates; one that
    probably exceeds its limit is worth less.
    """

    _fitted: tuple[object, Fitted] | None = None
    """What was fitted last, and to what."""

    def propose(self, history: History[AnyCandidate], rng: random.Random) -> AnyCandidate | None:
        known = expected(history)
        found = None
        if len(known) >= START:
            with one_thread():
                found = self._best(Outlook(self, known, history), history, rng)
        return fresh(self.space, self.budget, history, rng) if found is None else found

    def fitted(self, known: Sequence[Expected[AnyCandidate]]) -> Fitted:
        """Kernel, noise and warping, fitted to only so many of the first trials that many proposals share them.

        That number follows from the length alone. The last fit is remembered only to save time: after a restart the
        same trials give the same fit.
        """
        first = known[: fit_length(len(known))]
        content = [(trial.architecture.id, trial.score, trial.deviation) for trial in first]
        if self._fitted is None or self._fitted[0] != content:
            observations = observed(self.space, most_telling(first, self.costs))
            self._fitted = content, fit_model(self.encoder, *observations)
        return self._fitted[1]

    @cached_property
    def encoder(self) -> Encoder:
        """Of the space."""
        return Encoder(self.space.genes())

    def _best(
        self, outlook: Outlook[AnyCandidate], history: History[AnyCandidate], rng: random.Random
    ) -> AnyCandidate | None:
        """The candidate with the highest expected improvement; None: all were tried."""
        space, budget = self.space, self.budget
        values: dict[str, float] = {}
        pool: dict[str, AnyCandidate] = {}

        def consider(candidates: Iterable[AnyCandidate]) -> None:
            new = {found.id: found for found in candidates if found.id not in history.ids and found.id not in pool}
            pool.update(new)
            values.update(zip(new, outlook.improvements(list(new.values())), strict=True))

        def child() -> AnyCandidate:
            found = space.cross(rng.choice(parents), rng.choice(parents), rng, budget)
            return space.mutate(found, rng, budget) if rng.random() < 0.5 else found

        parents = outlook.front
        consider(
            [
                *(space.mutate(parents[number % len(parents)], rng, budget) for number in range(MUTANTS)),
                *(child() for _ in range(CROSSED)),
                *(space.sample(rng, budget) for _ in range(FRESH)),
            ]
        )
        best = sorted(values, key=lambda name: -values[name])[:BEST]
        if not best:
            return None
        consider([space.mutate(pool[best[number % len(best)]], rng, budget) for number in range(REFINED)])
        return pool[max(values, key=lambda name: values[name])]


@final
class Outlook(Generic[AnyCandidate]):
    """The model after all that is known, and the front that it believes in.

    Args:
        strategy: whose space, budget and costs.
        trials: with a score, known or expected.
        history: all trials. Running ones without an epoch count as if they had ended and were as good as the model
            expects; of refused ones, what was measured is known.
    """

    def __init__(
        self,
        strategy: EhviStrategy[AnyCandidate],
        trials: Sequence[Expected[AnyCandidate]],
        history: History[AnyCandidate],
    ) -> None:
        import numpy as np

        self.space, self.budget = strategy.space, strategy.budget
        numbers = {trial.number for trial in trials}
        running = [trial.architecture for trial in history.running if trial.number not in numbers]
        numbers.update(trial.number for trial in history.refused)
        measured = {
            cost: [
                (trial.architecture, trial.cost(cost))
                for trial in history.trials
                if trial.number in numbers and trial.has_cost(cost)
            ]
            for cost in (*strategy.costs, *self.budget.measured)
            if cost.measured
        }
        self.cost_model = CostModel(self.space, strategy.encoder, strategy.costs, measured)
        fitted = strategy.fitted(trials)
        trials = most_telling(trials, strategy.costs)[:CONDITION_MOST]
        genes, scores, deviations = observed(self.space, trials)
        self.model = ScoreModel(strategy.encoder, genes, scores, deviations, fitted)
        gained = np.linspace(np.quantile(scores, REFERENCE), 1.0, KNOTS)
        self.worth = Worth(self.model.warping(gained), gained)
        costs = np.array([[log_cost(trial.cost(cost)) for cost in strategy.costs] for trial in trials])
        largest = np.array([self._largest(cost, seen) for cost, seen in zip(strategy.costs, costs.T, strict=True)])
        known = [*(trial.architecture for trial in trials), *running]
        if running:
            self.model.imagine([self.space.encode(found) for found in running])
            costs = np.concatenate([costs, self.cost_model(running)])
        means = self.model.believed
        self.stairs = stairs(costs, means, largest=largest, reference=float(self.worth.knots[0]))
        observed_front = [trial.architecture for trial in ParetoFront.of(trials, strategy.costs)]
        believed_front = [known[place] for place in non_dominated(costs, means)]
        self.front = list({found.id: found for found in [*observed_front, *believed_front]}.values())

    def improvements(self, candidates: Sequence[AnyCandidate]) -> list[float]:
        """Expected hypervolume improvement of each, over log-costs and score."""
        if not candidates:
            return []
        means, deviations = self.model.predict([self.space.encode(found) for found in candidates])
        values = expected_improvement(self.stairs, self.cost_model(candidates), means, deviations, self.worth)
        for cost, most in self.budget.measured.items():
            values *= self.cost_model.is_within(cost, candidates, most)
        return [float(value) for value in values]

    def _largest(self, cost: Cost, seen: Vector) -> float:
        """Logarithm of the cost up to which volume counts: a little more than the highest there may be.

        Of parameters that is the budget or the largest network. Of another cost the highest inside the budget is
        unknown, so it is twice the highest so far, if the limit allows that. The range is at least a factor of e:
        networks of one size are worth something, too.
        """
        limit = log_cost(self.budget.most(cost) or math.inf)
        if cost is PARAMETERS:
            low, high = log_cost(self.space.fewest_parameters), log_cost(self.space.most_parameters)
        else:
            low, high = float(seen.min()), float(seen.max()) + math.log(2)
        high = min(high, limit)
        return high + BEYOND * max(high - low, 1.0)


def fit_length(known: int) -> int:
    """The number of trials that kernel, noise and warping are fitted to, of so many that are known.

    >>> [fit_length(known) for known in (10, 11, 12, 14, 15, 100)]
    [10, 10, 12, 12, 14, 88]
    """
    length = START
    while length * FIT_AGAIN <= known:
        length = max(length + 1, math.floor(length * FIT_AGAIN))
    return length


def observed(
    space: Space[AnyCandidate], trials: Sequence[Expected[AnyCandidate]]
) -> tuple[list[Genes], Vector, Vector]:
    """What a model learns from: genes, scores, their standard deviations."""
    import numpy as np

    genes = [space.encode(trial.architecture) for trial in trials]
    scores = np.array([trial.score for trial in trials])
    return genes, scores, np.array([trial.deviation for trial in trials])


def most_telling(
    trials: Sequence[Expected[AnyCandidate]], costs: tuple[Cost, ...] = DEFAULT_COSTS
) -> list[Expected[AnyCandidate]]:
    """All trials; first those that a model of limited size should know: alternately one of the best and any other."""
    ranks = pareto_rank(trials, costs)
    best = sorted(trials, key=lambda trial: (ranks[trial.number], trial.number))
    others = random.Random(0).sample(list(trials), len(trials))
    ordered = {trial.number: trial for pair in zip(best, others, strict=True) for trial in pair}
    return list(ordered.values())
