"""The processes that a process started with `multiprocessing`."""

from contextlib import suppress

import psutil


def spawned_by(pid):
    """Those that have begun to run Python; other children may end while they are looked at."""
    spawned = []
    for child in psutil.Process(pid).children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            if "spawn_main" in " ".join(child.cmdline()):
                spawned.append(child)
    return spawned
