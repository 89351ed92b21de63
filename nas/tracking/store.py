"""Where MLflow keeps a search, and a quiet client for it."""

from __future__ import annotations

import fcntl
import glob
import logging
import os
import re
import sqlite3
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from nas.command_line import without_password
from nas.errors import NasError, shown
from nas.files import outside
from nas.tracking.addresses import artifact_root, move_addresses, new_address, relative_place
from nas.tracking.deadline import bounded

if TYPE_CHECKING:
    from mlflow import MlflowClient

_SERVERS = ("http://", "https://", "databricks")
_HERE = ("localhost", "127.0.0.1", "::1")
_DATABASES = ("postgresql", "mysql", "mssql")

_QUIET = {
    # MLflow's defaults block one call for minutes when a server is down.
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Store:
    """A tracking store.

    Attributes:
        uri: what MLflow calls the tracking URI; a SQLite path in it is absolute.
        artifact_root: absolute folder for files, for a database without a server; None: the server's business.
    """

    uri: str
    artifact_root: Path | None

    @classmethod
    def resolve(cls, runs_dir: Path, uri: str | None = None, environ: Mapping[str, str] = os.environ) -> Store:
        """The store at `uri`, else at MLFLOW_TRACKING_URI, else `mlflow.db` in `runs_dir`.

        Raises:
            NasError: the address is of no kind that MLflow's clients can still write to.
        """
        runs_dir = runs_dir.absolute()
        uri = uri or environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{runs_dir / 'mlflow.db'}"
        if uri.startswith(_SERVERS):
            return cls(uri=uri, artifact_root=None)
        if uri.startswith(_DATABASES):
            return cls(uri=uri, artifact_root=runs_dir / "mlartifacts")
        if uri.startswith("sqlite:///") and len(uri) > len("sqlite:///"):
            database = Path(uri.removeprefix("sqlite:///")).absolute()
            if re.search("[?]|%[0-9A-Fa-f]{2}", str(database)):
                raise NasError(
                    f"MLflow cannot keep a database where a ? or a % with two digits is in the path; received "
                    f"{database}; give another folder as --runs-dir, or a server as --tracking-uri"
                )
            return cls(uri=f"sqlite:///{database}", artifact_root=artifact_root(database))
        raise NasError(
            "an MLflow tracking URI starts with http://, https:// or sqlite:/// (MLflow no longer supports folders of "
            f"files); received {without_password(uri)!r}; try sqlite:///{runs_dir / 'mlflow.db'}"
        )

    @property
    def label(self) -> str:
        """The address without a password, for people."""
        return without_password(self.uri)

    @property
    def is_sqlite(self) -> bool:
        """Whether it is a file, which has no server that could be asked."""
        return self._database is not None

    @property
    def _database(self) -> Path | None:
        """The file of a SQLite store."""
        return Path(self.uri.removeprefix("sqlite:///")) if self.uri.startswith("sqlite:///") else None

    @property
    def identity(self) -> tuple[int, int] | None:
        """Which file the database of a SQLite store is now; None for another store, or if there is none."""
        try:
            status = None if self._database is None else self._database.stat()
        except OSError:
            return None
        return None if status is None else (status.st_dev, status.st_ino)

    def folder_of(self, artifact_uri: str) -> Path | None:
        """Where the files of a run are that a SQLite store keeps beside itself; None: wherever MLflow puts them.

        Found by the store's place instead of the address in it, which says where another process last saw the same
        folder: in a container, or on another machine.
        """
        place = relative_place(artifact_uri)
        return None if place is None or self._database is None else artifact_root(self._database) / place

    def connect(self) -> MlflowClient:
        """A client; a SQLite store is created if it is not there, and learns of it if its folder has moved."""
        import_mlflow()
        from mlflow import MlflowClient

        _past_proxies(self.uri)
        if (database := self._database) is not None:
            before = self.identity
            _create_sqlite(database)
            move_addresses(database)
            if before is None or before != _opened.setdefault(self.uri, before):
                _forget_connections(self.uri)
            _opened[self.uri] = self.identity
        # Named, because MLflow would take the registry that was set last in this process.
        client = MlflowClient(tracking_uri=self.uri, registry_uri=os.environ.get("MLFLOW_REGISTRY_URI") or self.uri)
        return bounded(client) if self.uri.startswith(_SERVERS) else client

    def compact(self) -> None:
        """Give back the space that removed runs took in a SQLite store.

        Raises:
            sqlite3.Error: another process is writing.
        """
        if self._database is not None:
            connection = sqlite3.connect(self._database, timeout=10, isolation_level=None)
            try:
                connection.execute("VACUUM")
            finally:
                connection.close()

    def experiment_id(self, client: MlflowClient, name: str) -> str:
        """The experiment of this name: found, brought back from the trash, or created."""
        from mlflow.exceptions import MlflowException

        experiment = client.get_experiment_by_name(name)
        if experiment is None:
            # A folder of its own: without one, MLflow writes into the current directory.
            root = self.artifact_root
            location = None if root is None else new_address(root)
            try:
                return str(client.create_experiment(name, artifact_location=location))
            except MlflowException as error:
                experiment = client.get_experiment_by_name(name)
                if error.error_code != "RESOURCE_ALREADY_EXISTS" or experiment is None:
                    raise
                # Another search created it in between.
        if experiment.lifecycle_stage != "active":
            client.restore_experiment(experiment.experiment_id)
        return str(experiment.experiment_id)


_opened: dict[str, tuple[int, int] | None] = {}
"""By the address of a SQLite store: the file to which this process last connected."""


def _forget_connections(uri: str) -> None:
    """MLflow would go on with a database that was deleted or replaced: it keeps connections, and an open file lives."""
    from mlflow.store.model_registry.sqlalchemy_store import SqlAlchemyStore as Registry
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    for engines in (SqlAlchemyStore._engine_map, Registry._engine_map):
        if uri in engines:
            engines[uri].dispose()


def _past_proxies(uri: str) -> None:
    """A proxy of the environment would ask its own machine for 127.0.0.1."""
    host = urlsplit(uri).hostname or ""
    if uri.startswith("http") and host in _HERE:
        known = os.environ.get("no_proxy") or os.environ.get("NO_PROXY", "")
        if host not in known.split(","):
            os.environ["no_proxy"] = os.environ["NO_PROXY"] = ",".join(filter(None, (known, host)))


def import_mlflow() -> None:
    """Import MLflow so that it neither chats nor waits for minutes; two seconds the first time.

    What the user has set in the environment holds.
    """
    for name, value in _QUIET.items():
        os.environ.setdefault(name, value)
    import mlflow  # noqa: F401

    # Not even errors: what goes wrong is raised as well, and told in one line; MLflow would log a traceback of each.
    for name in ("mlflow", "alembic", "sqlalchemy.pool"):
        logging.getLogger(name).setLevel(os.environ.get("MLFLOW_LOGGING_LEVEL", "CRITICAL").upper())
    # A server's absence is the tracker's `problem`, in one line, not a warning an attempt.
    logging.getLogger("urllib3.connectionpool").setLevel(logging.ERROR)


def search_id(folder: Path) -> str:
    """The id under which MLflow knows the search in `folder`: made once, then read from the file `search_id`.

    Runs are found by it instead of by names, so any name works, and two searches of one name never mix.

    Raises:
        NasError: the file cannot be written, or holds something else.
    """
    path = folder / "search_id"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            # Whole from the start: a kill must not leave an id of which half is written.
            draft = folder / f".search_id.{uuid.uuid4().hex}"
            try:
                with draft.open("w", encoding="ascii") as file:
                    file.write(f"{uuid.uuid4().hex}\n")
                    file.flush()
                    os.fsync(file.fileno())
                _put_in_place(draft, path)
            finally:
                draft.unlink(missing_ok=True)
    except OSError as error:
        raise NasError(
            f"cannot keep the search's id in {path}: {error.strerror or error}; free space or choose another folder"
        ) from error
    found = outside.read_text(path, lambda reason: NasError(f"cannot read {path}: {reason}; delete it for a new id"))
    found = found.strip()
    if not re.fullmatch("[0-9a-f]{32}", found):
        raise NasError(f"{path} must hold 32 hexadecimal digits; received {shown(found)}; delete it for a new id")
    return found


def _create_sqlite(path: Path) -> None:
    """Create the store under another name and put it in place whole.

    Two processes that let MLflow create the same database at once crash each other; this way the second one waits.
    The write-ahead log, remembered by the file, lets the UI read while a search writes.
    """
    if path.exists() and not _drafts(path):
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        for leftover in _drafts(path):  # of processes that were killed
            leftover.unlink(missing_ok=True)
        if not path.exists():
            _create(path)
    finally:
        os.close(folder)


def _drafts(path: Path) -> list[Path]:
    return list(path.parent.glob(f".{glob.escape(path.name)}.{'[0-9a-f]' * 32}*"))


def _create(path: Path) -> None:
    from mlflow import MlflowClient

    draft = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    try:
        MlflowClient(tracking_uri=f"sqlite:///{draft}").search_experiments(max_results=1)
        connection = sqlite3.connect(draft)
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            # The experiment that every store has would otherwise keep its files in the current directory.
            with connection:
                connection.execute("UPDATE experiments SET artifact_location = ?", (new_address(artifact_root(path)),))
        finally:
            connection.close()
        _put_in_place(draft, path)
    finally:
        for leftover in path.parent.glob(f"{draft.name}*"):
            leftover.unlink(missing_ok=True)


def _put_in_place(draft: Path, path: Path) -> None:
    """Give a whole file its name, unless another process was first."""
    try:
        os.link(draft, path)
    except FileExistsError:
        pass
    except OSError:  # a file system without links
        if not path.exists():
            os.replace(draft, path)
