"""What a training gives, and how it is kept while it runs: the curves and the weights of the best epoch."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from nas.errors import NasError
from nas.training.checkpoint import Checkpoint, Evidence, State
from nas.training.model import Weights

OnEpoch = Callable[[int, dict[str, float]], None]
"""Receives the epoch, from 1, and its values as `EpochHistory` takes them; may raise to end training."""

ShouldStop = Callable[[], bool]
"""True ends the training with an error."""

_CURVES = ("score", "loss", "val_score", "val_loss")


class TrainingDivergedError(NasError):
    """The loss became infinite or not a number: an outcome of the trial, not a fault of the program."""

    def __init__(self, epoch: int) -> None:
        super().__init__(epoch)
        self.epoch = epoch

    def __str__(self) -> str:
        return f"Training diverged in epoch {self.epoch}; the loss is no finite number. Lower training.learning_rate."


class MetricError(NasError):
    """A metric of the user's own that has no number."""


class TrainingStoppedError(NasError):
    """The caller's `should_stop` ended the training."""

    def __init__(self, epoch: int) -> None:
        super().__init__(epoch)
        self.epoch = epoch

    def __str__(self) -> str:
        return f"Training was stopped in epoch {self.epoch}; the trial has no result."


@dataclass(frozen=True, kw_only=True)
class TrainingResult:
    """What a training gave.

    Attributes:
        metrics: `score`, `val_score` in [0, 1], `loss`, `val_loss`, and the user's own metrics with and without
            `val_`, of the best epoch: the highest val_score, then the lowest val_loss, then the first.
        curves: the same, one value an epoch.
        weights: of the best epoch, in the order of `keras.Model.get_weights()`, in host memory.
        best_epoch: from 1.
        epochs: that were trained.
        evidence: of the task, on the validation images, of the best epoch: a row an image.
        checkpoint: to go on with, if the training was left before its end; else None.
        duration_seconds: build, training and validation.
    """

    metrics: Mapping[str, float]
    curves: Mapping[str, tuple[float, ...]]
    weights: Weights
    best_epoch: int
    epochs: int
    duration_seconds: float
    evidence: Evidence = field(default_factory=lambda: np.zeros(0, np.float32))
    checkpoint: bytes | None = None


class EpochHistory:
    """The epochs so far. Raises to end a training that diverged or that the caller stops."""

    def __init__(self, on_epoch: OnEpoch | None = None, should_stop: ShouldStop | None = None) -> None:
        self.curves: dict[str, list[float]] = {name: [] for name in _CURVES}
        self.weights: Weights = []
        self.evidence: Evidence = np.zeros(0, np.float32)
        self.best_epoch = 0
        self._best = (-1.0, 0.0)
        self._on_epoch, self._should_stop = on_epoch, should_stop

    @property
    def epochs(self) -> int:
        """That have ended."""
        return len(self.curves["loss"])

    @property
    def epoch(self) -> int:
        """The one that is being trained, from 1."""
        return self.epochs + 1

    def restore(self, checkpoint: Checkpoint) -> None:
        """Begin after the epochs of a checkpoint."""
        self.curves = {name: list(values) for name, values in checkpoint.curves.items()}
        self.weights, self.best_epoch = checkpoint.weights, checkpoint.best_epoch
        self.evidence = checkpoint.evidence
        best = self.best_epoch - 1
        self._best = (self.curves["val_score"][best], -self.curves["val_loss"][best])

    def checkpoint(self, loop: str, state: State) -> bytes:
        """What is needed to go on with this training later."""
        return Checkpoint(
            loop=loop,
            state=state,
            curves=self.curves,
            weights=self.weights,
            best_epoch=self.best_epoch,
            evidence=self.evidence,
        ).to_bytes()

    def check_loss(self, loss: float) -> None:
        """Within an epoch.

        Raises:
            TrainingDivergedError: the loss is no finite number.
        """
        if not math.isfinite(loss):
            raise TrainingDivergedError(self.epoch)

    def check_stop(self) -> None:
        """Within an epoch.

        Raises:
            TrainingStoppedError: the caller wants no more.
        """
        if self._should_stop is not None and self._should_stop():
            raise TrainingStoppedError(self.epoch)

    def end_epoch(
        self, values: Mapping[str, float], weights: Callable[[], Weights], evidence: Callable[[], Evidence]
    ) -> None:
        """Keeps an epoch's values, and its weights if it is the best.

        Args:
            values: `score`, `loss`, `val_score`, `val_loss`, and perhaps metrics of the user's own.
            weights: copies them to host memory; only called if they are wanted.
            evidence: of the validation images; only called with the weights.

        Raises:
            TrainingDivergedError: one of the four is no finite number.
            MetricError: another one is not.
        """
        epoch = self.epoch
        for name in _CURVES:
            self.check_loss(values[name])
        for name, value in values.items():
            if not math.isfinite(value):
                raise MetricError(f"a metric must be a finite number; {name} is {value} in epoch {epoch}")
        for name, value in values.items():
            self.curves.setdefault(name, []).append(value)
        score = (values["val_score"], -values["val_loss"])
        if score > self._best:
            self._best, self.best_epoch = score, epoch
            self.weights, self.evidence = weights(), evidence()
        if self._on_epoch is not None:
            self._on_epoch(epoch, dict(values))

    def result(self, *, duration_seconds: float, checkpoint: bytes | None = None) -> TrainingResult:
        """Of the epochs that were kept, at least one."""
        return TrainingResult(
            metrics={name: values[self.best_epoch - 1] for name, values in self.curves.items()},
            curves={name: tuple(values) for name, values in self.curves.items()},
            weights=self.weights,
            evidence=self.evidence,
            best_epoch=self.best_epoch,
            epochs=self.epochs,
            duration_seconds=duration_seconds,
            checkpoint=checkpoint,
        )
