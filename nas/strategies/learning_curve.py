"""The final score of a trial that was stopped early, predicted from the curves of those that went on."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, final

from nas.objectives import Cost
from nas.results.trial import TrialStatus
from nas.space.protocol import AnyCandidate
from nas.strategies.history import History, Tried

if TYPE_CHECKING:
    import numpy as np

    Vector = np.ndarray[Any, np.dtype[np.float64]]

FLOOR = 0.003
"""Added to errors before their logarithm is taken: three images in a thousand are within the noise of a training."""

PRIOR_WEIGHT = 3.0
"""Completed trials that the prior counts for. It says that final errors are the present ones times one factor."""

PRIOR_DEVIATION = 0.1
"""Of the logarithm of a final error around its expectation before any trial has ended; later it counts as one trial."""

FEATURES = 3
"""Of a regression, its constant included."""

SMALLEST = 1e-8
"""Variance of a feature that is the same in all trials."""


@final
@dataclass(frozen=True, slots=True)
class Expected(Generic[AnyCandidate]):
    """A trial as if it had been trained in full, or as if training had ended at an earlier epoch.

    Attributes:
        trial: as it is.
        score: expected at the end, or observed; in place of the trial's.
        deviation: standard deviation of an expected score; 0 for an observed one.
    """

    trial: Tried[AnyCandidate]
    score: float
    deviation: float = 0.0
    completed: bool = True

    @property
    def number(self) -> int:
        return self.trial.number

    @property
    def architecture(self) -> AnyCandidate:
        return self.trial.architecture

    def cost(self, cost: Cost) -> float:
        """As the trial's."""
        return self.trial.cost(cost)


def expected(history: History[AnyCandidate]) -> list[Expected[AnyCandidate]]:
    """All completed trials, and those with some epochs at the score that they are expected to end with.

    The logarithm of the final error (1 minus the score) is regressed on two features: the logarithm of the best error
    so far, and the mean logarithm over all epochs so far. The regression is fitted to the trials that were trained in
    full; while these are few, a prior holds that only shifts the best error. Sizes are no feature: a network on the
    front is there because it is better than its size suggests.
    """
    full = [trial for trial in history.completed if math.isfinite(trial.score)]
    learned: dict[int, _Regression] = {}
    found = []
    for trial in history.trials:
        score, deviation = math.nan, 0.0
        if trial.completed:
            score = trial.score
        elif trial.curve and trial.status is not TrialStatus.FAILED:
            epochs = len(trial.curve)
            if epochs not in learned:
                learned[epochs] = _Regression(full, history, epochs)
            score, deviation = learned[epochs](trial.curve)
        if math.isfinite(score):
            found.append(Expected(trial, score, deviation))
    return found


@final
class _Regression:
    """Of the final error's logarithm on what a curve shows after some epochs."""

    def __init__(self, full: Sequence[Tried[Any]], history: History[Any], epochs: int) -> None:
        import numpy as np

        seen = [trial for trial in full if len(trial.curve) > epochs]
        self.features = np.array([_features(trial.curve[:epochs]) for trial in seen]).reshape(len(seen), FEATURES)
        gains = np.array([_log_error(trial.score) for trial in seen]) - self.features[:, 1]
        # Ridge around "nothing but a shift", in units of each feature's spread; the shift itself is almost free.
        self.center = self.features.mean(axis=0) if seen else np.zeros(FEATURES)
        self.center[0] = 0.0
        centered = self.features - self.center
        there = [
            trial for trial in history.trials if trial.status is not TrialStatus.FAILED and len(trial.curve) >= epochs
        ]
        units = np.maximum(np.var([_features(trial.curve[:epochs]) for trial in there], axis=0), SMALLEST)
        precision = centered.T @ centered + np.diag([1e-3, *(PRIOR_WEIGHT * units[1:])])
        self.covariance = np.linalg.inv(precision)
        self.slopes = self.covariance @ (centered.T @ gains)
        residuals = gains - centered @ self.slopes
        # The prior counts as one trial; the shift has used up one.
        self.variance = float(residuals @ residuals + PRIOR_DEVIATION**2) / max(len(seen), 1)
        self.seen = len(seen)

    def __call__(self, curve: Sequence[float]) -> tuple[float, float]:
        """Expected final score and its standard deviation."""
        import numpy as np

        features = np.array(_features(curve))
        away = features - self.center
        # Without a full training the shift is unknown; it is the same for all.
        gain = float(away @ self.slopes) if self.seen else 0.0
        spread = float(away @ self.covariance @ away) if self.seen else 0.0
        error = math.exp(min(float(features[1]) + gain, math.log(1 + FLOOR)))
        deviation = math.sqrt(self.variance * (1 + spread))
        best = max(curve)
        return min(1.0, max(best, 1 + FLOOR - error)), error * deviation


def _features(curve: Sequence[float]) -> tuple[float, float, float]:
    logs = [_log_error(score) for score in curve]
    return 1.0, min(logs), sum(logs) / len(logs)


def _log_error(score: float) -> float:
    return math.log(1 - score + FLOOR)
