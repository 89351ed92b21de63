"""A data set prepared once and mapped into every worker's memory."""

from __future__ import annotations

import json
from pathlib import Path

from nas.datasets import DatasetInfo, DatasetSpec, Split

_SPLITS = ("train", "validation", "test")


def write_shared(data: DatasetSpec, folder: Path) -> None:
    """Write the splits as plain `.npy` files."""
    import numpy as np

    folder.mkdir(parents=True, exist_ok=True)
    for name in _SPLITS:
        split: Split = getattr(data, name)
        np.save(folder / f"{name}-images.npy", split.images)
        np.save(folder / f"{name}-labels.npy", split.labels)
    info = {"name": data.info.name, "input_shape": data.info.input_shape, "labels": data.info.labels}
    (folder / "info.json").write_text(json.dumps(info), encoding="utf-8")


def read_shared(folder: Path) -> DatasetSpec:
    """Map what `write_shared` wrote: pages are shared by all processes and read when they are used."""
    import numpy as np

    info = json.loads((folder / "info.json").read_text(encoding="utf-8"))
    height, width, channels = info["input_shape"]
    splits = {
        name: Split(
            images=np.load(folder / f"{name}-images.npy", mmap_mode="r"),
            labels=np.load(folder / f"{name}-labels.npy", mmap_mode="r"),
        )
        for name in _SPLITS
    }
    return DatasetSpec(
        info=DatasetInfo(name=info["name"], input_shape=(height, width, channels), labels=tuple(info["labels"])),
        **splits,
    )
