"""A search as one file, to be kept, sent and unpacked elsewhere. MLflow's runs are not in it: `nas sync` makes them."""

from __future__ import annotations

import fcntl
import gzip
import os
import re
import shutil
import tarfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import chain
from pathlib import Path, PurePosixPath
from typing import IO, cast, final

from nas.errors import NasError
from nas.files.durable import sync_folder
from nas.tuning.folder import SearchError, SearchFolder

SUFFIX = ".tar.gz"

MOST_FILES = 100_000
_RATIO, _ALLOWANCE = 200, 50_000_000
"""A file may unpack to so many times its own size and bytes more; weights shrink by a tenth, journals fiftyfold."""

_CHUNK = 1 << 16
_NAME = re.compile(r"(?!mlartifacts$|mlflow\.db)[A-Za-z0-9][A-Za-z0-9_.-]{0,119}")
"""Of a search, also one that was set aside; the rest is MLflow's."""


@final
@dataclass(frozen=True, kw_only=True, slots=True)
class Packed:
    """What was packed or unpacked.

    Attributes:
        search: its name.
        path: the file, or the search's folder.
        files: how many.
        bytes: of the files, unpacked.
    """

    search: str
    path: Path
    files: int
    bytes: int


def pack(folder: SearchFolder, to: Path) -> Packed:
    """Write all that is in a search's folder into one .tar.gz file; hidden files, which are drafts, are left out.

    Raises:
        SearchError: there is no such search, it is running, it holds links or devices, or the file cannot be written.
    """
    if not to.name.endswith(SUFFIX) or to.name == SUFFIX:
        raise SearchError(f"--to takes a {SUFFIX} file; received {str(to)!r}")
    if to.exists():
        raise SearchError(f"{to} exists; give another name, or remove it")
    folder.experiment()
    draft = to.with_name(f".{to.name}.new")
    with folder.locked():
        sizes = []
        try:
            to.parent.mkdir(parents=True, exist_ok=True)
            with (
                draft.open("wb") as file,
                tarfile.open(fileobj=file, mode="w:gz", format=tarfile.PAX_FORMAT) as archive,
            ):
                for path in _files(folder):
                    member = tarfile.TarInfo(f"{folder.name}/{path.relative_to(folder.path).as_posix()}")
                    status = path.stat()
                    member.size, member.mtime = status.st_size, int(status.st_mtime)
                    with path.open("rb") as content:
                        archive.addfile(member, content)
                    sizes.append(member.size)
                archive.close()
                file.flush()
                os.fsync(file.fileno())
            draft.replace(to)
            sync_folder(to.parent)
        except OSError as error:
            raise SearchError(f"cannot write {to}: {error.strerror or error}; choose another file") from None
        finally:
            with suppress(OSError):
                draft.unlink(missing_ok=True)
    return Packed(search=folder.name, path=to, files=len(sizes), bytes=sum(sizes))


def _files(folder: SearchFolder) -> Iterator[Path]:
    for path in sorted(folder.path.rglob("*")):
        inside = path.relative_to(folder.path)
        if any(part.startswith(".") for part in inside.parts) or inside == Path("lock"):
            continue
        if path.is_symlink() or not (path.is_file() or path.is_dir()):
            raise SearchError(
                f"{path} is no plain file, and no other is packed; move it away, or put a copy in its place"
            )
        if path.is_file():
            yield path


def unpack(file: Path, runs_dir: Path) -> Packed:
    """Put a packed search into a runs directory, whole or not at all. Nothing is believed of the file.

    Where another search of the directory is the same one in MLflow, such as the same under another name, this one gets
    runs of its own.

    Raises:
        SearchError: the file is damaged, or not one search; it holds other than plain files inside of one folder, or
            more than fits its size; there is something of its name; or the directory cannot be written.
    """
    try:
        with file.open("rb") as packed:
            limit = _RATIO * os.fstat(packed.fileno()).st_size + _ALLOWANCE
            stream = _Bounded(gzip.GzipFile(fileobj=packed), limit)
            archive = tarfile.TarFile(fileobj=cast(IO[bytes], stream))
            members = _members(archive)
            first = next(members, None)
            if first is None:
                raise tarfile.ReadError("it is empty")
            name = _place(first).parts[0]
            target = runs_dir / name
            if os.path.lexists(target):
                raise SearchError(f"{target} exists; rename or move it, or give another --runs-dir")
            with staging(runs_dir / f".{name}.unpacking") as stage:
                sizes = _extract(archive, chain((first,), members), stage)
                while stream.read(_CHUNK):  # to the end, where the checksum is
                    pass
                _check(SearchFolder(stage, name), file)
                _keep_apart(stage / name, runs_dir)
                (stage / name).rename(target)
                sync_folder(runs_dir)
    except (tarfile.TarError, gzip.BadGzipFile, EOFError, zlib.error, ValueError, RecursionError) as error:
        raise SearchError(f"{file} is damaged, or no file of nas pack ({error}); pack the search again") from None
    except OSError as error:
        raise SearchError(f"cannot unpack {file} into {runs_dir}: {error.strerror or error}") from None
    return Packed(search=name, path=target, files=len(sizes), bytes=sum(sizes))


