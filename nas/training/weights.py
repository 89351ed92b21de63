"""One network's weights as a file that says whose they are."""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from nas.errors import NasError
from nas.files import outside

if TYPE_CHECKING:
    from nas.architecture import Architecture
    from nas.training.model import Weights

_ARCHITECTURE = "architecture"


def save_weights(path: Path, architecture: Architecture, weights: Weights) -> None:
    """Writes an .npz file, whole or not at all; it survives a crash right after the call.

    Raises:
        NasError: the file cannot be written.
    """
    arrays = {f"{index:05d}": np.asarray(array) for index, array in enumerate(weights)}
    temporary = ""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
            temporary = file.name
            np.savez(file, allow_pickle=False, **{_ARCHITECTURE: np.array(architecture.id)}, **arrays)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as error:
        raise NasError(
            f"cannot write the weights to {path}: {error.strerror or error}; free space or choose another folder"
        ) from error
    finally:
        with contextlib.suppress(OSError):
            os.unlink(temporary)


def load_weights(path: Path, architecture: Architecture) -> list[npt.NDArray[Any]]:
    """The arrays that `save_weights` wrote, in their order.

    Raises:
        NasError: no such file, not such a file, or another architecture's.
    """
    if not path.exists():
        raise NasError(f"there are no weights at {path}; train the architecture again")

    def refuse(reason: str) -> NasError:
        return NasError(
            f"{path} must be a weights file of nas; it is damaged or something else ({reason}); delete it and train "
            f"the architecture again"
        )

    with outside.door(refuse), outside.open_arrays(path) as file:
        owner = str(file[_ARCHITECTURE])
        weights = [file[name] for name in sorted(set(file.files) - {_ARCHITECTURE})]
    if owner != architecture.id:
        raise NasError(
            f"{path} must hold the weights of architecture {architecture.id}; it holds those of {owner}; "
            "use the file of the same trial"
        )
    return weights
