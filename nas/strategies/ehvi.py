"""Learn accuracy, know the costs: exact expected hypervolume improvement over a Gaussian process."""

from __future__ import annotations

import math
import random
from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, Generic, final

from nas.objectives import LATENCY, PARAMETERS, log_cost
from nas.results.pareto import ParetoFront, pareto_rank
from nas.results.trial import TrialStatus
from nas.space.protocol import AnyCandidate, Genes, Space
from nas.strategies.accuracy_model import AccuracyModel, Encoder, Fitted, fit_model
from nas.strategies.base import Strategy, Tried, register
from nas.strategies.cost_model import CostModel
from nas.strategies.improvement import Worth, expected_improvement, non_dominated, stairs
from nas.strategies.learning_curve import Expected, expected
from nas.strategies.proposals import collect
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
"""Kernel, noise and warping are fitted again when there are this many times as many trials as the last time."""

CONDITION_MOST = 1_000
"""Trials that predictions take into account."""

REFERENCE = 0.1
"""Quantile of the observed accuracies that is worth nothing."""

BEYOND = 0.1
"""By how much of the range of log-costs volume goes on beyond the highest cost. Were it to end there, the largest
networks, often the most accurate ones, would add nothing (Ishibuchi et al., 2018: How to specify a reference point in
hypervolume calculation for fair performance comparison)."""

KNOTS = 49
"""Accuracies from there to 1 between which the warping is taken to be linear when improvements are computed."""


