"""Files that survive a kill: written as a whole, through to the disk."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from nas.errors import NasError


class StateError(NasError):
    """A search's state that cannot be kept: a full disk, a folder that is read-only."""


@contextmanager
def keeping(path: Path) -> Iterator[None]:
    """Turn what the file system refuses into one line.

    Raises:
        StateError: instead of an OSError.
    """
    try:
        yield
    except OSError as error:
        raise StateError(
            f"cannot keep the search's state in {path}: {error.strerror or error}; everything that finished is kept; "
            f"free space or make the folder writable, then run the same command again"
        ) from None


def write_atomically(path: Path, content: str | bytes) -> None:
    """Replace a file as a whole, durably.

    Raises:
        StateError: the file system refuses.
    """
    temporary = path.with_name(f".{path.name}.new")
    with keeping(path):
        path.parent.mkdir(exist_ok=True)
        with temporary.open("wb") as file:
            file.write(content.encode() if isinstance(content, str) else content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder survive a crash, as fsync does the content of a file.

    Raises:
        OSError: the file system refuses.
    """
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
