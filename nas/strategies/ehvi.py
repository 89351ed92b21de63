"""Learn the score, know the costs: exact expected hypervolume improvement over a Gaussian process."""

from __future__ import annotations

import math
import random
from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, Generic, final

from nas.objectives import DEFAULT_COSTS, PARAMETERS, Cost, log_cost
from nas.results.pareto import BEYOND, ParetoFront, pareto_rank
from nas.space.protocol import AnyCandidate, Genes
from nas.strategies.base import Strategy, register
from nas.strategies.cost_model import CostModel
from nas.strategies.guard import doubt
from nas.strategies.history import History
from nas.strategies.improvement import expected_improvement, non_dominated, stairs
from nas.strategies.learning_curve import Expected, expected
from nas.strategies.proposals import between, fresh, of_interest
from nas.strategies.score_model import Encoder, Fitted, ScoreModel, fit_model
from nas.strategies.starting import START
from nas.strategies.threads import one_thread

if TYPE_CHECKING:
    import numpy as np

    Vector = np.ndarray[Any, np.dtype[np.float64]]

SIZE, SIZES = PARAMETERS.name, 12
REUSE, DOUBLINGS = "macs/parameters", 12
FOLLOWING = {name: tuple(map(str, range(steps + 1))) for name, steps in {SIZE: SIZES, REUSE: DOUBLINGS}.items()}
"""Genes that follow from the others: the logarithm of the parameters, in so many steps of the range of interest, and
how often a network uses each weight for one image, in powers of two. Of two networks of one size, which is better
depends more on that than on most decisions. No decision has such a name."""

MUTANTS, CROSSED, FRESH = 100, 60, 40
"""Candidates: from one network of the front, from two, from anywhere."""

REFINED, BEST = 60, 5
"""Further candidates: neighbors of the best ones so far, and how many those are."""

FIT_AGAIN = 1.2
"""Kernel and noise are fitted again when the number of trials has grown by this factor."""

CONDITION_MOST = 1_000
"""Trials that predictions take into account."""


@final
@register("ehvi")
class EhviStrategy(Strategy[AnyCandidate]):
    """Exact expected hypervolume improvement at the known costs, over a Gaussian process of the score.

    The front to improve is the one at the model's mean, so that one lucky training does not fix it. Running trials
    count as if they had ended as expected. A cost that has to be measured is predicted for candidates; one that
    probably exceeds its limit is worth less.
    """

    learns = True
    _fitted: tuple[object, Fitted] | None = None
    """What was fitted last, and to what."""

    def propose(self, history: History[AnyCandidate], rng: random.Random) -> AnyCandidate | None:
        known = expected(history)
        found = None
        if len(known) >= START:
            if (sizes := doubt(history, self.objectives)) is not None:
                found = between(self, *sizes, history, rng)
            if found is None:
                with one_thread():
                    found, _ = self._best(Outlook(self, known, history), history, rng)
        return fresh(self, history, rng) if found is None else found

    def expected_gain(self, history: History[AnyCandidate], rng: random.Random) -> float | None:
        known = expected(history)
        if len(known) < START:
            return None
        with one_thread():
            return self._best(Outlook(self, known, history), history, rng)[1]

    def fitted(self, known: Sequence[Expected[AnyCandidate]]) -> Fitted:
        """Kernel and noise, fitted to only so many of the first trials that many proposals share them.

        That number follows from the length alone. The last fit is remembered only to save time: after a restart the
        same trials give the same fit.
        """
        first = known[: fit_length(len(known))]
        content = [(trial.architecture.id, trial.score, trial.deviation) for trial in first]
        if self._fitted is None or self._fitted[0] != content:
            observations = observed(self, most_telling(first, self.costs))
            self._fitted = content, fit_model(self.encoder, *observations)
        return self._fitted[1]

    @cached_property
    def encoder(self) -> Encoder:
        """Of the space, and of what follows from it."""
        return Encoder({**self.space.genes(), **FOLLOWING})

    def genes(self, candidate: AnyCandidate) -> Genes:
        """What the model knows of a network: its decisions, and what follows from them."""
        count = candidate.count
        low, high = map(log_cost, self._sizes)
        share = (log_cost(count.parameters) - low) / (high - low or 1.0)
        genes = {**self.space.encode(candidate), SIZE: str(round(SIZES * min(max(share, 0.0), 1.0)))}
        if count.macs:  # not every table has them
            doublings = round(math.log2(count.macs / count.parameters))
            genes[REUSE] = str(min(max(doublings, 0), DOUBLINGS))
        return genes

    @cached_property
    def _sizes(self) -> tuple[float, float]:
        return self.objectives.interest.get(PARAMETERS) or self.space.counts(PARAMETERS)

    def _best(
        self, outlook: Outlook[AnyCandidate], history: History[AnyCandidate], rng: random.Random
    ) -> tuple[AnyCandidate | None, float]:
        """The candidate with the highest expected improvement, and that; None: all were tried."""
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
                *(space.sample(rng, of_interest(self)) for _ in range(FRESH)),
            ]
        )
        best = sorted(values, key=lambda name: -values[name])[:BEST]
        if not best:
            return None, 0.0
        consider([space.mutate(pool[best[number % len(best)]], rng, budget) for number in range(REFINED)])
        chosen = max(values, key=lambda name: values[name])
        return pool[chosen], values[chosen]


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

        self.space, self.budget, self.genes = strategy.space, strategy.budget, strategy.genes
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
        genes, worths, deviations = observed(strategy, trials)
        self.model = ScoreModel(strategy.encoder, genes, worths, deviations, fitted)
        costs = np.array([[log_cost(trial.cost(cost)) for cost in strategy.costs] for trial in trials])
        interest = strategy.objectives.interest
        self.ranges = interest.values()
        self.least = np.array([log_cost(low) for low, _ in interest.values()])
        self.most = np.array([log_cost(high) for _, high in interest.values()]) + 1e-9
        highest = costs.max(axis=0)
        largest = np.array(
            [_largest(cost, *ends, seen) for (cost, ends), seen in zip(interest.items(), highest, strict=True)]
        )
        known = [*(trial.architecture for trial in trials), *running]
        if running:
            self.model.imagine([strategy.genes(found) for found in running])
            costs = np.concatenate([costs, self.cost_model(running)])
        means = self.model.believed
        inside = (costs <= self.most).all(axis=1)
        self.stairs = stairs(np.maximum(costs, self.least)[inside], means[inside], largest=largest)
        observed_front = [trial.architecture for trial in ParetoFront.of(trials, strategy.costs)]
        believed_front = [known[place] for place in non_dominated(costs, means)]
        self.front = list({found.id: found for found in [*observed_front, *believed_front]}.values())

    def improvements(self, candidates: Sequence[AnyCandidate]) -> list[float]:
        """Expected improvement of the hypervolume of each, as `nas.results.pareto.hypervolume` counts it."""
        import numpy as np

        if not candidates:
            return []
        means, deviations = self.model.predict([self.genes(found) for found in candidates])
        costs = self.cost_model(candidates)
        values = expected_improvement(self.stairs, np.maximum(costs, self.least), means, deviations)
        values[(costs > self.most).any(axis=1)] = 0.0  # of no interest
        for cost, most in self.budget.measured.items():
            values *= self.cost_model.is_within(cost, candidates, most)
        # As shares of the box, of which costs of one value are no axis.
        box = math.prod((1 + BEYOND) * (log_cost(high) - log_cost(low)) or 1.0 for low, high in self.ranges)
        return [float(value) / box for value in values]


