"""Optuna's samplers behind the same budget gate: peers to compare with, or to search with. Needs the extra `peers`.

Every call makes a new study from the history, through Optuna's public interface, so these strategies keep no state
either. A proposal outside the budget, or a repeated one, is told to the sampler at once and never trained; then the
sampler is asked again. Genes are independent categorical parameters; one that a network does not have is "".
"""

from __future__ import annotations

import random
import warnings
from abc import abstractmethod
from collections.abc import Sequence
from functools import cached_property
from importlib.util import find_spec
from typing import TYPE_CHECKING, Literal, final

from nas.architecture import Budget
from nas.objectives import Objectives, log_cost
from nas.space.protocol import AnyCandidate, Genes, Space
from nas.strategies.base import Strategy, StrategyError, register
from nas.strategies.history import History
from nas.strategies.learning_curve import expected
from nas.strategies.proposals import fresh

if TYPE_CHECKING:
    import optuna

ASKS = 30
"""Useless proposals in a row before a neighbor of the last one is taken."""

POPULATION = 20
"""Of NSGA-II; Optuna's default of 50 learns too slowly for a hundred trials."""

Values = tuple[float, ...]
"""The score, which is maximized, and the logarithm of each cost, which is minimized."""


class OptunaStrategy(Strategy[AnyCandidate]):
    """One of Optuna's samplers over a space."""

    def __init__(self, space: Space[AnyCandidate], budget: Budget, objectives: Objectives) -> None:
        if find_spec("optuna") is None:
            raise StrategyError(
                f"the strategy {self.name!r} needs the extra `peers`; run: pip install 'keras-nas[peers]'"
            )
        super().__init__(space, budget, objectives)

    @abstractmethod
    def study(self, trials: Sequence[tuple[Genes, Values]], seed: int) -> optuna.Study:
        """A study of the strategy's sampler that knows these trials."""

    @property
    def directions(self) -> list[Literal["maximize", "minimize"]]:
        """Of `Values`."""
        minimize: Literal["minimize"] = "minimize"
        return ["maximize", *(minimize for _ in self.costs)]

    @cached_property
    def distributions(self) -> dict[str, optuna.distributions.CategoricalDistribution]:
        """What may be chosen for each gene that is a choice."""
        import optuna

        choices = {name: values for name, values in self.space.genes().items() if len(values) > 1}
        return {name: optuna.distributions.CategoricalDistribution(values) for name, values in choices.items()}

    def trial(self, genes: Genes, values: Values | None = None) -> optuna.trial.FrozenTrial:
        """A trial as if Optuna had proposed it; it runs until there are values."""
        import optuna

        states = optuna.trial.TrialState
        return optuna.trial.create_trial(
            state=states.RUNNING if values is None else states.COMPLETE,
            params={name: genes.get(name, "") for name in self.distributions},
            distributions=dict(self.distributions),
            values=values,
        )

    @final
    def propose(self, history: History[AnyCandidate], rng: random.Random) -> AnyCandidate | None:
        import optuna

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        space, budget = self.space, self.budget
        known = expected(history)
        told: dict[str, Values] = {
            trial.architecture.id: (
                self.objectives.worth(trial.score),
                *(log_cost(trial.cost(cost)) for cost in self.costs),
            )
            for trial in known
        }
        trials = [(space.encode(trial.architecture), told[trial.architecture.id]) for trial in known]
        study = self.study(trials, rng.getrandbits(32))
        for _ in range(ASKS):
            trial = study.ask(dict(self.distributions))
            found = space.build({name: value for name, value in trial.params.items() if value}, rng)
            inside = budget.admits(found.count)
            if inside and found.id not in history.ids:
                return found
            if inside and found.id in told:
                study.tell(trial, told[found.id])
            else:
                study.tell(trial, state=optuna.trial.TrialState.FAIL)
        near = space.mutate(space.build(space.encode(found), rng, budget), rng, budget)
        return fresh(self, history, rng) if near.id in history.ids else near


@final
@register("optuna-tpe")
class OptunaTpeStrategy(OptunaStrategy[AnyCandidate]):
    """Optuna's multivariate TPE (needs the extra `peers`)."""

    def study(self, trials: Sequence[tuple[Genes, Values]], seed: int) -> optuna.Study:
        import optuna

        with warnings.catch_warnings():
            # `multivariate` is marked experimental.
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            sampler = optuna.samplers.TPESampler(multivariate=True, seed=seed)
        made = optuna.create_study(directions=self.directions, sampler=sampler)
        made.add_trials([self.trial(*trial) for trial in trials])
        return made


@final
@register("optuna-nsga2")
class OptunaNsga2Strategy(OptunaStrategy[AnyCandidate]):
    """Optuna's NSGA-II with a population of 20 (needs the extra `peers`)."""

    def study(self, trials: Sequence[tuple[Genes, Values]], seed: int) -> optuna.Study:
        import optuna

        sampler = optuna.samplers.NSGAIISampler(population_size=POPULATION, seed=seed)
        made = optuna.create_study(directions=self.directions, sampler=sampler)
        for number, (genes, values) in enumerate(trials):
            made.add_trial(self.trial(genes))
            # The sampler numbers the generations as if it had proposed the trial itself.
            sampler.get_trial_generation(made, made.get_trials(deepcopy=False)[number])
            made.tell(number, values)
        return made
