"""Prepared TFDS data sets, read from the JSON files beside their records; TensorFlow is not imported."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatch
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nas.datasets import masks, tfds_features
from nas.datasets.embedded import DIGITS, EMBEDDED
from nas.datasets.images import shape_of
from nas.datasets.spec import DatasetError, DatasetInfo, user_path
from nas.errors import NasError, shown
from nas.files import outside
from nas.files.paths import tfds_folder
from nas.registry import did_you_mean

if TYPE_CHECKING:
    from nas.config import DatasetConfig

_REFERENCE = re.compile(r"(?P<name>\w+)(?:/(?P<config>[\w.+-]+))?(?::(?P<version>[\d*.]+))?")
_VERSION = re.compile(r"\d+\.\d+\.\d+")

MOST_CLASSES = 1_000_000


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """A data set that TFDS has written to this machine.

    Attributes:
        path: folder of its records, `data_dir/name[/config]/version`.
        info: shape and labels, after the resizing that the configuration asks for.
        image: name of its image feature.
        target: of the feature that is learned.
        splits: number of examples by split.
    """

    path: Path
    info: DatasetInfo
    image: str
    target: tfds_features.Target
    splits: dict[str, int]


def data_dir_of(data_dir: str | Path | None) -> Path:
    """Where TFDS keeps prepared data sets: as given, else `TFDS_DATA_DIR`, else `~/tensorflow_datasets`.

    Raises:
        DatasetError: there is no home directory.
    """
    with user_path():
        return tfds_folder(data_dir)


def find(config: DatasetConfig) -> Prepared:
    """The prepared data set that `config.name`, a TFDS `name[/config][:version]`, means.

    Raises:
        DatasetError: not prepared, not known, or without a target that can be learned.
    """
    root = data_dir_of(config.data_dir)
    match = _REFERENCE.fullmatch(config.name)
    versions = _versions(root / match["name"], match["config"], match["version"] or "*") if match else []
    if not versions:
        raise DatasetError(_absent(config.name, root))
    return _read(versions[-1], root, config)


def known_datasets(data_dir: str | Path | None = None) -> list[DatasetInfo]:
    """The image data sets that are ready on this machine: the embedded ones, then what TFDS has prepared."""
    from nas.config import DatasetConfig

    root = data_dir_of(data_dir)
    known = [*EMBEDDED.values()]
    for path in _all(root):
        try:
            info = _read(path, root, DatasetConfig(name=path.name)).info
        except DatasetError:
            continue  # Nothing that this project could search on, or not without more said in `dataset`.
        if not info.name.startswith(f"{DIGITS.name}:"):
            known.append(info)
    return known


def is_prepared(path: Path) -> bool:
    # TFDS writes this file last, then renames the folder.
    return (path / "dataset_info.json").is_file()


def hint(name: str, candidates: Iterable[str] = ()) -> str:
    """What a user may have meant: the name of one of TFDS' data sets or of the candidates; "" if none is near."""
    import tensorflow_datasets as tfds

    return did_you_mean(name.lower(), [*tfds.list_builders(with_community_datasets=False), *candidates])


def _absent(name: str, root: Path) -> str:
    import tensorflow_datasets as tfds

    references = [_reference(path, root) for path in _all(root)]
    ready = [*EMBEDDED, *(each for each in references if not each.startswith(f"{DIGITS.name}:"))]
    match = _REFERENCE.fullmatch(name)
    if not match or match["name"] not in tfds.list_builders(with_community_datasets=False):
        near = hint(name, ready) or f"; ready here: {', '.join(ready)}"
        return (
            f"a data set is {DIGITS.name!r}, a TFDS name, a folder of images or an .npz file; "
            f"{shown(name)} is none of these{near}"
        )
    return (
        f"TFDS data set {name!r} is not prepared in {root}; run `nas datasets prepare {name}` with a network, add "
        f"--from DIR if you have its files in MNIST's idx format, or set dataset.data_dir to where it is; "
        f"ready here: {', '.join(ready)}"
    )


