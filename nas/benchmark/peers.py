"""Optuna's samplers and Keras Tuner's oracles on a table, unchanged: what a search without our gate would have tried.

They know no budget and keep state, so that they are no strategies of ours: they live in the benchmark. What they
propose is trained as it is, repeats and networks outside the budget included; both are counted. On a table that has not
every combination the nearest row stands for one that is missing. Hyperband is not among them: it spends epochs, not
trials.
"""

from __future__ import annotations

import math
import random
import warnings
from collections.abc import Callable, Mapping, Sequence
from tempfile import TemporaryDirectory
from typing import Any, final

from nas.architecture import Budget
from nas.benchmark.table import Row
from nas.benchmark.table_space import TableSpace
from nas.strategies import Strategy, Tried, make_strategy

MOST_TRIALS = 1_000_000
"""Keras Tuner wants a limit; the benchmark has its own."""


@final
class KerasTunerPeer(Strategy[Row]):
    """One of Keras Tuner's oracles."""

    def __init__(self, space: TableSpace, budget: Budget, oracle: str) -> None:
        super().__init__(space, budget)
        self.kind = oracle
        self._oracle: Any = None
        self._folder: TemporaryDirectory[str] | None = None
        self._trials: list[Any] = []

    def propose(self, history: Sequence[Tried[Row]], count: int, rng: random.Random) -> list[Row]:
        if self._oracle is None:
            self._start(rng)
        told = len(history)
        for trial, result in zip(self._trials[:told], history, strict=True):
            if trial.status == "RUNNING":
                self._tell(trial, result)
        proposals = []
        for _ in range(count):
            trial = self._oracle.create_trial("bench")
            if trial.status == "STOPPED":
                break
            self._trials.append(trial)
            genes = {name: value for name, value in trial.hyperparameters.values.items() if value}
            proposals.append(self.space.build(genes, rng))
        return proposals

    def _start(self, rng: random.Random) -> None:
        import keras_tuner

        hyperparameters = keras_tuner.HyperParameters()
        for name, values in self.space.genes().items():
            hyperparameters.Choice(name, list(values))
        self._folder = TemporaryDirectory(prefix="nas-bench-")
        # A seed of 0 would be none.
        self._oracle = getattr(keras_tuner.oracles, self.kind)(
            objective=keras_tuner.Objective("val_accuracy", "max"),
            max_trials=MOST_TRIALS,
            hyperparameters=hyperparameters,
            allow_new_entries=False,
            seed=rng.randrange(1, 1 << 31),
            max_consecutive_failed_trials=MOST_TRIALS,
        )
        self._oracle._set_project_dir(self._folder.name, "oracle")
        self._oracle.verbose = 0

    def _tell(self, trial: Any, result: Tried[Row]) -> None:
        if result.completed:
            self._oracle.update_trial(trial.trial_id, {"val_accuracy": result.val_accuracy})
            trial.status = "COMPLETED"
        else:
            # As `max_model_size` does: the trial is used up.
            trial.status = "FAILED"
            trial.message = "over the budget"
        self._oracle.end_trial(trial)


@final
class OptunaPeer(Strategy[Row]):
    """One of Optuna's samplers, by ask and tell; accuracy and log10 of the parameters are its objectives."""

    def __init__(self, space: TableSpace, budget: Budget, sampler: str, options: Mapping[str, Any]) -> None:
        super().__init__(space, budget)
        self.kind, self.options = sampler, options
        self._study: Any = None
        self._trials: list[Any] = []

    def propose(self, history: Sequence[Tried[Row]], count: int, rng: random.Random) -> list[Row]:
        import optuna

        if self._study is None:
            optuna.logging.set_verbosity(optuna.logging.ERROR)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
                sampler = getattr(optuna.samplers, self.kind)(seed=rng.getrandbits(32), **self.options)
            self._study = optuna.create_study(directions=["maximize", "minimize"], sampler=sampler)
        for trial, result in zip(self._trials, history, strict=False):
            self._study.tell(trial, [result.val_accuracy, math.log10(result.parameters)], skip_if_finished=True)
        genes = {
            name: optuna.distributions.CategoricalDistribution(values)
            for name, values in self.space.genes().items()
            if len(values) > 1
        }
        proposals = []
        for _ in range(count):
            trial = self._study.ask(genes)
            self._trials.append(trial)
            proposals.append(self.space.build({name: value for name, value in trial.params.items() if value}, rng))
        return proposals


PEERS: dict[str, Callable[[TableSpace, Budget], Strategy[Row]]] = {
    "keras-tuner-random": lambda space, budget: KerasTunerPeer(space, budget, "RandomSearchOracle"),
    "keras-tuner-bayesian": lambda space, budget: KerasTunerPeer(space, budget, "BayesianOptimizationOracle"),
    "optuna-tpe-ungated": lambda space, budget: OptunaPeer(space, budget, "TPESampler", {"multivariate": True}),
    "optuna-nsga2-ungated": lambda space, budget: OptunaPeer(space, budget, "NSGAIISampler", {"population_size": 20}),
}
"""By the name that the benchmark takes."""


def make_contestant(name: str, space: TableSpace, budget: Budget) -> Strategy[Row]:
    """A strategy of ours or one of the peers.

    Raises:
        StrategyError: there is none of that name.
    """
    return PEERS[name](space, budget) if name in PEERS else make_strategy(name, space, budget)
