"""Keras Tuner's oracle over one of our strategies, with our journal as its only state."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import keras_tuner

from nas.architecture import Architecture
from nas.objectives import Score
from nas.results.trial import TrialRecord, TrialStatus
from nas.space.recipe_space import Proposal
from nas.strategies import History, Strategy, history_of
from nas.strategies.early_stopping import EarlyStopping
from nas.strategies.guard import is_out_of_patience
from nas.tuning.journal import Journal
from nas.tuning.plan import random_numbers

logger = logging.getLogger(__name__)

ARCHITECTURE = "architecture"
"""Name of the only hyperparameter value: the proposal's JSON, which is the architecture's without a recipe."""

FindParent = Callable[[Architecture, Iterable[TrialRecord]], int | None]
"""Of an architecture that is about to be trained: the trial whose weights it starts with, if any."""

FAILURES = 5
"""Trials in a row that may fail before the search stops: then it is not the architectures."""

REFUSALS = 50
"""Trials in a row that may be refused before the search stops: then hardly any network is inside the limit."""


class StrategyOracle(keras_tuner.Oracle):  # type: ignore[misc]
    """Asks a strategy what to try, and keeps every trial in a journal.

    Keras Tuner rewrites `oracle.json` and `trial.json` at every event, and a kill at the wrong moment leaves them
    unreadable. Here nothing is rewritten: a line is appended before a trial runs and when it has ended.
    """

    def __init__(
        self,
        *,
        strategy: Strategy[Proposal],
        early_stopping: EarlyStopping,
        journal: Journal,
        max_trials: int,
        seed: int,
        should_stop: Callable[[], bool] = lambda: False,
        find_parent: FindParent | None = None,
        patience: int | None = None,
    ) -> None:
        super().__init__(
            objective=keras_tuner.Objective(journal.score.objective, "max"),
            max_trials=max_trials,
            # 0 would mean "random" to Keras Tuner; our own randomness does not come from here.
            seed=seed + 1,
            max_retries_per_trial=0,
            # Stopping after failures is the search's decision, with a reason.
            max_consecutive_failed_trials=10**9,
        )
        self.verbose = 0
        self.strategy, self.early_stopping = strategy, early_stopping
        self.journal, self.search_seed = journal, seed
        self.should_stop, self.find_parent, self.patience = should_stop, find_parent, patience
        self.note = ""
        self.records: dict[int, TrialRecord] = {}
        self._ids: dict[int, str] = {}
        self._ended: list[TrialRecord] = []
        known = journal.read()
        self.exhausted = known.exhausted
        for record in known.trials:
            self._restore(record)

    def populate_space(self, trial_id: str) -> dict[str, Any]:
        """The next proposal."""
        if self._ends() or self.exhausted:
            return {"status": "STOPPED"}
        if is_out_of_patience(self.history, self.strategy.objectives, self.patience):
            return {"status": "STOPPED"}
        rng = random_numbers(self.search_seed, int(trial_id))
        proposal = self.strategy.propose(self.history, rng)
        if proposal is None:
            self.journal.exhaust()
            self.exhausted = True
            return {"status": "STOPPED"}
        return {"status": "RUNNING", "values": {ARCHITECTURE: proposal.to_json()}}

    @property
    def history(self) -> History[Proposal]:
        """Every trial so far."""
        return history_of(self.records.values())

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
            self._ids[number] = trial.trial_id
            if number not in self.records:
                proposal = Proposal.from_json(trial.hyperparameters.values[ARCHITECTURE])
                architecture, recipe = proposal.architecture, proposal.recipe
                parent = None if self.find_parent is None else self.find_parent(architecture, self.records.values())
                self.journal.start(number, architecture, parent, recipe)
                self.records[number] = TrialRecord(
                    number=number, architecture=architecture, status=TrialStatus.RUNNING, parent=parent, recipe=recipe
                )
        return trial

    def _promote(self, *, more: bool) -> bool:
        """Have a trial that stopped at a rung go on next, if one shall."""
        if (note := self.early_stopping.note(self.history)) and not self.note:
            logger.warning(note)
        self.note = note
        number = self.early_stopping.promote(self.history, more=more)
        if number is None:
            return False
        self.journal.resume(number)
        self.records[number] = replace(self.records[number], status=TrialStatus.RUNNING)
        self._retry_queue.append(self._ids[number])
        return True

    def finish(self, record: TrialRecord) -> None:
        """Keep the outcome of a trial; call it before Keras Tuner's `end_trial`."""
        self.journal.end(record)
        self._keep(record)
        self._ended.append(record)

    def _keep(self, record: TrialRecord) -> None:
        self.records[record.number] = record
        if record.status is TrialStatus.REFUSED:
            # The user asked for that many trainings.
            self.max_trials += 1

    @property
    def failure(self) -> str:
        """Why it makes no sense to go on, in a sentence; "" if it does.

        Trials of an earlier run do not count: what was wrong then may have been mended.
        """
        ended = self._ended
        if _all_are(ended[-FAILURES:], FAILURES, TrialStatus.FAILED):
            return (
                f"{FAILURES} trials in a row failed, the last with: {ended[-1].reason.rstrip('.')}; fix that and run "
                "the same command again: everything that finished is kept"
            )
        if _all_are(ended[-REFUSALS:], REFUSALS, TrialStatus.REFUSED):
            return (
                f"{REFUSALS} networks in a row were refused, the last with: {ended[-1].reason}; raise the limit, or "
                "offer cheaper networks in the space, in a search of another name"
            )
        return ""

    def _ends(self) -> bool:
        return self.should_stop() or bool(self.failure)

    def save(self) -> None:
        """Nothing: the journal has it."""

    def reload(self) -> None:
        """Nothing: the constructor has read the journal."""

    def _save_trial(self, trial: Any) -> None:
        """Nothing: the journal has it."""

    def _compute_values_hash(self, values: dict[str, Any]) -> str:
        return Proposal.from_json(values[ARCHITECTURE]).id

    def _restore(self, record: TrialRecord) -> None:
        """Take a trial from the journal; one that did not end runs again."""
        self._keep(record)
        trial_id = self._ids[record.number] = str(record.number)
        hyperparameters = self.hyperparameters.copy()
        hyperparameters.values = {ARCHITECTURE: Proposal(record.architecture, record.recipe).to_json()}
        # Keras Tuner has no status for a refused trial.
        status = TrialStatus.FAILED if record.status is TrialStatus.REFUSED else record.status
        trial = keras_tuner.engine.trial.Trial(hyperparameters=hyperparameters, trial_id=trial_id, status=status.value)
        self.trials[trial_id] = trial
        self.start_order.append(trial_id)
        self._record_values(trial)
        if record.status is TrialStatus.RUNNING:
            # The queue is read from its end: the oldest trial goes first.
            self._retry_queue.insert(0, trial_id)
            return
        self.end_order.append(trial_id)
        if record.completed:
            self.update_trial(trial_id, tuner_metrics(record.metrics, self.journal.score))
            self.score_trial(trial)


def tuner_metrics(metrics: Mapping[str, float], score: Score) -> dict[str, float]:
    """What Keras Tuner is told of a trial, of a search just begun or resumed."""
    return score.spelled_keys({name: metrics[name] for name in ("val_score", "val_loss")})


def _all_are(records: Sequence[TrialRecord], count: int, status: TrialStatus) -> bool:
    return len(records) == count and all(record.status is status for record in records)
