"""Keras Tuner's own oracles on a table, unchanged: what a search without our strategies would have tried.

They know one objective, no budget, and keep state, so that they are no strategies of ours: they live in the benchmark.
What they propose is trained as it is, repeats and networks outside the budget included; both are counted. On a table
that has not every combination the nearest row stands for one that is missing. Hyperband is not among them: it spends
epochs, not trials.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
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


PEERS: dict[str, Callable[[TableSpace, Budget], Strategy[Row]]] = {
    "keras-tuner-random": lambda space, budget: KerasTunerPeer(space, budget, "RandomSearchOracle"),
    "keras-tuner-bayesian": lambda space, budget: KerasTunerPeer(space, budget, "BayesianOptimizationOracle"),
}
"""By the name that the benchmark takes."""


def make_contestant(name: str, space: TableSpace, budget: Budget) -> Strategy[Row]:
    """A strategy of ours or one of the peers.

    Raises:
        StrategyError: there is none of that name.
    """
    return PEERS[name](space, budget) if name in PEERS else make_strategy(name, space, budget)