def _all(root: Path) -> list[Path]:
    """Every prepared version below a data folder, sorted."""
    found = [*root.glob("[!.]*/*/dataset_info.json"), *root.glob("[!.]*/*/*/dataset_info.json")]
    return sorted(path.parent for path in found if _VERSION.fullmatch(path.parent.name))


def _reference(path: Path, root: Path) -> str:
    *name, version = path.relative_to(root).parts
    return f"{'/'.join(name)}:{version}"


def _versions(folder: Path, config: str | None, pattern: str) -> list[Path]:
    """Prepared versions that match, oldest first."""
    if config is None and not _numbered(folder, "*"):
        config = _default_config(folder)
    return _numbered(folder / (config or ""), pattern)


def _numbered(folder: Path, pattern: str) -> list[Path]:
    found = [path for path in folder.glob("*") if _VERSION.fullmatch(path.name) and is_prepared(path)]
    found = [path for path in found if fnmatch(path.name, pattern)]
    return sorted(found, key=lambda path: [int(part) for part in path.name.split(".")])


def _default_config(folder: Path) -> str | None:
    """The configuration that a bare name means: TFDS' default if it is prepared, else the only one."""
    configs = sorted(path.name for path in folder.glob("[!.]*") if _numbered(path, "*"))
    metadata = folder / ".config" / "metadata.json"
    default = None
    with outside.door(partial(_unreadable, metadata)):
        if metadata.is_file():
            default = _json(metadata).get("default_config_name")
    if default in configs:
        return str(default)
    if len(configs) > 1:
        raise DatasetError(
            f"{folder.name!r} has several prepared configurations, so one must be named: "
            f"{', '.join(f'{folder.name}/{config}' for config in configs)}"
        )
    return configs[0] if configs else None


def _read(path: Path, root: Path, config: DatasetConfig) -> Prepared:
    name = _reference(path, root)
    with outside.door(partial(_unreadable, path), keep=DatasetError):
        features = _json(path / "features.json")["featuresDict"]["features"]
        info = _json(path / "dataset_info.json")
        image_key, target = tfds_features.pair(features, info, name, config)
        image = features[image_key]["image"]
        height, width, channels = (int(side) for side in image["shape"]["dimensions"])
        splits = {split["name"]: sum(map(int, split["shardLengths"])) for split in info["splits"]}
        labels = _labels(path, target, config, name)
        dtype = image["dtype"]
    if dtype != "uint8":
        raise DatasetError(f"images must be uint8; TFDS data set {name!r} has {dtype}")
    if "train" not in splits:
        raise DatasetError(f"a train split is needed; TFDS data set {name!r} has {shown(sorted(splits))}")
    height, width, channels = shape_of((height, width, max(channels, 1)), config)
    if min(height, width) < 1:
        raise DatasetError(f"images of {name!r} have several sizes: set dataset.image_size")
    return Prepared(
        path=path,
        info=DatasetInfo(
            name=name,
            input_shape=(height, width, channels),
            labels=labels,
            task=target.task,
            images=splits,
        ),
        image=image_key,
        target=target,
        splits=splits,
    )


def _json(path: Path) -> Any:
    return outside.parse_json(outside.read_text(path, NasError))


def _unreadable(path: Path, reason: str) -> DatasetError:
    return DatasetError(f"{path} is not readable as a TFDS data set ({reason}); prepare it again")


def _labels(path: Path, target: tfds_features.Target, config: DatasetConfig, name: str) -> tuple[str, ...]:
    """Names of the classes: of a class label as TFDS has written them, of masks from `dataset.classes`, too."""
    if config.classes is not None:
        return masks.class_names(config, ())
    if target.classes is None:
        raise DatasetError(
            f"TFDS data set {name!r} has masks, but no names of their values; name those that are classes in "
            f"dataset.classes, as in [ground, road], or {{pet: 1, ground: 2}}"
        )
    if not 1 <= target.classes <= MOST_CLASSES:
        raise ValueError(f"it has 1 to {MOST_CLASSES:,} classes; received {target.classes:,}")
    names = path / f"{target.label.replace('/', '-')}.labels.txt"
    if names.is_file():
        return tuple(outside.read_text(names, NasError).splitlines())
    return tuple(map(str, range(target.classes)))
