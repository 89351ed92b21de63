"""What accuracy a trial that was stopped early would have come to, told from the curves of those that went on."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, final

from nas.results.trial import TrialStatus
from nas.space.protocol import AnyCandidate
from nas.strategies.base import Tried

if TYPE_CHECKING:
    import numpy as np

    Vector = np.ndarray[Any, np.dtype[np.float64]]

FLOOR = 0.003
"""Added to errors before their logarithm is taken: three images in a thousand are within the noise of a training."""

PRIOR_WEIGHT = 3.0
"""How many completed trials the prior counts for: that final errors are the present ones times one factor."""

PRIOR_DEVIATION = 0.1
"""Of the logarithm of a final error around what is expected, before any trial has shown it; then worth one trial."""

FEATURES = 3
"""Of a regression, its constant included."""

SMALLEST = 1e-8
"""Variance of a feature in which no two trials differ."""


@final
@dataclass(frozen=True, slots=True)
class Expected(Generic[AnyCandidate]):
    """A trial as if it had been trained in full, or as if training ended where it once was.

    Attributes:
        trial: as it is.
        val_accuracy: expected at the end, or observed; in place of the trial's.
        deviation: standard deviation of what is expected; 0 for what was observed.
    """

    trial: Tried[AnyCandidate]
    val_accuracy: float
    deviation: float = 0.0
    status: TrialStatus = TrialStatus.COMPLETED
    completed: bool = True

    @property
    def number(self) -> int:
        return self.trial.number

    @property
    def architecture(self) -> AnyCandidate:
        return self.trial.architecture

    @property
    def parameters(self) -> int:
        return self.trial.parameters

    @property
    def macs(self) -> int:
        return self.trial.macs

    @property
    def curve(self) -> Sequence[float]:
        return self.trial.curve

    def cost(self, name: str) -> float:
        """As the trial's."""
        return self.trial.cost(name)


def expected(history: Sequence[Tried[AnyCandidate]]) -> list[Expected[AnyCandidate]]:
    """All trials that completed, and those with some epochs with the accuracy that they are expected to end with.

    The logarithm of the final error is regressed on the logarithm of the best error so far and on the mean of that of
    all epochs so far, over the trials that were trained in full; a prior that only shifts the best error holds while
    these are few. Sizes are left out: better than its size lets expect is what a network on the front is.
    """
    full = [trial for trial in history if trial.completed and math.isfinite(trial.val_accuracy)]
    learned: dict[int, _Regression] = {}
    found = []
    for trial in history:
        accuracy, deviation = math.nan, 0.0
        if trial.completed:
            accuracy = trial.val_accuracy
        elif trial.curve and trial.status is not TrialStatus.FAILED:
            epochs = len(trial.curve)
            if epochs not in learned:
                learned[epochs] = _Regression(full, history, epochs)
            accuracy, deviation = learned[epochs](trial.curve)
        if math.isfinite(accuracy):
            found.append(Expected(trial, accuracy, deviation))
    return found


@final
class _Regression:
    """Of the final error's logarithm on what a curve shows after some epochs."""

    def __init__(self, full: Sequence[Tried[Any]], history: Sequence[Tried[Any]], epochs: int) -> None:
        import numpy as np

        seen = [trial for trial in full if len(trial.curve) > epochs]
        self.features = np.array([_features(trial.curve[:epochs]) for trial in seen]).reshape(len(seen), FEATURES)
        gains = np.array([_log_error(trial.val_accuracy) for trial in seen]) - self.features[:, 1]
        # Ridge around "nothing but a shift", in units of what differs; the shift itself is hardly held.
        self.center = self.features.mean(axis=0) if seen else np.zeros(FEATURES)
        self.center[0] = 0.0
        centered = self.features - self.center
        there = [trial for trial in history if trial.status is not TrialStatus.FAILED and len(trial.curve) >= epochs]
        units = np.maximum(np.var([_features(trial.curve[:epochs]) for trial in there], axis=0), SMALLEST)
        precision = centered.T @ centered + np.diag([1e-3, *(PRIOR_WEIGHT * units[1:])])
        self.covariance = np.linalg.inv(precision)
        self.slopes = self.covariance @ (centered.T @ gains)
        residuals = gains - centered @ self.slopes
        # The prior counts for one trial, and the shift was taken from them.
        self.variance = float(residuals @ residuals + PRIOR_DEVIATION**2) / max(len(seen), 1)
        self.seen = len(seen)

    def __call__(self, curve: Sequence[float]) -> tuple[float, float]:
        """Expected final accuracy and its standard deviation."""
        import numpy as np

        features = np.array(_features(curve))
        away = features - self.center
        # Without a full training nobody knows the shift; it is the same for all.
        gain = float(away @ self.slopes) if self.seen else 0.0
        spread = float(away @ self.covariance @ away) if self.seen else 0.0
        error = math.exp(min(float(features[1]) + gain, math.log(1 + FLOOR)))
        deviation = math.sqrt(self.variance * (1 + spread))
        best = max(curve)
        return min(1.0, max(best, 1 + FLOOR - error)), error * deviation


def _features(curve: Sequence[float]) -> tuple[float, float, float]:
    logs = [_log_error(accuracy) for accuracy in curve]
    return 1.0, min(logs), sum(logs) / len(logs)


def _log_error(accuracy: float) -> float:
    return math.log(1 - accuracy + FLOOR)