@final
class _Bounded:
    """A stream that refuses to go on beyond a limit, or to hand out much at once, as a forged header would ask for."""

    def __init__(self, stream: gzip.GzipFile, limit: int) -> None:
        self._stream, self._limit = stream, limit

    def read(self, size: int) -> bytes:
        if not 0 <= size <= _CHUNK:
            raise tarfile.ReadError(f"a header of {size:,} bytes")
        self._check(self._stream.tell() + size)
        return self._stream.read(size)

    def seek(self, position: int) -> int:
        self._check(position)
        return self._stream.seek(position)

    def tell(self) -> int:
        return self._stream.tell()

    def _check(self, position: int) -> None:
        if position > self._limit + _CHUNK:
            raise tarfile.ReadError(f"it unpacks to more than {self._limit:,} bytes, too many for its size")


def _members(archive: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    while (member := archive.next()) is not None:
        archive.members = []  # type: ignore[attr-defined]  # it would keep them all
        yield member


def _extract(archive: tarfile.TarFile, members: Iterable[tarfile.TarInfo], stage: Path) -> list[int]:
    """Write the members; the sizes of the files."""
    sizes: list[int] = []
    folders = {stage}
    names = set()
    for member in members:
        place = _place(member)
        names.add(place.parts[0])
        if len(names) > 1:
            raise tarfile.ReadError(f"more than one search: {' and '.join(sorted(names))}")
        if member.isdir():
            continue
        sizes.append(member.size)
        if len(sizes) > MOST_FILES:
            raise tarfile.ReadError(f"more than {MOST_FILES:,} files")
        content = archive.extractfile(member)
        if content is None:
            raise tarfile.ReadError(f"{member.name!r} has no content")
        path = stage / place
        path.parent.mkdir(parents=True, exist_ok=True)
        folders.add(path.parent)
        with path.open("xb") as file:
            shutil.copyfileobj(content, file, _CHUNK)
            file.flush()
            os.fsync(file.fileno())
    for folder in folders:
        sync_folder(folder)
    return sizes


def _place(member: tarfile.TarInfo) -> PurePosixPath:
    """Where a member belongs, below the folder of all searches.

    Raises:
        ReadError: it would leave its search's folder, or is no plain file.
    """
    place = PurePosixPath(member.name)
    inside = len(place.parts) > 1 or (member.isdir() and place.parts)
    if not inside or ".." in place.parts or not _NAME.fullmatch(place.parts[0]) or "\0" in member.name:
        raise tarfile.ReadError(f"a file in the folder of a search was expected, not {member.name!r}")
    if member.type not in (tarfile.REGTYPE, tarfile.AREGTYPE, tarfile.DIRTYPE) or member.issparse():
        raise tarfile.ReadError(f"{member.name!r} is a link, a device or the like")
    return place


def _check(folder: SearchFolder, file: Path) -> None:
    try:
        folder.experiment()
        folder.facts()
        folder.space_text()
        folder.check_whole()
    except NasError as error:
        raise SearchError(f"{file} holds no whole search: {error}") from None


def _keep_apart(folder: Path, runs_dir: Path) -> None:
    mine = folder / "search_id"
    if mine.is_file() and any(_text(other) == _text(mine) for other in runs_dir.glob("*/search_id")):
        mine.unlink()


def _text(path: Path) -> bytes:
    """Of a small file."""
    with path.open("rb") as file:
        return file.read(100).strip()


@contextmanager
def staging(folder: Path) -> Iterator[Path]:
    """An empty folder, beside its target; one that a killed process left is emptied.

    Raises:
        SearchError: another process unpacks into it.
        OSError: the file system refuses.
    """
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise SearchError(f"another process is unpacking into {folder.parent}; wait for it") from None
        for left in folder.iterdir():
            shutil.rmtree(left)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(descriptor)
