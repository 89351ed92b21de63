"""Keras Tuner's tuner: each trial trains one architecture."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import keras_tuner

from nas.config import TrainingConfig
from nas.datasets import DatasetSpec
from nas.errors import NasError
from nas.pareto import ParetoFront
from nas.training import Devices, TrainingResult, TrainingStoppedError, save_weights, train
from nas.trial import TrialRecord, TrialStatus
from nas.tuning.folder import SearchFolder
from nas.tuning.oracle import StrategyOracle

logger = logging.getLogger(__name__)


class Observer(Protocol):
    """Who watches a search, such as a progress line."""

    def on_trial_begin(self, record: TrialRecord) -> None:
        """A trial starts."""

    def on_epoch(self, record: TrialRecord, epoch: int, metrics: dict[str, float]) -> None:
        """A trial has finished an epoch, from 1."""

    def on_trial_end(self, record: TrialRecord) -> None:
        """A trial has ended and is kept."""


@dataclass(frozen=True, kw_only=True)
class Trainer:
    """How trials are trained: everything about a trial but its architecture."""

    data: DatasetSpec
    training: TrainingConfig
    devices: Devices
    seed: int
    should_stop: Callable[[], bool]


class ArchitectureTuner(keras_tuner.Tuner):  # type: ignore[misc]
    """Trains what a `StrategyOracle` proposes, and keeps the weights of the front."""

    def __init__(
        self, *, oracle: StrategyOracle, trainer: Trainer, folder: SearchFolder, observers: tuple[Observer, ...]
    ) -> None:
        self.trainer, self.folder, self.observers = trainer, folder, observers
        self._results: dict[str, TrainingResult] = {}
        self._errors: dict[str, str] = {}
        self._started = 0.0
        super().__init__(oracle=oracle, directory=str(folder.runs_dir), project_name=folder.name)

    def _populate_initial_space(self) -> None:
        """Nothing: an architecture is one opaque value, so there is no space to explore by building models."""

    def save(self) -> None:
        """Nothing: the oracle's journal has it."""

    def run_trial(self, trial: Any, *fit_args: Any, **fit_kwargs: Any) -> dict[str, float]:
        """Train one architecture; the values of its best epoch."""
        record = self.record(trial)
        trainer = self.trainer
        try:
            result = train(
                record.architecture,
                trainer.data,
                trainer.training,
                seed=trial_seed(trainer.seed, record.number),
                devices=trainer.devices,
                on_epoch=lambda epoch, metrics: self._tell("on_epoch", record, epoch, dict(metrics)),
                should_stop=trainer.should_stop,
            )
        except TrainingStoppedError:
            # The search is ending, and the trial with it: it stays RUNNING in the journal and runs again next time.
            raise keras_tuner.errors.FatalError("stopped") from None
        except NasError as error:
            self._errors[trial.trial_id] = str(error)
            raise
        except Exception as error:
            self._errors[trial.trial_id] = f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
            logger.exception("trial %d failed", record.number)
            raise
        self._results[trial.trial_id] = result
        return {"val_accuracy": result.metrics["val_accuracy"], "val_loss": result.metrics["val_loss"]}

    def on_trial_begin(self, trial: Any) -> None:
        self._started = time.monotonic()
        self._tell("on_trial_begin", self.record(trial))

    def on_trial_end(self, trial: Any) -> None:
        """Weights first, then the journal, then whoever watches: a kill in between loses nothing that is recorded."""
        record = self._outcome(trial)
        oracle: StrategyOracle = self.oracle
        result = self._results.pop(trial.trial_id, None)
        others = [other for other in oracle.records.values() if other.number != record.number]
        front = ParetoFront.of([*others, record])
        on_front = {point.number for point in front}
        if result is not None and record.number in on_front:
            save_weights(self.folder.weights(record.number), record.architecture, result.weights)
        oracle.finish(record)
        super().on_trial_end(trial)
        for path in self.folder.weights(0).parent.glob("*.npz"):
            if path.stem.isdigit() and int(path.stem) not in on_front:
                path.unlink()
        self._tell("on_trial_end", record)

    def load_model(self, trial: Any) -> Any:
        """The trained model of a trial on the front."""
        from nas.training import load_weights, rebuild

        record = self.record(trial)
        return rebuild(record.architecture, load_weights(self.folder.weights(record.number), record.architecture))

    def record(self, trial: Any) -> TrialRecord:
        """Our record of one of Keras Tuner's trials."""
        oracle: StrategyOracle = self.oracle
        return oracle.records[int(trial.trial_id)]

    def _outcome(self, trial: Any) -> TrialRecord:
        running = self.record(trial)
        result = self._results.get(trial.trial_id)
        if result is None:
            reason = self._errors.pop(trial.trial_id, "") or (trial.message or "unknown").strip().splitlines()[-1]
            return TrialRecord(
                number=running.number,
                architecture=running.architecture,
                status=TrialStatus.FAILED,
                duration_seconds=time.monotonic() - self._started,
                reason=reason,
            )
        return TrialRecord(
            number=running.number,
            architecture=running.architecture,
            status=TrialStatus.COMPLETED,
            metrics=result.metrics,
            curves=result.curves,
            duration_seconds=result.duration_seconds,
        )

    def _tell(self, event: str, *arguments: Any) -> None:
        for observer in self.observers:
            getattr(observer, event)(*arguments)


def trial_seed(search_seed: int, number: int) -> int:
    """Of a trial's weights and order: trial 17 can be repeated without trials 0 to 16."""
    return (search_seed * 1_000_003 + number * 7_919 + 1) % 2**31


def weights_of(folder: SearchFolder, record: TrialRecord) -> Path:
    """File of a trial's weights.

    Raises:
        NasError: they were not kept.
    """
    path = folder.weights(record.number)
    if path.is_file():
        return path
    kept = ", ".join(str(point.number) for point in ParetoFront.of(folder.trials()))
    raise NasError(
        f"the weights of trial {record.number} were not kept: only trials on the front keep them; choose one of {kept}"
    )
