"""What ends a search from outside."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Timer, get_ident
from types import FrameType

_AGAIN_SECONDS = 0.1


class TerminatedError(KeyboardInterrupt):
    """By SIGTERM: the same as Ctrl-C, but for the exit code."""


@contextmanager
def ended_by_signals() -> Iterator[None]:
    """Ctrl-C and SIGTERM end the block, also when what they raise is lost.

    Python prints and forgets what is raised while it collects garbage; here the signal is sent once more instead.
    """
    signals = (signal.SIGINT, signal.SIGTERM)
    main = get_ident()  # only the main thread may set handlers
    last: list[Timer] = []
    report = sys.unraisablehook

    def handle(number: int, _frame: FrameType | None) -> None:
        raise TerminatedError if number == signal.SIGTERM else KeyboardInterrupt

    def send_again(lost: sys.UnraisableHookArgs) -> None:
        if not isinstance(lost.exc_value, KeyboardInterrupt):
            report(lost)
            return
        number = signal.SIGTERM if isinstance(lost.exc_value, TerminatedError) else signal.SIGINT
        # From another thread and later: at once it would be lost in the same place.
        last[:] = [Timer(_AGAIN_SECONDS, signal.pthread_kill, (main, number))]
        last[0].start()

    handlers = {number: signal.signal(number, handle) for number in signals}
    sys.unraisablehook = send_again
    try:
        yield
    finally:
        for timer in last:
            timer.cancel()
        sys.unraisablehook = report
        for number, handler in handlers.items():
            signal.signal(number, handler)