@final
@register("ehvi")
class EhviStrategy(Strategy[AnyCandidate]):
    """Exact expected hypervolume improvement at the known costs, over a Gaussian process of accuracy.

    The front that is to be improved is the one at the model's mean, so that one lucky training does not fix it. Running
    trials count as if they had ended as expected. Latency is known of measured networks and predicted for candidates;
    what will probably exceed its limit is worth less.
    """

    _fitted: tuple[object, Fitted] | None = None
    """What was fitted last, and to what."""

    def propose(self, history: Sequence[Tried[AnyCandidate]], count: int, rng: random.Random) -> list[AnyCandidate]:
        known = expected(history)
        if len(known) < START or count < 1:
            return collect(self.space, self.budget, history, count, rng)
        with one_thread():
            return self._modelled(known, history, count, rng)

    def _modelled(
        self,
        known: Sequence[Expected[AnyCandidate]],
        history: Sequence[Tried[AnyCandidate]],
        count: int,
        rng: random.Random,
    ) -> list[AnyCandidate]:
        known_numbers = {trial.number for trial in known}
        running = [
            trial.architecture
            for trial in history
            if trial.status is TrialStatus.RUNNING and trial.number not in known_numbers
        ]
        measured = []
        if LATENCY in self.costs or self.budget.max_latency_ms is not None:
            measured = [
                (trial.architecture, trial.cost(LATENCY))
                for trial in history
                if trial.number in known_numbers or trial.status is TrialStatus.REFUSED
            ]
        outlook = Outlook(self, known, running, measured)

        def idea(proposals: Sequence[AnyCandidate], seen: set[str]) -> AnyCandidate | None:
            if proposals:
                outlook.imagine([proposals[-1]])
            return self._best(outlook, seen, rng)

        return collect(self.space, self.budget, history, count, rng, idea)

    def fitted(self, known: Sequence[Expected[AnyCandidate]]) -> Fitted:
        """Kernel, noise and warping, fitted to so many of the first of these trials that many proposals share them.

        How many follows from the length alone, and what was fitted is remembered only to save time: after a restart
        the same trials give the same again.
        """
        first = known[: fit_length(len(known))]
        content = [(trial.architecture.id, trial.val_accuracy, trial.deviation) for trial in first]
        if self._fitted is None or self._fitted[0] != content:
            observations = observed(self.space, most_telling(first, self.costs))
            self._fitted = content, fit_model(self.encoder, *observations)
        return self._fitted[1]

    @cached_property
    def encoder(self) -> Encoder:
        """Of the space."""
        return Encoder(self.space.genes())

    def _best(self, outlook: Outlook[AnyCandidate], seen: set[str], rng: random.Random) -> AnyCandidate | None:
        """The candidate with the highest expected improvement; None: all are known."""
        space, budget = self.space, self.budget
        values: dict[str, float] = {}
        pool: dict[str, AnyCandidate] = {}

        def consider(candidates: Iterable[AnyCandidate]) -> None:
            new = {found.id: found for found in candidates if found.id not in seen and found.id not in pool}
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
    """The model after all that is known, and the front that it believes in."""

    def __init__(
        self,
        strategy: EhviStrategy[AnyCandidate],
        trials: Sequence[Expected[AnyCandidate]],
        running: Sequence[AnyCandidate],
        measured: Sequence[tuple[AnyCandidate, float]] = (),
    ) -> None:
        import numpy as np

        self.space, self.budget = strategy.space, strategy.budget
        self.cost_model = CostModel(self.space, strategy.encoder, strategy.costs, measured)
        fitted = strategy.fitted(trials)
        trials = most_telling(trials, strategy.costs)[:CONDITION_MOST]
        self.known = [trial.architecture for trial in trials]
        genes, accuracies, deviations = observed(self.space, trials)
        self.model = AccuracyModel(strategy.encoder, genes, accuracies, deviations, fitted)
        gained = np.linspace(np.quantile(accuracies, REFERENCE), 1.0, KNOTS)
        self.worth = Worth(self.model.warping(gained), gained)
        self.costs = np.array([[log_cost(trial.cost(name)) for name in strategy.costs] for trial in trials])
        seen = zip(strategy.costs, self.costs.T, strict=True)
        self.largest = np.array([self._largest(name, column) for name, column in seen])
        front = [trial.architecture for trial in ParetoFront.of(trials, strategy.costs)]
        self.imagine(running)
        believed = self._believed(self.model.believed)
        self.front = list({found.id: found for found in [*front, *believed]}.values())

    def imagine(self, candidates: Sequence[AnyCandidate]) -> None:
        """Go on as if these had been trained and were as good as expected."""
        import numpy as np

        if candidates:
            self.model.imagine([self.space.encode(found) for found in candidates])
            self.known = [*self.known, *candidates]
            self.costs = np.concatenate([self.costs, self.cost_model(candidates)])
        self.stairs = stairs(
            self.costs, self.model.believed, largest=self.largest, reference=float(self.worth.knots[0])
        )

    def improvements(self, candidates: Sequence[AnyCandidate]) -> list[float]:
        """Expected hypervolume improvement of each, over log-costs and accuracy."""
        if not candidates:
            return []
        means, deviations = self.model.predict([self.space.encode(found) for found in candidates])
        values = expected_improvement(self.stairs, self.cost_model(candidates), means, deviations, self.worth)
        if self.budget.max_latency_ms is not None:
            values *= self.cost_model.is_fast(candidates, self.budget.max_latency_ms)
        return [float(value) for value in values]

    def _believed(self, means: Vector) -> Iterable[AnyCandidate]:
        """The front at the model's means."""
        return (self.known[place] for place in non_dominated(self.costs, means))

    def _largest(self, name: str, seen: Vector) -> float:
        """Logarithm of the cost up to which volume counts: a little more than the highest there may be.

        Of parameters that is the budget or the largest network. Of other costs nobody knows what networks inside the
        whole budget have, so that it is twice what the dearest one so far had, as long as the limit allows. The
        range is taken to be a factor of e at least: networks of one size are worth something, too.
        """
        limit = log_cost(getattr(self.budget, f"max_{name}") or math.inf)
        if name in PARAMETERS:
            low, high = log_cost(self.space.fewest_parameters), log_cost(self.space.most_parameters)
        else:
            low, high = float(seen.min()), float(seen.max()) + math.log(2)
        high = min(high, limit)
        return high + BEYOND * max(high - low, 1.0)


def fit_length(known: int) -> int:
    """How many of so many trials kernel, noise and warping are fitted to.

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
    """What a model learns from: genes, accuracies, their standard deviations."""
    import numpy as np

    genes = [space.encode(trial.architecture) for trial in trials]
    accuracies = np.array([trial.val_accuracy for trial in trials])
    return genes, accuracies, np.array([trial.deviation for trial in trials])


def most_telling(
    trials: Sequence[Expected[AnyCandidate]], costs: tuple[str, ...] = PARAMETERS
) -> list[Expected[AnyCandidate]]:
    """All trials; first those that a model of limited size should know: in turn one of the best and any other."""
    ranks = pareto_rank(trials, costs)
    best = sorted(trials, key=lambda trial: (ranks[trial.number], trial.number))
    others = random.Random(0).sample(list(trials), len(trials))
    ordered = {trial.number: trial for pair in zip(best, others, strict=True) for trial in pair}
    return list(ordered.values())
