"""Optuna's samplers and Keras Tuner's oracles on a table, unchanged: what a search without our gate would have tried.

They have no gate and keep state, so they are no strategies for a search and live in the benchmark. Their proposals are
trained as they are, repeats and networks outside the budget included; both are counted. Where a table lacks a
combination, the nearest row stands in for it.
"""

from __future__ import annotations

import math
import random
import warnings
from collections.abc import Callable, Mapping
from functools import partial
from tempfile import TemporaryDirectory
from typing import Any, final

from nas.architecture import Budget
from nas.benchmark.table import Row
from nas.benchmark.table_space import TableSpace
from nas.objectives import Objectives
from nas.results.trial import TrialStatus
from nas.strategies import History, Strategy, make_strategy
from nas.strategies.early_stopping import EarlyStopping

MOST_TRIALS = 1_000_000
"""Keras Tuner needs a limit; the benchmark has its own."""


@final
class KerasTunerOracle:
    """One of Keras Tuner's oracles over a table's genes, in a folder of its own.

    Args:
        kind: its class in `keras_tuner.oracles`.
        options: of that class, beside those that all have.
    """

    def __init__(self, space: TableSpace, kind: str, rng: random.Random, options: Mapping[str, Any]) -> None:
        from nas.devices import import_tensorflow

        import_tensorflow()
        import keras_tuner

        self.space = space
        hyperparameters = keras_tuner.HyperParameters()
        for name, values in space.genes().items():
            hyperparameters.Choice(name, list(values))
        self._folder = TemporaryDirectory(prefix="nas-bench-")
        self._oracle = getattr(keras_tuner.oracles, kind)(
            objective=keras_tuner.Objective("score", "max"),
            hyperparameters=hyperparameters,
            allow_new_entries=False,
            # A seed of 0 would be none.
            seed=rng.randrange(1, 1 << 31),
            max_consecutive_failed_trials=MOST_TRIALS,
            **options,
        )
        self._oracle._set_project_dir(self._folder.name, "oracle")
        self._oracle.verbose = 0

    def ask(self) -> Any:
        """The next `keras_tuner` trial; None: there are no more."""
        trial = self._oracle.create_trial("bench")
        return None if trial.status == "STOPPED" else trial

    def row(self, trial: Any, rng: random.Random) -> Row:
        """The network that a trial is about."""
        values = trial.hyperparameters.values
        return self.space.build({name: values[name] for name in self.space.genes() if values[name]}, rng)

    def tell(self, trial: Any, score: float | None) -> None:
        """The score of a trial; None: it was outside the budget."""
        if score is not None:
            self._oracle.update_trial(trial.trial_id, {"score": score})
            trial.status = "COMPLETED"
        else:
            # As `max_model_size` does: the trial is used up.
            trial.status = "FAILED"
            trial.message = "over the budget"
        self._oracle.end_trial(trial)


@final
class KerasTunerPeer(Strategy[Row]):
    """An oracle of Keras Tuner that trains everything in full."""

    def __init__(self, space: TableSpace, budget: Budget, objectives: Objectives, *, oracle: str) -> None:
        super().__init__(space, budget, objectives)
        self.table_space, self.kind = space, oracle
        self._oracle: KerasTunerOracle | None = None
        self._trials: list[Any] = []

    def propose(self, history: History[Row], rng: random.Random) -> Row | None:
        if self._oracle is None:
            self._oracle = KerasTunerOracle(self.table_space, self.kind, rng, {"max_trials": MOST_TRIALS})
        for trial, result in zip(self._trials, history.trials, strict=False):
            if trial.status == "RUNNING":
                self._oracle.tell(trial, result.score if result.completed else None)
        if (asked := self._oracle.ask()) is None:
            return None
        self._trials.append(asked)
        return self._oracle.row(asked, rng)


