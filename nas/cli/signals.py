"""What ends a search from outside."""

from __future__ import annotations

import signal
from types import FrameType
from typing import final

from nas.trial import TrialRecord


class TerminatedError(KeyboardInterrupt):
    """By SIGTERM: the same as Ctrl-C, but for the exit code."""


@final
class Signals:
    """Ctrl-C and SIGTERM end the search: at once, or at its next event if Python loses what they raise.

    It does while it collects garbage: then exceptions are printed and forgotten.
    """

    def __init__(self) -> None:
        self._raised: KeyboardInterrupt | None = None

    def handle(self, number: int, frame: FrameType | None) -> None:
        self._raised = TerminatedError() if number == signal.SIGTERM else KeyboardInterrupt()
        raise self._raised

    def on_trial_begin(self, record: TrialRecord) -> None:
        self._raise_again()

    def on_epoch(self, record: TrialRecord, epoch: int, metrics: dict[str, float]) -> None:
        self._raise_again()

    def on_trial_end(self, record: TrialRecord) -> None:
        self._raise_again()

    def on_final(self, record: TrialRecord, done: int, total: int) -> None:
        self._raise_again()

    def _raise_again(self) -> None:
        if self._raised is not None:
            raise self._raised
