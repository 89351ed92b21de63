"""Addresses of files in a SQLite store: absolute, since MLflow has no others, and made to follow a folder that moves.

MLflow resolves a relative address when it stores it, and against the current directory when it reads it.
"""

from __future__ import annotations

import re
import sqlite3
import uuid
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

_EXPERIMENT = re.compile(r"(?P<root>file://.*/mlartifacts)/[0-9a-f]{32}")
"""As `new_address` makes them, for a database with its files beside it; nobody else's are touched."""

_RUN = re.compile(_EXPERIMENT.pattern + r"/[0-9a-f]{32}/artifacts")

_COLUMNS = (
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("logged_models", "artifact_location"),
    ("model_versions", "source"),
    ("model_versions", "storage_location"),
)
"""Where MLflow keeps addresses that begin with the experiment's."""


def artifact_root(database: Path) -> Path:
    """Folder of the files of a database without a server."""
    return database.parent / "mlartifacts"


def new_address(root: Path) -> str:
    """For the files of another experiment."""
    return (root / uuid.uuid4().hex).as_uri()


def relative_place(artifact_uri: str) -> str | None:
    """Where the files of a run are in `artifact_root`; None if they are elsewhere.

    >>> relative_place(f"file:///away/mlartifacts/{'0' * 32}/{'1' * 32}/artifacts")
    '00000000000000000000000000000000/11111111111111111111111111111111/artifacts'
    """
    found = _RUN.fullmatch(artifact_uri)
    return None if found is None else artifact_uri[found.end("root") + 1 :]


def move_addresses(database: Path) -> None:
    """Let the addresses in a database that was moved or copied with its files lead to these files.

    Writes only if they lead elsewhere now.
    """
    root = artifact_root(database)
    connection = sqlite3.connect(database, timeout=30, isolation_level=None)
    try:
        tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        if "experiments" not in tables or not _moved(connection, root):
            return
        connection.execute("BEGIN IMMEDIATE")  # all or nothing, whoever else opens it now
        for old in _moved(connection, root):
            new = root.as_uri() + old[old.rindex("/") :]
            for table, column in _COLUMNS:
                if table in tables:
                    connection.execute(
                        f"UPDATE {table} SET {column} = ? || substr({column}, ?) "
                        f"WHERE {column} = ? OR substr({column}, 1, ?) = ?",
                        (new, len(old) + 1, old, len(old) + 1, f"{old}/"),
                    )
        connection.execute("COMMIT")
    finally:
        connection.close()


def _moved(connection: sqlite3.Connection, root: Path) -> list[str]:
    """Addresses of experiments that lead to another folder than `root`."""
    moved = []
    for (address,) in connection.execute("SELECT artifact_location FROM experiments"):
        found = _EXPERIMENT.fullmatch(address or "")
        if found is None or found["root"] == root.as_uri():
            continue
        if not _same_folder(Path(url2pathname(urlsplit(found["root"]).path)), root):
            moved.append(address)
    return moved


def _same_folder(one: Path, other: Path) -> bool:
    """Also by links."""
    try:
        return one.samefile(other)
    except OSError:
        return False
