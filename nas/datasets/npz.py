"""Images in a numpy archive, an .npz file."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, final

import numpy as np

from nas.datasets import named_arrays, named_targets
from nas.datasets.spec import Arrays, DatasetError, DatasetInfo, expanded
from nas.errors import shown
from nas.files import outside

if TYPE_CHECKING:
    from nas.config import DatasetConfig


def accepts(config: DatasetConfig) -> bool:
    return config.name.endswith(".npz")


def peek(config: DatasetConfig) -> DatasetInfo:
    """ImageShape from the header of the images' array; only the targets are read.

    Raises:
        DatasetError: no such file, or not the expected arrays.
    """
    with _open(config) as archive:
        arrays = _Archive(config, archive)
        pairs = named_targets.pairs(config, arrays)
        shapes = {split: _header_shape(config, images) for split, (images, _) in pairs.items()}
        return named_arrays.peek(config, arrays, shapes)


def load_arrays(config: DatasetConfig, *, preview: bool = False) -> Arrays:
    """The archive's arrays; as a preview without TensorFlow, as `named_arrays.load` says.

    Raises:
        DatasetError: no such file, not the expected arrays, or values out of range.
    """
    with _open(config) as archive:
        return named_arrays.load(config, _Archive(config, archive), preview=preview)


@final
class _Archive(Mapping[str, np.ndarray]):
    """An open file, whose arrays are read when they are asked for; what cannot be read is a `DatasetError`."""

    def __init__(self, config: DatasetConfig, archive: Any) -> None:
        self._config, self._archive = config, archive

    def __getitem__(self, key: str) -> np.ndarray:
        with _reading(self._config, key):
            return np.asarray(self._archive[key])

    def __contains__(self, key: object) -> bool:
        return key in self._archive.files

    def __iter__(self) -> Iterator[str]:
        return iter(self._archive.files)

    def __len__(self) -> int:
        return len(self._archive.files)


def _open(config: DatasetConfig) -> Any:
    path = expanded(config.name)
    if not os.path.exists(path):
        raise DatasetError(f"an existing .npz file is needed; received {shown(config.name)}")

    def refuse(reason: str) -> DatasetError:
        # numpy takes anything else for a pickle, and says how to read that unsafely.
        why = "" if "pickle" in reason else f": {reason}"
        return DatasetError(
            f"{config.name!r} cannot be read as an .npz file{why}; save images and labels with numpy.savez"
        )

    with outside.door(refuse):
        return outside.open_arrays(path)


def _header_shape(config: DatasetConfig, key: str) -> tuple[int, ...]:
    """`(n, height, width, channels)`."""
    with _reading(config, key), zipfile.ZipFile(expanded(config.name)) as archive, archive.open(f"{key}.npy") as member:
        major, _ = np.lib.format.read_magic(member)
        read = np.lib.format.read_array_header_1_0 if major == 1 else np.lib.format.read_array_header_2_0
        shape, _, dtype = read(member)
    named_arrays.check_images(config, key, shape, dtype)
    return (*shape, 1) if len(shape) == 3 else shape


def _reading(config: DatasetConfig, key: str) -> AbstractContextManager[None]:
    def refuse(reason: str) -> DatasetError:
        if "allow_pickle=False" in reason:
            return DatasetError(
                f"{config.name}: {key} holds Python objects, which are never loaded, as they can run code; save "
                f"{key}.astype(str), or .astype('int64') for numbers"
            )
        return DatasetError(f"{config.name}: {key} cannot be read as plain numbers: {reason}")

    return outside.door(refuse)
