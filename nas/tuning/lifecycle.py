"""What becomes of a search after it has run: another name, or the end of it."""

from __future__ import annotations

import shutil
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import final

from pydantic import ValidationError

from nas.config import ExperimentConfig
from nas.errors import NasError, shown
from nas.files.durable import sync_folder, write_atomically
from nas.tracking import Store, search_id
from nas.tracking.removal import delete_search, empty_trash
from nas.tuning.folder import SearchError, SearchFolder
from nas.tuning.packing import staging

_DELETED = ".deleting"
"""End of the name of a folder that is being removed; the next deletion removes what a kill has left."""


@final
@dataclass(frozen=True, kw_only=True, slots=True)
class Removed:
    """What a deletion has freed.

    Attributes:
        bytes: on the disk.
        runs: of MLflow.
    """

    bytes: int
    runs: int


def size_on_disk(folder: SearchFolder) -> int:
    """Bytes of all files of a search; MLflow's are not among them."""
    return _size(folder.path)


def delete(folder: SearchFolder, *, tracking_uri: str | None = None, keep_runs: bool = False) -> Removed:
    """Remove a search for good: first its runs in MLflow, then its folder. It need not be readable.

    A kill leaves either the whole folder, so that the same call goes on, or one that is not a search any more, which
    the next deletion removes.

    Args:
        folder: of the search.
        tracking_uri: of MLflow; see `nas.search`.
        keep_runs: leave MLflow as it is.

    Raises:
        SearchError: there is no such search, or a process is running it.
        NasError: MLflow cannot be reached or written; then nothing is removed.
    """
    if not folder.exists:
        folder.experiment()  # says which searches there are
    with folder.locked():
        freed = size_on_disk(folder)
        runs = 0
        if not keep_runs and (folder.path / "search_id").exists():
            try:
                runs = delete_search(Store.resolve(folder.runs_dir, tracking_uri), search_id(folder.path))
            except NasError as error:
                raise NasError(f"{error}; nothing was removed; --keep-runs leaves MLflow as it is") from None
        doomed = folder.runs_dir / f".{folder.name}{_DELETED}"
        try:
            shutil.rmtree(doomed, ignore_errors=True)
            folder.path.rename(doomed)
            sync_folder(folder.runs_dir)
        except OSError as error:
            raise SearchError(f"cannot remove {folder.path}: {error.strerror or error}") from None
    for left in folder.runs_dir.glob(f".*{_DELETED}"):
        shutil.rmtree(left, ignore_errors=True)
    return Removed(bytes=freed, runs=runs)


def collect_garbage(runs_dir: Path, *, tracking_uri: str | None = None) -> Removed:
    """Remove for good what was deleted already: runs in the trash of a SQLite store, folders that a kill has left.

    Raises:
        NasError: MLflow cannot be read or written.
    """
    store = Store.resolve(runs_dir, tracking_uri)
    before = _size(runs_dir)
    for left in runs_dir.glob(f".*{_DELETED}"):
        shutil.rmtree(left, ignore_errors=True)
    for left in runs_dir.glob(".*.unpacking"):
        with suppress(SearchError, OSError), staging(left):
            pass
    runs = empty_trash(store)
    return Removed(bytes=max(0, before - _size(runs_dir)), runs=runs)


def _size(folder: Path) -> int:
    return sum(path.lstat().st_size for path in folder.rglob("*") if path.is_file() and not path.is_symlink())


def rename(folder: SearchFolder, name: str) -> SearchFolder:
    """Give a search another name; its new folder. MLflow follows with the next `sync`.

    Raises:
        SearchError: there is no such search, a process is running it, or the name is taken or none.
    """
    settings = folder.experiment().model_dump(mode="json") | {"name": name}
    try:
        experiment = ExperimentConfig.model_validate(settings)
    except ValidationError:
        raise SearchError(
            f"a search's name is at most 100 letters, digits, '.', '_' and '-', begins with a letter or a digit, and "
            f"is not one of MLflow's; received {shown(name)}"
        ) from None
    renamed = SearchFolder(folder.runs_dir, name)
    with folder.locked():
        if renamed.path.exists():
            raise SearchError(f"{renamed.path} exists; give another name")
        # The name inside first: a kill in between leaves a search of the old name, as set-aside ones are.
        write_atomically(folder.path / "experiment.json", experiment.model_dump_json(indent=2) + "\n")
        try:
            folder.path.rename(renamed.path)
            sync_folder(folder.runs_dir)
        except OSError as error:
            raise SearchError(f"cannot rename {folder.path}: {error.strerror or error}") from None
    return renamed
