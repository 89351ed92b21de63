"""Paths as people write them, and the names of data sets that are none."""

from __future__ import annotations

import os
from pathlib import Path

from nas.files.yaml_file import FileError

EMBEDDED = ("digits", "digit_scenes_segmentation", "digit_scenes_detection")
"""The data sets that come with the package."""

ARRAYS = "arrays"
"""The data set that a Python program holds."""


def expanded(path: str | Path) -> Path:
    """A user's path, with the home directory in place of its `~`.

    Raises:
        FileError: that home directory is not known.
    """
    try:
        return Path(path).expanduser()
    except RuntimeError:
        raise FileError(
            f"the home directory of {str(path)!r} is not known; give a path without ~, for TFDS in TFDS_DATA_DIR or "
            f"dataset.data_dir"
        ) from None


def absolute(path: str | Path, folder: Path) -> str:
    """Where a path leads that is relative to a folder: equal for every spelling of it.

    A link at its end is kept, as the name may say what the file is.

    Raises:
        FileError: as `expanded`.
    """
    place = folder.absolute() / expanded(path)
    try:
        # Not by its text alone: `link/..` is above the folder that the link leads to.
        return str(place.resolve() if place.name == ".." else place.parent.resolve() / place.name)
    except ValueError:
        return str(path)  # What no path can be is told where it is read.


def tfds_folder(data_dir: str | Path | None) -> Path:
    """Where TFDS keeps prepared data sets: as given, else `TFDS_DATA_DIR`, else `~/tensorflow_datasets`.

    Raises:
        FileError: there is no home directory.
    """
    return expanded(data_dir or os.environ.get("TFDS_DATA_DIR") or "~/tensorflow_datasets")


def located(dataset: str, folder: Path, data_dir: str | Path | None) -> str:
    """A data set that is a folder or an .npz file by its absolute path, and any other by its name.

    Args:
        dataset: its name, or a path relative to `folder`.
        folder: of the file that says it, or the current one.
        data_dir: where TFDS keeps prepared data sets, which have names; as for `tfds_folder`.

    Raises:
        FileError: a folder and a data set have that name.
    """
    if dataset in ("", ARRAYS):
        return dataset
    # A name with a slash may still be TFDS' name/config; these can only be paths.
    if not dataset.startswith((".", "/", "~")) and not dataset.endswith(("/", ".npz")):
        if not os.path.isdir(folder / dataset):
            return dataset
        if dataset in EMBEDDED or any((tfds_folder(data_dir) / dataset).rglob("dataset_info.json")):
            raise FileError(
                f"dataset {dataset!r} is a folder in {folder.absolute()} and a data set too; write {f'./{dataset}'!r} "
                f"for the folder, or rename it for the data set"
            )
    return absolute(dataset, folder)
