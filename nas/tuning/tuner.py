"""Keras Tuner's tuner: each trial trains one architecture."""

from __future__ import annotations

import io
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import keras_tuner
import numpy as np

from nas.config import ExperimentConfig
from nas.errors import NasError
from nas.files import outside
from nas.files.durable import keeping, write_atomically
from nas.results.pareto import pareto_rank
from nas.results.trial import TrialRecord, TrialStatus, seven_figures
from nas.strategies.expectation import KEPT_RANKS
from nas.training import load_weights, save_weights
from nas.training.checkpoint import Checkpoint, Evidence
from nas.training.own import Own
from nas.tuning.execution import (
    LOOK_SECONDS,
    Crashed,
    Epoch,
    Executor,
    Failed,
    Job,
    Outcome,
    Parent,
    Refused,
    Trained,
    may_try_again,
    trial_seed,
)
from nas.tuning.folder import SearchFolder
from nas.tuning.observer import Observer
from nas.tuning.oracle import StrategyOracle, tuner_metrics

logger = logging.getLogger(__name__)


@dataclass
class _Running:
    """A trial in a slot: as it was when it began, and the curves so far, which a failure keeps."""

    trial: Any
    record: TrialRecord
    started: float
    curves: dict[str, tuple[float, ...]]
    tries: int = 1

    def add_epoch(self, event: Epoch) -> None:
        """The values of an epoch; those of a try that begins anew take the place of the one before."""
        for name, value in event.metrics.items():
            self.curves[name] = (*self.curves.get(name, ())[: event.epoch - 1], seven_figures(value))


