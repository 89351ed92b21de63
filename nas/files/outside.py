"""The one door for files that somebody else may have written: a colleague's search, an archive from the internet.

Whatever is wrong with one (a device, gigabytes, another encoding, nesting without end) ends in one line in the words of
its reader, and nothing of it is looked at before its size is known.
"""

from __future__ import annotations

import gzip
import io
import json
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from nas.errors import NasError, printable

if TYPE_CHECKING:
    from numpy.lib.npyio import NpzFile

Refuse = Callable[[str], NasError]
"""Makes the reader's own error of a reason, such as "it is not UTF-8 text"."""

YAML = 1 << 20
"""Bytes of a file that a person writes: a space, an experiment."""

TEXT = 16 << 20
"""Bytes of a file that a program writes once: an architecture, facts, names of classes."""

TABLE = 256 << 20
"""Bytes of a table, unpacked; NAS-Bench-201 as a table has 3 MB."""

JOURNAL = 1 << 30
"""Bytes of a journal; a trial of 100 epochs takes 5 kB."""

ARRAY = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
"""Bytes of an array: it is held in memory."""

DIGITS = 400
"""Of a number in JSON; a float of Python has 309 in front of its point at most."""


class OutsideError(ValueError):
    """What is wrong with a file, as a reason to stand behind its name."""


@contextmanager
def door(refuse: Refuse, keep: type[Exception] | tuple[()] = ()) -> Iterator[None]:
    """Turn whatever goes wrong inside into one line: parsers raise much that no list of exceptions names.

    Args:
        refuse: makes the error.
        keep: errors that say all that is to say.
    """
    try:
        yield
    except keep:
        raise
    except Exception as error:
        raise refuse(_reason(error)) from error


def check_regular(path: Path) -> None:
    """Refuse what is no file: reading a pipe or a device may never end.

    Raises:
        OutsideError: it is a folder, a pipe, a device or a socket.
        OSError: it is not there, or may not be read.
    """
    mode = path.stat().st_mode
    if not stat.S_ISREG(mode):
        kinds = {stat.S_IFDIR: "a folder", stat.S_IFIFO: "a pipe", stat.S_IFSOCK: "a socket"}
        raise OutsideError(f"it is {kinds.get(stat.S_IFMT(mode), 'a device')}, not a file")


def read_bytes(path: Path, refuse: Refuse, most: int = TEXT) -> bytes:
    """The content of a file, unpacked if it ends in `.gz`.

    Args:
        path: of the file.
        refuse: makes the error.
        most: bytes that are read.
    """
    with door(refuse):
        check_regular(path)
        with path.open("rb") as file:
            content = _at_most(file, most)
        if path.suffix == ".gz":
            with gzip.open(io.BytesIO(content)) as unpacked:
                content = _at_most(unpacked, most)
        return content


def read_text(path: Path, refuse: Refuse, most: int = TEXT) -> str:
    """The same as text in UTF-8, with or without a byte order mark; lines end in one character."""
    content = read_bytes(path, refuse, most)
    with door(refuse):
        text = content.decode("utf-8-sig")
        return text.replace("\r\n", "\n").replace("\r", "\n")


def open_arrays(file: Path | BinaryIO) -> NpzFile:
    """An `.npz` archive whose arrays memory can hold; call it inside a `door`. Objects in it are never unpickled.

    Raises:
        OutsideError: it is none, or too large.
        Exception: whatever numpy raises.
    """
    import numpy as np

    if isinstance(file, Path):
        check_regular(file)
    found = np.load(file, mmap_mode="r", allow_pickle=False)
    if not isinstance(found, np.lib.npyio.NpzFile):
        raise OutsideError("it holds a single array")
    size = sum(member.file_size for member in found.zip.infolist()) if found.zip else 0
    if size > ARRAY:
        found.close()
        raise OutsideError(f"its arrays take {size:,} bytes, and this machine has {ARRAY:,}")
    return found


def parse_json(text: str | bytes) -> Any:
    """Plain values from JSON, all numbers finite; call it inside a `door`.

    Raises:
        ValueError: it is no JSON, has a key twice, or a number that no computation needs.
        RecursionError: it is nested too deeply.
    """
    return json.loads(
        text, parse_int=_whole, parse_float=_finite, parse_constant=_finite, object_pairs_hook=_without_repeats
    )


def _at_most(file: Any, most: int) -> bytes:
    # In pieces: Python makes room for all that is asked for.
    content = bytearray()
    while piece := file.read(1 << 20):
        content += piece
        if len(content) > most:
            raise OutsideError(f"it has more than {most:,} bytes")
    return bytes(content)


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise OutsideError("an object has a key twice")
    return found


def _whole(digits: str) -> int:
    if len(digits) > DIGITS:
        raise OutsideError(f"a number has at most {DIGITS} digits; received one of {len(digits):,}")
    return int(digits)


def _finite(text: str) -> float:
    number = float(text)
    if number - number != 0:
        raise OutsideError(f"numbers are finite; received {text[:40]}")
    return number


def _reason(error: Exception) -> str:
    if type(error) in (OutsideError, ValueError):
        return printable(" ".join(str(error).split()), most=300)
    if isinstance(error, UnicodeDecodeError):
        return "it is not UTF-8 text"
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    if isinstance(error, MemoryError):
        return "it takes more memory than there is"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    words = " ".join(str(error).split())
    return printable(f"{type(error).__name__}: {words}" if words else type(error).__name__, most=200)