@final
class Hyperband(Strategy[Row]):
    """Keras Tuner's Hyperband: it decides what is tried and for how many epochs.

    To Keras Tuner, a later round is a new trial; here the first one goes on, as its tuner carries the weights over.
    """

    def __init__(self, space: TableSpace, budget: Budget, objectives: Objectives) -> None:
        super().__init__(space, budget, objectives)
        self.table_space = space
        self.rungs = HyperbandRungs(self, space.table.epochs)
        self.target = 0
        self._oracle: KerasTunerOracle | None = None
        self._asked: Any = None
        self._number_of: dict[str, int] = {}

    def propose(self, history: History[Row], rng: random.Random) -> Row | None:
        if self._oracle is None:
            options = {"max_epochs": self.rungs.epochs, "hyperband_iterations": MOST_TRIALS}
            self._oracle = KerasTunerOracle(self.table_space, "HyperbandOracle", rng, options)
            self._ask(self._oracle, history)
        return None if self._asked is None else self._oracle.row(self._asked, rng)

    def next_round(self, history: History[Row]) -> int | None:
        """The number of the trial that goes on; None: a new one is to come, or nothing."""
        if self._oracle is None or self._asked is None:
            return None
        result = history.trials[self._number_of[self._asked.trial_id]]
        began = self._asked.hyperparameters.values["tuner/initial_epoch"]
        failed = result.status is TrialStatus.FAILED
        self._oracle.tell(self._asked, None if failed else max(result.curve[began : self.target]))
        number = self._ask(self._oracle, history)
        return number if number < len(history) else None

    def _ask(self, oracle: KerasTunerOracle, history: History[Row]) -> int:
        """The number of the next trial, which may be a new one."""
        self._asked = oracle.ask()
        number = len(history)
        if self._asked is not None:
            values = self._asked.hyperparameters.values
            self.target = values["tuner/epochs"]
            number = self._number_of.get(values.get("tuner/trial_id", ""), number)
            self._number_of[self._asked.trial_id] = number
        return number


@final
class HyperbandRungs(EarlyStopping):
    """Hyperband's rounds as early stopping."""

    def __init__(self, peer: Hyperband, epochs: int) -> None:
        super().__init__(epochs, peer.objectives)
        self.peer = peer

    @property
    def rungs(self) -> tuple[int, ...]:
        return (self.peer.target,)

    def promote(self, history: History[Any], *, more: bool) -> int | None:
        return self.peer.next_round(history)

    def target(self, trained: int) -> int:
        return self.peer.target


@final
class OptunaPeer(Strategy[Row]):
    """One of Optuna's samplers, by ask and tell; the score and log10 of the parameters are its objectives.

    It is told the limit in Optuna's way: as a constraint that each trial reports.
    """

    def __init__(
        self, space: TableSpace, budget: Budget, objectives: Objectives, *, sampler: str, options: Mapping[str, Any]
    ) -> None:
        super().__init__(space, budget, objectives)
        self.kind, self.options = sampler, options
        self._study: Any = None
        self._trials: list[Any] = []

    def propose(self, history: History[Row], rng: random.Random) -> Row | None:
        import optuna

        if self._study is None:
            optuna.logging.set_verbosity(optuna.logging.ERROR)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
                sampler = getattr(optuna.samplers, self.kind)(seed=rng.getrandbits(32), **self.options)
            self._study = optuna.create_study(directions=["maximize", "minimize"], sampler=sampler)
        for trial, result in zip(self._trials, history.trials, strict=False):
            self._study.tell(
                trial,
                [self.objectives.worth(result.score), math.log10(result.architecture.parameters)],
                skip_if_finished=True,
            )
        genes = {
            name: optuna.distributions.CategoricalDistribution(values)
            for name, values in self.space.genes().items()
            if len(values) > 1
        }
        asked = self._study.ask(genes)
        self._trials.append(asked)
        row = self.space.build({name: value for name, value in asked.params.items() if value}, rng)
        if (most := self.budget.max_parameters) is not None:
            asked.set_constraint("parameters", math.log10(row.parameters / most))
        return row


PEERS: dict[str, Callable[[TableSpace, Budget, Objectives], Strategy[Row]]] = {
    "keras-tuner-random": partial(KerasTunerPeer, oracle="RandomSearchOracle"),
    "keras-tuner-bayesian": partial(KerasTunerPeer, oracle="BayesianOptimizationOracle"),
    "optuna-tpe-ungated": partial(OptunaPeer, sampler="TPESampler", options={"multivariate": True}),
    "optuna-nsga2-ungated": partial(OptunaPeer, sampler="NSGAIISampler", options={"population_size": 20}),
}
"""By the name that the benchmark takes."""


PEERS_THAT_STOP = {"keras-tuner-hyperband": "hyperband"}
"""Peers with early stopping of their own, by the name that the benchmark takes; and the name of that."""


def make_contestant(
    name: str, space: TableSpace, budget: Budget, objectives: Objectives
) -> tuple[Strategy[Row], EarlyStopping | None]:
    """A strategy of ours or one of the peers, and its own early stopping if it has one.

    Raises:
        StrategyError: there is none of that name.
        TableError: a peer needs the score after each epoch, and the table does not have it.
    """
    if name in PEERS_THAT_STOP:
        peer = Hyperband(space, budget, objectives)
        return peer, peer.rungs
    make = PEERS.get(name) or partial(make_strategy, name)
    return make(space, budget, objectives), None
