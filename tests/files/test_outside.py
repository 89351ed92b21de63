"""Whatever a file is, reading it is its content or one line of the reader's own error."""

import gzip
import io
import os
from pathlib import Path

import numpy as np
import pytest

from nas.errors import NasError
from nas.files import outside


class OwnError(NasError):
    pass


def refuse(reason):
    return OwnError(f"cannot read it: {reason}; mend it")


def test_text_is_read_with_and_without_compression_and_byte_order_mark(tmp_path):
    for name, content in {"a": b"\xef\xbb\xbf\xc3\xa4\r\nb", "a.gz": gzip.compress("ä\nb".encode())}.items():
        (tmp_path / name).write_bytes(content)
        assert outside.read_text(tmp_path / name, refuse) == "ä\nb"


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("a", b"\xff", "it is not UTF-8 text"),
        ("a", b"x" * 101, "it has more than 100 bytes"),
        ("a.gz", gzip.compress(b"x" * 101, mtime=0), "it has more than 100 bytes"),
        ("a.gz", b"x", "BadGzipFile: Not a gzipped file"),
        ("a.gz", gzip.compress(b"x", mtime=0)[:-9], "EOFError: Compressed file ended"),
        ("a.gz", gzip.compress(b"x", mtime=0)[:10] + b"\xff" * 9, "error: Error -3 while decompressing"),
    ],
)
def test_what_is_wrong_is_one_line(tmp_path, name, content, reason):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(OwnError, match=f"^cannot read it: {reason}.*; mend it$"):
        outside.read_text(tmp_path / name, refuse, most=100)


def test_only_files_are_read(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path, reason in {
        tmp_path / "pipe": "it is a pipe, not a file",
        tmp_path: "it is a folder, not a file",
        "/dev/zero": "it is a device, not a file",
        tmp_path / "none": "No such file or directory",
        tmp_path / ("x" * 300): "File name too long",
    }.items():
        with pytest.raises(OwnError, match=reason):
            outside.read_bytes(Path(path), refuse)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[" * 100_000, "it is nested too deeply"),
        ("9" * 401, "a number has at most 400 digits; received one of 401"),
        ("1e999", "numbers are finite; received 1e999"),
        ("[NaN]", "numbers are finite; received NaN"),
        ('{"a": 1, "a": 2}', "an object has a key twice"),
        ("{", "JSONDecodeError: Expecting property name"),
    ],
)
def test_json_is_bounded(text, reason):
    with pytest.raises(OwnError, match=reason), outside.door(refuse):
        outside.parse_json(text)


def test_archives_that_memory_cannot_hold_are_refused_unread(tmp_path, monkeypatch):
    np.savez_compressed(tmp_path / "big.npz", x=np.zeros(10_000))
    monkeypatch.setattr(outside, "ARRAY", 80_000)
    too_large = pytest.raises(OwnError, match=r"its arrays take 80,\d+ bytes, and this machine has 80,000")
    with too_large, outside.door(refuse):
        outside.open_arrays(tmp_path / "big.npz")
    content = io.BytesIO()
    np.save(content, np.zeros(3))
    (tmp_path / "single.npz").write_bytes(content.getvalue())
    with pytest.raises(OwnError, match="it holds a single array"), outside.door(refuse):
        outside.open_arrays(tmp_path / "single.npz")


def test_the_readers_own_errors_pass():
    with pytest.raises(NasError, match=r"^all is said$"), outside.door(refuse, keep=NasError):
        raise NasError("all is said")
