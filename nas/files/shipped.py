"""Where the shipped search spaces and experiments are: in a clone, an editable install or a wheel."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from nas.errors import ECHOED, printable, shown
from nas.files.yaml_file import FileError
from nas.registry import did_you_mean

_PACKAGE = Path(__file__).resolve().parent.parent


def _folder(name: str) -> Path:
    """In a wheel the folders lie inside the package, in a clone beside it."""
    shipped = _PACKAGE / "_data" / name
    return shipped if shipped.is_dir() else _PACKAGE.parent / name


def shipped(folder: str) -> dict[str, Path]:
    """Every shipped file of a folder by its name, such as `reference/vgg16`."""
    root = _folder(folder)
    return {path.relative_to(root).with_suffix("").as_posix(): path for path in sorted(root.rglob("*.yaml"))}


def find_space(name: str) -> Path:
    """File of a search space.

    Raises:
        FileError: there is none.
    """
    return _find(name, "search_spaces", "search space")


def find_experiment(name: str) -> Path:
    """File of an experiment.

    Raises:
        FileError: there is none.
    """
    return _find(name, "experiments", "experiment")


def _find(name: str, folder: str, what: str) -> Path:
    known = shipped(folder)
    if name in known:
        return known[name]
    path = Path(name)
    if path.suffix in (".yaml", ".yml"):
        with suppress(RuntimeError):  # ~somebody without a home
            path = path.expanduser()
        if os.path.isfile(path):
            return path
        raise FileError(
            f"there is no file {printable(name, most=ECHOED)}; give the path of another {what}, or one of "
            f"{', '.join(known)}"
        )
    raise FileError(
        f"there is no {what} {shown(name)}{did_you_mean(name, known)}; give a path ending in .yaml"
        f"{', a folder of class folders, an .npz file,' if folder == 'experiments' else ','} or one of "
        f"{', '.join(known)}"
    )
