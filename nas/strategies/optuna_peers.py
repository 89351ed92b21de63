"""Optuna's samplers behind the same budget gate: peers to compare with, or to search with. Needs the extra `peers`.

Every call makes a new study from the history, through Optuna's public interface, so these strategies keep no state
either. A proposal outside the budget, or a repeated one, is told to the sampler at once and never trained; then the
sampler is asked again. Genes are independent categorical parameters; one that a network does not have is "".
"""

from __future__ import annotations

import random
import warnings
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING, Generic, Literal, final

from nas.architecture import Budget
from nas.objectives import DEFAULT_COSTS, Cost, log_cost
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


@final
@register("optuna-tpe")
class OptunaTpeStrategy(Strategy[AnyCandidate]):
    """Optuna's multivariate TPE (needs the extra `peers`)."""

    def __init__(self, space: Space[AnyCandidate], budget: Budget, costs: tuple[Cost, ...] = DEFAULT_COSTS) -> None:
        _need_optuna(self.name)
        super().__init__(space, budget, costs)

    def propose(self, history: History[AnyCandidate], rng: random.Random) -> AnyCandidate | None:
        import optuna

        optuna.logging.set_verbosity(optuna.logging.ERROR)

        def study(trials: Sequence[tuple[Genes, Values]]) -> optuna.Study:
            with warnings.catch_warnings():
                # `multivariate` is marked experimental.
                warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
                sampler = optuna.samplers.TPESampler(multivariate=True, seed=rng.getrandbits(32))
            made = optuna.create_study(directions=peer.directions, sampler=sampler)
            made.add_trials([peer.trial(*trial) for trial in trials])
            return made

        peer = _Peer(self)
        return peer.propose(history, rng, study)


@final
@register("optuna-nsga2")
class OptunaNsga2Strategy(Strategy[AnyCandidate]):
    """Optuna's NSGA-II with a population of 20 (needs the extra `peers`)."""

    def __init__(self, space: Space[AnyCandidate], budget: Budget, costs: tuple[Cost, ...] = DEFAULT_COSTS) -> None:
        _need_optuna(self.name)
        super().__init__(space, budget, costs)

    def propose(self, history: History[AnyCandidate], rng: random.Random) -> AnyCandidate | None:
        import optuna

        optuna.logging.set_verbosity(optuna.logging.ERROR)

        def study(trials: Sequence[tuple[Genes, Values]]) -> optuna.Study:
            sampler = optuna.samplers.NSGAIISampler(population_size=POPULATION, seed=rng.getrandbits(32))
            made = optuna.create_study(directions=peer.directions, sampler=sampler)
            for number, (genes, values) in enumerate(trials):
                made.add_trial(peer.trial(genes))
                # The sampler numbers the generations as if it had proposed the trial itself.
                sampler.get_trial_generation(made, made.get_trials(deepcopy=False)[number])
                made.tell(number, values)
            return made

        peer = _Peer(self)
        return peer.propose(history, rng, study)


@final
class _Peer(Generic[AnyCandidate]):
    """A space as Optuna sees it."""

    def __init__(self, strategy: Strategy[AnyCandidate]) -> None:
        import optuna

        self.space, self.budget, self.costs = strategy.space, strategy.budget, strategy.costs
        minimize: Literal["minimize"] = "minimize"
        self.directions: list[Literal["maximize", "minimize"]] = ["maximize", *(minimize for _ in self.costs)]
        choices = {name: values for name, values in self.space.genes().items() if len(values) > 1}
        self.distributions = {
            name: optuna.distributions.CategoricalDistribution(values) for name, values in choices.items()
        }

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

    def propose(
        self,
        history: History[AnyCandidate],
        rng: random.Random,
        study_of: Callable[[Sequence[tuple[Genes, Values]]], optuna.Study],
    ) -> AnyCandidate | None:
        import optuna

        space, budget = self.space, self.budget
        known = expected(history)
        told: dict[str, Values] = {
            trial.architecture.id: (trial.score, *(log_cost(trial.cost(cost)) for cost in self.costs))
            for trial in known
        }
        study = study_of([(space.encode(trial.architecture), told[trial.architecture.id]) for trial in known])
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
        return fresh(space, budget, history, rng) if near.id in history.ids else near


def _need_optuna(name: str) -> None:
    if find_spec("optuna") is None:
        raise StrategyError(f"the strategy {name!r} needs the extra `peers`; run: pip install 'keras-nas[peers]'")
