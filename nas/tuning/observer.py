"""What a search tells while it runs, and to whom."""

from __future__ import annotations

from nas.results.trial import TrialRecord


class Observer:
    """Told what happens in a search; a subclass overrides what it needs, such as a progress line."""

    def on_stage(self, text: str) -> None:
        """The search does something that takes a while before its first trial, such as reading the data."""

    def on_trial_begin(self, record: TrialRecord) -> None:
        """A trial starts."""

    def on_epoch(self, record: TrialRecord, epoch: int, metrics: dict[str, float]) -> None:
        """A trial, or a training of it in the final stage, has finished an epoch, from 1.

        Args:
            record: of the trial.
            epoch: its number.
            metrics: `score`, `loss`, `val_score` and `val_loss`.
        """

    def on_trial_end(self, record: TrialRecord) -> None:
        """A trial has ended and is kept."""

    def on_final(self, record: TrialRecord, done: int, total: int) -> None:
        """A trial of the front was trained again in the final stage, as number `done` of `total`."""
