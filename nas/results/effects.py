"""What decides about the score: how much each decision changes it, at equal size."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final


@final
@dataclass(frozen=True, kw_only=True, slots=True)
class Effect:
    """Of one decision, as the model of a search sees it after all trials.

    Attributes:
        decision: as spaces and experiments name it, such as `stage1.filters` or `training.learning_rate`.
        best: its value with the highest expected score, in the mean over the networks that were trained.
        worst: that with the lowest.
        gain: by how much the score of the best exceeds that of the worst, in [0, 1]; 0 if nothing does.
        deviation: standard deviation of the gain.
    """

    decision: str
    best: str
    worst: str
    gain: float
    deviation: float

    @property
    def is_clear(self) -> bool:
        """Whether the gain is at least two standard deviations."""
        return self.gain >= 2 * self.deviation
