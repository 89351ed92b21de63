"""What ends a search from outside."""

from __future__ import annotations

import signal
import sys
from threading import Event, Thread, get_ident
from types import FrameType
from typing import Self, final

from nas.results.trial import TrialRecord
from nas.tuning.observer import Observer

_AGAIN_SECONDS = 0.1


class TerminatedError(KeyboardInterrupt):
    """By SIGTERM: the same as Ctrl-C, but for the exit code."""


@final
class Signals(Observer):
    """Ctrl-C and SIGTERM end the block, also when what they raise is lost.

    Python prints and forgets what is raised while it collects garbage: here the signal is sent again instead. Libraries
    may swallow it, too: it is raised again at the search's next event.
    """

    def __init__(self) -> None:
        self._raised: KeyboardInterrupt | None = None
        self._ended = Event()

    def __enter__(self) -> Self:
        self._main = get_ident()  # only the main thread may set handlers
        self._report = sys.unraisablehook
        self._handlers = {number: signal.signal(number, self._handle) for number in (signal.SIGINT, signal.SIGTERM)}
        sys.unraisablehook = self._send_again
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        sys.unraisablehook = self._report
        for number, handler in self._handlers.items():
            signal.signal(number, handler)

    def on_trial_begin(self, record: TrialRecord) -> None:
        self._raise_again()

    def on_epoch(self, record: TrialRecord, epoch: int, metrics: dict[str, float]) -> None:
        self._raise_again()

    def on_trial_end(self, record: TrialRecord) -> None:
        self._raise_again()

    def on_final(self, record: TrialRecord, done: int, total: int) -> None:
        self._raise_again()

    def _handle(self, number: int, _frame: FrameType | None) -> None:
        self._raised = TerminatedError() if number == signal.SIGTERM else KeyboardInterrupt()
        raise self._raised

    def _send_again(self, lost: sys.UnraisableHookArgs) -> None:
        if not isinstance(lost.exc_value, KeyboardInterrupt):
            self._report(lost)
            return
        number = signal.SIGTERM if isinstance(lost.exc_value, TerminatedError) else signal.SIGINT
        self._raised = lost.exc_value
        # From another thread and later: at once it would be lost in the same place.
        Thread(target=self._insist, args=(number, lost.exc_value), daemon=True).start()

    def _insist(self, number: int, lost: KeyboardInterrupt) -> None:
        """Until it is handled: one that comes while the main thread is about to wait does not end the waiting."""
        while not self._ended.wait(_AGAIN_SECONDS) and self._raised is lost:
            signal.pthread_kill(self._main, number)

    def _raise_again(self) -> None:
        if self._raised is not None:
            raise self._raised