def _largest(cost: Cost, low: float, high: float, seen: float) -> float:
    """Logarithm of the cost up to which volume counts: `BEYOND` the range of interest.

    The most of a cost other than parameters is often a multiple of what networks inside the budget have: the range
    then ends at twice the highest so far.

    Args:
        cost: which.
        low: of the range of interest.
        high: of the range of interest.
        seen: the logarithm of the highest so far.
    """
    end = log_cost(high) if cost is PARAMETERS else min(log_cost(high), seen + math.log(2))
    # Networks of one size are worth something, too.
    return end + BEYOND * max(end - log_cost(low), 1.0)


def fit_length(known: int) -> int:
    """The number of trials that kernel and noise are fitted to, of so many that are known.

    >>> [fit_length(known) for known in (10, 11, 12, 14, 15, 100)]
    [10, 10, 12, 12, 14, 88]
    """
    length = START
    while length * FIT_AGAIN <= known:
        length = max(length + 1, math.floor(length * FIT_AGAIN))
    return length


def observed(
    strategy: EhviStrategy[AnyCandidate], trials: Sequence[Expected[AnyCandidate]]
) -> tuple[list[Genes], Vector, Vector]:
    """What a model learns from: genes, what scores are worth, and the standard deviations of that."""
    import numpy as np

    objectives = strategy.objectives
    genes = [strategy.genes(trial.architecture) for trial in trials]
    worths = [objectives.worth(trial.score) for trial in trials]
    deviations = [objectives.worth_deviation(trial.score, trial.deviation) for trial in trials]
    return genes, np.array(worths), np.array(deviations)


def most_telling(
    trials: Sequence[Expected[AnyCandidate]], costs: tuple[Cost, ...] = DEFAULT_COSTS
) -> list[Expected[AnyCandidate]]:
    """All trials; first those that a model of limited size should know: alternately one of the best and any other."""
    ranks = pareto_rank(trials, costs)
    best = sorted(trials, key=lambda trial: (ranks[trial.number], trial.number))
    others = random.Random(0).sample(list(trials), len(trials))
    ordered = {trial.number: trial for pair in zip(best, others, strict=True) for trial in pair}
    return list(ordered.values())
