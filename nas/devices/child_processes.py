"""Child processes that end with their parent, and leave Ctrl-C to it."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import parent_process
from multiprocessing.connection import wait


@contextmanager
def interrupts_for_parent_only() -> Iterator[None]:
    """Processes that are started meanwhile are never interrupted; what comes meanwhile reaches this one afterwards.

    A terminal sends Ctrl-C to all of them, and the parent decides what it means. They inherit that it is blocked:
    were they to ignore it once they run, one that still starts would end with a traceback.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def end_with_parent() -> None:
    """From now on this process, made by `multiprocessing`, does not outlive its parent, however that ends."""
    parent = parent_process()
    if parent is None:
        return

    def watch() -> None:
        wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=watch, daemon=True, name="nas-parent-watch").start()
