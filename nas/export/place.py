"""The folder of an export: made beside, put in place whole, and replaced only if it is as nas wrote it."""

from __future__ import annotations

import contextlib
import fcntl
import glob
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from nas.errors import NasError
from nas.files import outside

CARD = "export.json"
"""The facts of an export, with a digest of each file that it wrote."""

_MARK, _MARKED = "nas-export", b"An export of nas is being made here, or was killed.\n"
"""File, and its content, by which a folder beside the export is known as ours. Locked while the export lives."""


@contextmanager
def staging(to: Path) -> Iterator[Path]:
    """A new folder beside `to` for an export, gone at the end unless `put_in_place` moved it.

    Raises:
        OSError: the file system refuses.
    """
    to.parent.mkdir(parents=True, exist_ok=True)
    around = Path(tempfile.mkdtemp(dir=to.parent, prefix=f".{to.name}.export-"))
    try:
        with (around / _MARK).open("wb") as mark:
            fcntl.flock(mark, fcntl.LOCK_EX)
            mark.write(_MARKED)
            mark.flush()
            stage = around / "new"
            stage.mkdir()  # with the permissions that any new folder gets
            yield stage
    finally:
        _clear(around)


def recover(to: Path) -> None:
    """Put back what a killed export had moved aside, and remove what it left beside `to`."""
    for around in to.parent.glob(f".{glob.escape(to.name)}.export-*"):
        with contextlib.suppress(OSError):
            if around.is_symlink() or (around / _MARK).is_symlink():
                continue
            with (around / _MARK).open("rb") as mark:
                fcntl.flock(mark, fcntl.LOCK_EX | fcntl.LOCK_NB)  # its export lives: BlockingIOError
                if mark.read(len(_MARKED) + 1) != _MARKED:
                    continue
                if (around / "old").is_dir() and not to.exists():
                    (around / "old").rename(to)
                _clear(around)


def _clear(around: Path) -> None:
    """Remove what an export made, and nothing else."""
    _remove_ours(around / "old")
    shutil.rmtree(around / "new", ignore_errors=True)
    with contextlib.suppress(OSError):
        if not (around / "old").exists():
            (around / _MARK).unlink(missing_ok=True)
        around.rmdir()


def write_card(folder: Path, facts: Mapping[str, Any]) -> None:
    """Write `export.json` after all other files: the facts, and digests of the files."""
    entries = {name: "" if path.is_dir() else _digest(path) for name, path in _entries(folder)}
    (folder / CARD).write_text(_card({**facts, "files": entries}), "utf-8")


def foreign(folder: Path) -> str:
    """What lies in a folder that is not as an export wrote it, its relative path; "" if all is.

    Raises:
        OSError: it cannot be read.
    """
    found = dict(_entries(folder))
    if not found:
        return ""
    ours = _manifest(folder)
    if ours is None:
        return CARD if CARD in found else next(iter(found))
    return next((name for name, path in found.items() if name != CARD and not _is_ours(name, path, ours)), "")


def put_in_place(stage: Path, to: Path) -> None:
    """Rename; an earlier export is moved aside first and comes back if the new one cannot take its place.

    Raises:
        OSError: the file system refuses.
    """
    if to.exists():
        shutil.copymode(to, stage)
    if not to.exists() or not any(to.iterdir()):
        stage.rename(to)
        return
    aside = stage.parent / "old"
    to.rename(aside)
    try:
        stage.rename(to)
    except OSError:
        aside.rename(to)
        raise


def _remove_ours(folder: Path) -> None:
    ours = _manifest(folder)
    if ours is None:
        return
    with contextlib.suppress(OSError):
        for name, path in reversed(list(_entries(folder))):  # what lies in a folder comes before it
            if name != CARD and _is_ours(name, path, ours):
                with contextlib.suppress(OSError):  # a folder that holds something else
                    path.rmdir() if path.is_dir() else path.unlink()
        if os.listdir(folder) == [CARD]:
            (folder / CARD).unlink()
            folder.rmdir()


def _entries(folder: Path) -> Iterator[tuple[str, Path]]:
    """Everything inside, a folder before its content, with its relative path; links are not followed."""
    for path in sorted(folder.iterdir()):
        yield path.name, path
        if path.is_dir() and not path.is_symlink():
            for name, inner in _entries(path):
                yield f"{path.name}/{name}", inner


def _manifest(folder: Path) -> dict[str, str] | None:
    """The digest of each file that an export wrote; None if there is no `export.json` exactly as it was written."""
    path = folder / CARD
    try:
        if path.is_symlink():
            return None
        text = outside.read_text(path, NasError)
        with outside.door(NasError):
            facts = outside.parse_json(text)
            del facts["digest"]
            files = facts["files"]
            whole = isinstance(files, dict) and _card(facts) == text
    except NasError:
        return None
    return files if whole else None


def _card(facts: Mapping[str, Any]) -> str:
    digest = hashlib.sha256(json.dumps(facts).encode()).hexdigest()
    return json.dumps({**facts, "digest": digest}, indent=2) + "\n"


def _is_ours(name: str, path: Path, ours: Mapping[str, str]) -> bool:
    if name not in ours or path.is_symlink():
        return False
    return path.is_dir() if ours[name] == "" else path.is_file() and _digest(path) == ours[name]


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
