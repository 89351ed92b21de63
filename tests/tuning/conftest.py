"""What tests of a search's state share."""

import os

import pytest


@pytest.fixture
def full_disk(monkeypatch):
    """fsync fails as it does on a full disk, after half of the line was taken."""

    def refuse(descriptor):
        raise OSError(28, "No space left on device")

    return lambda: monkeypatch.setattr(os, "fsync", refuse)
