"""TFDS data sets in MNIST's idx format from local files: TFDS' own builder, with only its download replaced."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Mapping
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

from nas.datasets import tfds_catalog
from nas.datasets.spec import DatasetError, expanded
from nas.datasets.tfds_prepare import install, target_of, tfds_builder
from nas.files import outside

_UNSIGNED_BYTE = 0x08


def prepare(name: str, source: str | Path, data_dir: str | Path | None = None) -> Path:
    """Prepares `mnist`, `fashion_mnist`, `kmnist`, `emnist/balanced`, ... from idx files in a folder.

    The result is the data set that TFDS would have made after a download: plain
    `tfds.load(name, data_dir=...)` reads it. Files may be gzipped or not, and are found by name
    (`train-images-idx3-ubyte`, with any `.gz`, also spelled `train-images.idx3-ubyte`).

    Returns:
        The folder it is in.

    Raises:
        DatasetError: unknown name, a missing or damaged file, or one that is not of this data set.
    """
    folder = expanded(source)
    if not folder.is_dir():
        raise DatasetError(f"--from needs a folder with idx files; {str(source)!r} is none")
    with tempfile.TemporaryDirectory(prefix="nas-idx-") as unpacked:
        files = _LocalFiles(folder, Path(unpacked))

        def make(stage: Path) -> Any:
            builder = tfds_builder(name, stage)
            if not tfds_catalog.is_prepared(target_of(builder, stage, data_dir)):
                _check(builder, files)
                builder._make_download_manager = lambda **_: files
            return builder

        return install(make, data_dir)


class _LocalFiles:
    """Stands in for TFDS' download manager: whatever is asked for is found by its file name."""

    downloaded_size = 0

    def __init__(self, folder: Path, unpacked: Path) -> None:
        self._unpacked = unpacked
        self._found = {_plain(path.name): path for path in sorted(folder.iterdir()) if path.is_file()}
        self._folder = folder

    def download_and_extract(self, wanted: Any) -> Any:
        """Paths of unpacked files for names or URLs, in the structure they came in."""
        if isinstance(wanted, Mapping):
            return {key: self.download_and_extract(value) for key, value in wanted.items()}
        name = _plain(PurePosixPath(str(wanted)).name)
        if "idx" not in name:
            return str(self._folder)  # EMNIST asks for a whole archive first, then for files inside it.
        if name not in self._found:
            raise DatasetError(
                f"{str(self._folder)!r} must hold {name} (or {name}.gz); found {sorted(self._found) or 'no file'}"
            )
        path, plain = self._found[name], self._unpacked / name
        if not plain.exists():
            refuse = partial(_cannot_be_unpacked, path)
            content = outside.read_bytes(path, refuse, outside.ARRAY)
            with outside.door(refuse):
                plain.write_bytes(content)
        return str(plain)

    download = extract = download_and_extract


def _cannot_be_unpacked(path: Path, reason: str) -> DatasetError:
    return DatasetError(f"{path} cannot be unpacked: {reason}")


def _plain(name: str) -> str:
    return name.removesuffix(".gz").replace(".", "-")


def _check(builder: Any, files: _LocalFiles) -> None:
    """Compares every file with what the builder is about to read, because it skips headers unread."""
    try:
        shape = builder.info.features["image"].shape
        classes = builder.info.features["label"].num_classes
        arguments = [generator.gen_kwargs for generator in builder._split_generators(files)]
        splits = [(some["num_examples"], some["data_path"], some["label_path"]) for some in arguments]
    except DatasetError:
        raise
    except Exception as error:  # Another format's builder may do anything with files that are not its own.
        raise DatasetError(f"{builder.name!r} is not in MNIST's idx format, so --from cannot help") from error
    for count, images, labels in splits:
        _check_file(Path(images), (count, *shape[:2]), builder.name)
        highest = max(_check_file(Path(labels), (count,), builder.name))
        if highest >= classes:
            raise DatasetError(
                f"labels of {builder.name!r} must lie in 0..{classes - 1}; {Path(labels).name} has {highest}"
            )


def _check_file(path: Path, expected: tuple[int, ...], name: str) -> bytes:
    """The values of an idx file: two zeros, a type, the rank, the sides as big-endian words, the bytes."""
    content = path.read_bytes()
    rank = content[3] if content[:3] == bytes([0, 0, _UNSIGNED_BYTE]) else 0
    sides = tuple(int.from_bytes(content[at : at + 4], "big") for at in range(4, 4 + 4 * rank, 4))
    if sides != expected or len(content) != 4 + 4 * rank + math.prod(expected):
        raise DatasetError(
            f"{name!r} needs {path.name} to be an idx file of {' x '.join(map(str, expected))} bytes; "
            f"received {' x '.join(map(str, sides)) or 'no idx header'} in {len(content):,} bytes"
        )
    return content[4 + 4 * rank :]
