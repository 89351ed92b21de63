"""What tests of a search's state share."""

import resource
import signal
from contextlib import contextmanager

import pytest


@pytest.fixture
def full_disk():
    """No file can grow beyond so many bytes, which stands in for a disk that is full: `with full_disk(100): ...`."""

    @contextmanager
    def full(size):
        limit = resource.getrlimit(resource.RLIMIT_FSIZE)
        previous = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, limit[1]))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limit)
            signal.signal(signal.SIGXFSZ, previous)

    return full
