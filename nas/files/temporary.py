"""Temporary folders that do not outlive their process for long: the next one that needs one removes the dead ones."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

PREFIX = "nas-"
_MARK, _MARKED = ".nas", b"The folder of a process of nas that lives, or was killed.\n"
"""File, and its content, by which a folder is known as ours. Locked while its process lives."""


@contextmanager
def own_temporary(*, prefix: str = PREFIX, parent: Path | None = None) -> Iterator[Path]:
    """A new folder, gone at the end; what killed processes of this user left beside it is removed first.

    Args:
        prefix: of its name.
        parent: where; the directory for temporary files if left out.

    Raises:
        OSError: the file system refuses.
    """
    parent = parent or Path(tempfile.gettempdir())
    _sweep(parent, prefix)
    folder = Path(tempfile.mkdtemp(prefix=prefix, dir=parent))
    try:
        with (folder / _MARK).open("wb", buffering=0) as mark:
            fcntl.flock(mark, fcntl.LOCK_EX)
            mark.write(_MARKED)
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def temporary_files_in(folder: Path) -> Iterator[None]:
    """Meanwhile, whatever libraries leave in the directory for temporary files is left here."""
    before = tempfile.tempdir
    tempfile.tempdir = str(folder)
    try:
        yield
    finally:
        tempfile.tempdir = before


def _sweep(parent: Path, prefix: str) -> None:
    for folder in parent.glob(f"{prefix}*"):
        with suppress(OSError):
            descriptor = os.open(folder / _MARK, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
            with os.fdopen(descriptor, "rb") as mark:
                if folder.is_symlink() or folder.stat().st_uid != os.geteuid():
                    continue
                fcntl.flock(mark, fcntl.LOCK_EX | fcntl.LOCK_NB)  # BlockingIOError: its process lives
                if mark.read(len(_MARKED) + 1) == _MARKED:
                    shutil.rmtree(folder, ignore_errors=True)
