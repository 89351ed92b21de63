"""Keras Tuner's oracle over one of our strategies, with our journal as its only state."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import keras_tuner

from nas.architecture import Architecture
from nas.strategies import Strategy
from nas.strategies.early_stopping import EarlyStopping
from nas.trial import TrialRecord, TrialStatus
from nas.tuning.journal import Journal

ARCHITECTURE = "architecture"
"""Name of the only hyperparameter value: the architecture's JSON."""

FindParent = Callable[[Architecture, Iterable[TrialRecord]], int | None]
"""Of an architecture that is about to be trained: the trial whose weights it starts with, if any."""

FAILURES = 5
"""Trials in a row that may fail before the search stops: then it is not the architectures."""


class StrategyOracle(keras_tuner.Oracle):  # type: ignore[misc]
    """Asks a strategy what to try, and keeps every trial in a journal.

    Keras Tuner rewrites `oracle.json` and `trial.json` at every event, and a kill at the wrong moment leaves them
    unreadable. Here nothing is rewritten: a line is appended before a trial runs and when it has ended.
    """

    def __init__(
        self,
        *,
        strategy: Strategy[Architecture],
        early_stopping: EarlyStopping,
        journal: Journal,
        max_trials: int,
        seed: int,
        should_stop: Callable[[], bool] = lambda: False,
        find_parent: FindParent | None = None,
    ) -> None:
        super().__init__(
            objective=keras_tuner.Objective("val_accuracy", "max"),
            max_trials=max_trials,
            # 0 would mean "random" to Keras Tuner; our own randomness does not come from here.
            seed=seed + 1,
            max_retries_per_trial=0,
            # Stopping after failures is the search's decision, with a reason.
            max_consecutive_failed_trials=max_trials + 1,
        )
        self.verbose = 0
        self.strategy, self.early_stopping = strategy, early_stopping
        self.journal, self.search_seed = journal, seed
        self.should_stop, self.find_parent = should_stop, find_parent
        self.exhausted = False
        self.records: dict[int, TrialRecord] = {}
        for record in journal.read():
            self._restore(record)

    def populate_space(self, trial_id: str) -> dict[str, Any]:
        """The next proposal; a trial's random numbers depend on the seed and its number alone."""
        if self._ends():
            return {"status": "STOPPED"}
        number = int(trial_id)
        rng = random.Random(f"{self.search_seed}/{number}")
        proposals = self.strategy.propose(list(self.records.values()), 1, rng)
        if not proposals:
            self.exhausted = True
            return {"status": "STOPPED"}
        return {"status": "RUNNING", "values": {ARCHITECTURE: proposals[0].to_json()}}

    @keras_tuner.synchronized  # type: ignore[untyped-decorator]
    def create_trial(self, tuner_id: str) -> Any:
        if self._ends():
            self._retry_queue.clear()
        elif not self._retry_queue:
            self._promote(more=not self.exhausted and len(self.records) < self.max_trials)
        trial = super().create_trial(tuner_id)
        if trial.status != "RUNNING" and self.exhausted and not self._ends() and self._promote(more=False):
            trial = super().create_trial(tuner_id)
        if trial.status == "RUNNING":
            number = int(trial.trial_id)
            if number not in self.records:
                architecture = Architecture.from_json(trial.hyperparameters.values[ARCHITECTURE])
                parent = None if self.find_parent is None else self.find_parent(architecture, self.records.values())
                self.journal.start(number, architecture, parent)
                self.records[number] = TrialRecord(
                    number=number, architecture=architecture, status=TrialStatus.RUNNING, parent=parent
                )
        return trial

    def _promote(self, *, more: bool) -> bool:
        """Have a trial that stopped at a rung go on next, if one shall."""
        number = self.early_stopping.promote(list(self.records.values()), more=more)
        if number is None:
            return False
        self.journal.resume(number)
        self.records[number] = replace(self.records[number], status=TrialStatus.RUNNING)
        self._retry_queue.append(self._trial_id(number))
        return True

    def finish(self, record: TrialRecord) -> None:
        """Keep the outcome of a trial; call it before Keras Tuner's `end_trial`."""
        self.journal.end(record)
        self.records[record.number] = record

    @property
    def failure(self) -> str:
        """Why the last trial failed, if that many in a row did; "" else."""
        ended = [record for record in self.records.values() if record.status is not TrialStatus.RUNNING]
        last = ended[-FAILURES:]
        failed = len(last) == FAILURES and all(record.status is TrialStatus.FAILED for record in last)
        return last[-1].reason if failed else ""

    def _trial_id(self, number: int) -> str:
        """As Keras Tuner writes it."""
        return f"{number:0{len(str(self.max_trials))}d}"

    def _ends(self) -> bool:
        return self.should_stop() or bool(self.failure)

    def save(self) -> None:
        """Nothing: the journal has it."""

    def reload(self) -> None:
        """Nothing: the constructor has read the journal."""

    def _save_trial(self, trial: Any) -> None:
        """Nothing: the journal has it."""

    def _compute_values_hash(self, values: dict[str, Any]) -> str:
        return Architecture.from_json(values[ARCHITECTURE]).id

    def _restore(self, record: TrialRecord) -> None:
        """Take a trial from the journal; one that did not end runs again."""
        self.records[record.number] = record
        trial_id = self._trial_id(record.number)
        hyperparameters = self.hyperparameters.copy()
        hyperparameters.values = {ARCHITECTURE: record.architecture.to_json()}
        trial = keras_tuner.engine.trial.Trial(
            hyperparameters=hyperparameters, trial_id=trial_id, status=record.status.value
        )
        self.trials[trial_id] = trial
        self.start_order.append(trial_id)
        self._record_values(trial)
        if record.status is TrialStatus.RUNNING:
            # The queue is read from its end: the oldest trial goes first.
            self._retry_queue.insert(0, trial_id)
            return
        self.end_order.append(trial_id)
        if record.completed:
            for name, value in record.metrics.items():
                trial.metrics.register(name, direction="min" if "loss" in name else "max")
                trial.metrics.update(name, value, step=0)
            self.score_trial(trial)
