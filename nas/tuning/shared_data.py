"""A data set prepared once, in each form that networks take, and mapped into every worker's memory."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from nas.datasets import DatasetInfo, DatasetSpec, Split
from nas.errors import NasError

if TYPE_CHECKING:
    from nas.tuning.execution import Forms

_SPLITS = ("train", "validation", "test")


def write_shared(data: Forms, folder: Path) -> None:
    """Write the splits as plain `.npy` files, in place of what a killed process may have left in the folder.

    Raises:
        NasError: the folder cannot take them.
    """
    shutil.rmtree(folder, ignore_errors=True)
    try:
        for shape, form in data.items():
            _write(form, folder / "x".join(map(str, shape)))
    except OSError as error:
        size = sum(split.nbytes for form in data.values() for split in form.splits.values())
        raise NasError(
            f"cannot share the data set with the worker processes: {folder} does not take its {-(-size // 10**6):,} MB "
            f"({error.strerror or error}); everything that finished is kept; free space or make the folder writable, "
            f"then run the same command again"
        ) from None


def _write(data: DatasetSpec, folder: Path) -> None:
    import numpy as np

    info = {
        "name": data.info.name,
        "input_shape": data.info.input_shape,
        "labels": data.info.labels,
        "task": data.info.task,
    }
    folder.mkdir(parents=True, exist_ok=True)
    for name, split in data.splits.items():
        np.save(folder / f"{name}-images.npy", split.images)
        np.save(folder / f"{name}-targets.npy", split.targets)
    (folder / "info.json").write_text(json.dumps(info), encoding="utf-8")


def read_shared(folder: Path) -> Forms:
    """Map what `write_shared` wrote: pages are shared by all processes and read when they are used."""
    read = (_read(each) for each in folder.iterdir())
    return {form.info.input_shape: form for form in read}


def _read(folder: Path) -> DatasetSpec:
    import numpy as np

    info = json.loads((folder / "info.json").read_text(encoding="utf-8"))
    height, width, channels = info["input_shape"]
    splits = {
        name: Split(
            images=np.load(folder / f"{name}-images.npy", mmap_mode="r"),
            targets=np.load(folder / f"{name}-targets.npy", mmap_mode="r"),
        )
        for name in _SPLITS
    }
    return DatasetSpec(
        info=DatasetInfo(
            name=info["name"], input_shape=(height, width, channels), labels=tuple(info["labels"]), task=info["task"]
        ),
        train=splits["train"],
        validation=splits["validation"],
        test=splits["test"],
    )