class ArchitectureTuner(keras_tuner.Tuner):  # type: ignore[misc]
    """Has an executor train what a `StrategyOracle` proposes, and keeps the weights of the front.

    Keras Tuner's own loop runs one trial at a time in its own process. Here one process owns the oracle, keeps every
    slot of the executor busy, and reports back, so that a trial that takes its process down costs only itself.
    """

    def __init__(
        self,
        *,
        oracle: StrategyOracle,
        executor: Executor,
        folder: SearchFolder,
        observers: tuple[Observer, ...],
        experiment: ExperimentConfig,
        should_stop: Callable[[], bool],
        own: Own | bytes | None = None,
    ) -> None:
        self.executor, self.folder, self.observers = executor, folder, observers
        self.experiment, self.should_stop, self.own = experiment, should_stop, own
        self._outcomes: dict[str, Outcome] = {}
        self._running: dict[int, _Running] = {}
        super().__init__(oracle=oracle, directory=str(folder.runs_dir), project_name=folder.name)

    def _populate_initial_space(self) -> None:
        """Nothing: an architecture is one opaque value, so there is no space to explore by building models."""

    def save(self) -> None:
        """Nothing: the oracle's journal has it."""

    def search(self, *fit_args: Any, **fit_kwargs: Any) -> None:
        """Until the oracle has no more trials, or the time is over; then whatever runs stays RUNNING in the journal."""
        self.on_search_begin()
        free = list(range(self.executor.slots))
        try:
            while True:
                while free and self._begin(free[0]):
                    free.pop(0)
                if not self._running or self.should_stop():
                    break
                outcome = self.executor.next_outcome(LOOK_SECONDS, self._on_epoch)
                if outcome is not None and not self._try_again(outcome):
                    self._end(outcome)
                    free.append(outcome.slot)
        finally:
            if self._running:
                self.executor.close()
        self.on_search_end()

    def run_trial(self, trial: Any, *fit_args: Any, **fit_kwargs: Any) -> dict[str, float]:
        """The metrics of a trial that the executor has trained."""
        outcome = self._outcomes[trial.trial_id]
        if not isinstance(outcome, Trained):
            raise keras_tuner.errors.FailedTrialError(outcome.reason)
        return tuner_metrics(outcome.result.metrics, self.experiment.score)

    def on_trial_begin(self, trial: Any) -> None:
        for observer in self.observers:
            observer.on_trial_begin(self.record(trial))

    def on_trial_end(self, trial: Any) -> None:
        """Weights first, then the journal, then the observers: a kill in between loses nothing that is recorded."""
        outcome = self._outcomes.pop(trial.trial_id)
        oracle: StrategyOracle = self.oracle
        record = self._record_of(outcome)
        ranks = pareto_rank([*oracle.records.values(), record], self.experiment.costs)
        near_front = {number for number, rank in ranks.items() if rank < KEPT_RANKS}
        if isinstance(outcome, Trained):
            if outcome.result.checkpoint is not None:
                write_atomically(self.folder.checkpoint(record.number), outcome.result.checkpoint)
            if record.number in near_front:
                write_atomically(self.folder.evidence(record.number), _as_file(outcome.result.evidence))
                save_weights(self.folder.weights(record.number), record.architecture, outcome.result.weights)
        oracle.finish(record)
        super().on_trial_end(trial)
        # A trial that is tried again, or goes on without its checkpoint, starts with its parent's weights once more.
        open_ones = (TrialStatus.RUNNING, TrialStatus.STOPPED)
        wanted = near_front | {other.parent for other in oracle.records.values() if other.status in open_ones}
        with keeping(self.folder.path):
            if record.status is not TrialStatus.STOPPED:
                self.folder.checkpoint(record.number).unlink(missing_ok=True)
            for path in self.folder.weights(0).parent.glob("*.npz"):
                if path.stem.isdigit() and int(path.stem) not in wanted:
                    path.unlink()
                    self.folder.evidence(int(path.stem)).unlink(missing_ok=True)
        for observer in self.observers:
            observer.on_trial_end(record)

    def load_model(self, trial: Any) -> Any:
        """The trained model of a trial on the front, or near it."""
        from nas.training import rebuild

        record = self.record(trial)
        return rebuild(record.architecture, load_weights(self.folder.weights(record.number), record.architecture))

    def record(self, trial: Any) -> TrialRecord:
        """Our record of one of Keras Tuner's trials."""
        oracle: StrategyOracle = self.oracle
        return oracle.records[int(trial.trial_id)]

    def _on_epoch(self, event: Epoch) -> None:
        running = self._running[event.number]
        running.add_epoch(event)
        for observer in self.observers:
            observer.on_epoch(running.record, event.epoch, event.metrics)

    def _begin(self, slot: int) -> bool:
        """Start the next trial in a free slot; False: there is none."""
        trial = self.oracle.create_trial(f"slot{slot}")
        if trial.status != "RUNNING":
            return False
        record = self.record(trial)
        running = self._running[record.number] = _Running(trial, record, time.monotonic(), dict(record.curves))
        self.on_trial_begin(trial)
        self.executor.submit(slot, self._job(running))
        return True

    def _job(self, running: _Running) -> Job:
        oracle: StrategyOracle = self.oracle
        record, parent = running.record, None
        checkpoint = self._checkpoint(record) if record.curve else None
        if checkpoint is None and record.parent is not None:
            parent = self._parent(record.number, record.parent)
            if parent is None:
                running.record = replace(record, parent=None)
        budget = self.experiment.budget
        return Job(
            number=record.number,
            architecture=record.architecture.to_json(),
            training=self.experiment.with_recipe(record.recipe).training,
            score=self.experiment.score.in_training,
            seed=trial_seed(self.experiment.seed, record.number),
            epochs=oracle.early_stopping.target(len(record.curve)),
            checkpoint=checkpoint,
            parent=parent,
            int8=self.experiment.score.trained is not None,
            own=self.own,
            name=f"trial-{record.number}",
            measure={cost: budget.most(cost) for cost in self.experiment.measured if not record.has_cost(cost)},
        )

    def _checkpoint(self, record: TrialRecord) -> bytes | None:
        """What a trial left at its rung; None: it is gone, and nothing is lost but time."""
        path = self.folder.checkpoint(record.number)
        try:
            # Read here, because what a worker logs stays with the worker.
            content = outside.read_bytes(path, NasError, outside.ARRAY)
            checkpoint = Checkpoint.from_bytes(content)
        except NasError as error:
            logger.warning("trial %d starts again, because %s cannot be used: %s", record.number, path, error)
            return None
        if "score" in checkpoint.curves:
            return content
        # Earlier versions wrote the metric's name into it.
        return replace(checkpoint, curves=self.experiment.score.in_training.inner_keys(checkpoint.curves)).to_bytes()

    def _parent(self, child: int, number: int) -> Parent | None:
        """What a trial starts with; None: its parent's weights are gone, and it can do without."""
        oracle: StrategyOracle = self.oracle
        architecture = oracle.records[number].architecture
        try:
            weights = load_weights(self.folder.weights(number), architecture)
        except NasError as error:
            logger.warning(
                "trial %d starts with random weights, because those of trial %d cannot be used: %s",
                child,
                number,
                error,
            )
            return None
        return Parent(architecture=architecture.to_json(), weights=weights)

    def _try_again(self, outcome: Outcome) -> bool:
        running = self._running[outcome.number]
        if not may_try_again(outcome, running.tries):
            return False
        running.tries += 1
        logger.warning("trial %d is tried again: %s", outcome.number, outcome.reason)
        self.executor.submit(outcome.slot, self._job(running))
        return True

    def _end(self, outcome: Outcome) -> None:
        trial = self._running[outcome.number].trial
        self._outcomes[trial.trial_id] = outcome
        if not isinstance(outcome, Trained):
            trial.status, trial.message = "FAILED", outcome.reason
        elif outcome.result.checkpoint is not None:
            trial.status = "STOPPED"
        else:
            self._run_and_update_trial(trial)
            trial.status = "COMPLETED"
        self.on_trial_end(trial)
        del self._running[outcome.number]

    def _record_of(self, outcome: Outcome) -> TrialRecord:
        running = self._running[outcome.number]
        before = running.record
        ended = partial(
            replace,
            before,
            curves=dict(running.curves),
            duration_seconds=round(before.duration_seconds + time.monotonic() - running.started, 3),
        )
        match outcome:
            case Trained(result=result):
                return replace(
                    before,
                    status=TrialStatus.COMPLETED if result.checkpoint is None else TrialStatus.STOPPED,
                    metrics={**before.metrics, **_rounded(result.metrics)},
                    curves={name: tuple(map(seven_figures, values)) for name, values in result.curves.items()},
                    duration_seconds=round(before.duration_seconds + result.duration_seconds, 3),
                )
            case Refused(reason=reason, measured=measured):
                return ended(status=TrialStatus.REFUSED, metrics=_rounded(measured), reason=reason)
            case Failed(reason=reason, log=log) | Crashed(reason=reason, log=log):
                return ended(status=TrialStatus.FAILED, reason=reason, log=log)


def _as_file(array: Evidence) -> bytes:
    file = io.BytesIO()
    np.savez_compressed(file, allow_pickle=False, evidence=array)
    return file.getvalue()


def _rounded(values: Mapping[str, float]) -> dict[str, float]:
    return {name: seven_figures(value) for name, value in values.items()}
