"""Who watches a search."""

from __future__ import annotations

from typing import Protocol

from nas.results.trial import TrialRecord


class Observer(Protocol):
    """Who watches a search, such as a progress line."""

    def on_trial_begin(self, record: TrialRecord) -> None:
        """A trial starts."""

    def on_epoch(self, record: TrialRecord, epoch: int, metrics: dict[str, float]) -> None:
        """A trial, or a training of it in the final stage, has finished an epoch, from 1."""

    def on_trial_end(self, record: TrialRecord) -> None:
        """A trial has ended and is kept."""

    def on_final(self, record: TrialRecord, done: int, total: int) -> None:
        """A trial of the front was trained again in the final stage, as number `done` of `total`."""
