"""Images and their targets: what they look like, and their three disjoint splits."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from nas.errors import NasError
from nas.files import paths
from nas.files.yaml_file import FileError
from nas.tasks import DEFAULT_TASK, TASKS, TargetError

if TYPE_CHECKING:
    import numpy as np

ImageShape = tuple[int, int, int]
"""`(height, width, channels)` of one image, channels last, no batch axis."""


SPLIT_NAMES = {
    "train": "train",
    "training": "train",
    "validation": "validation",
    "valid": "validation",
    "val": "validation",
    "dev": "validation",
    "test": "test",
    "testing": "test",
}
"""What splits are called, in any case, and the name of each here."""


class DatasetError(NasError):
    """A data set that is missing, unreadable or does not fit."""


def expanded(path: str | Path) -> Path:
    """A user's path, with the home directory in place of its `~`.

    Raises:
        DatasetError: that home directory is not known.
    """
    with user_path():
        return paths.expanded(path)


@contextmanager
def user_path() -> Iterator[None]:
    """Turn what is wrong with a user's path into what is wrong with the data set.

    Raises:
        DatasetError: instead of a `FileError`.
    """
    try:
        yield
    except FileError as error:
        raise DatasetError(str(error)) from None


@dataclass(frozen=True, kw_only=True)
class DatasetInfo:
    """What is known of a data set without reading its images.

    Attributes:
        name: as a user would write it; with the version for TFDS data sets.
        input_shape: `(height, width, channels)`.
        labels: class names; a class is a position in this tuple.
        task: what its targets are for; a key of `nas.tasks.TASKS`.
        images: how many the data set brings, by split: `train`, perhaps `validation` and `test`; {} if unknown.

    Raises:
        DatasetError: a side below 1, or names of classes that the task cannot have.
    """

    name: str
    input_shape: ImageShape
    labels: tuple[str, ...]
    task: str = DEFAULT_TASK.name
    images: Mapping[str, int] = field(default_factory=dict, compare=False)

    def __post_init__(self) -> None:
        if len(self.input_shape) != 3 or min(self.input_shape) < 1:
            raise DatasetError(
                f"images must be (height, width, channels), all at least 1; {self.name!r} has {self.input_shape}"
            )
        try:
            TASKS[self.task].check_labels(self.labels, repr(self.name))
        except TargetError as error:
            raise DatasetError(str(error)) from None


@dataclass(frozen=True, kw_only=True, eq=False)
class Split:
    """Images and their targets, in memory.

    Attributes:
        images: uint8 `(n, height, width, channels)`, 0..255.
        targets: of the task, `(n, ...)`; class labels are int64 `(n,)`.
        names: of the images, str `(n,)`, for people; None where a source has no better ones than their positions.

    Raises:
        DatasetError: another dtype or rank of images, no images, or not one target an image.
    """

    images: np.ndarray
    targets: np.ndarray
    names: np.ndarray | None = None

    def __post_init__(self) -> None:
        images, targets = self.images, self.targets
        if images.dtype != "uint8" or images.ndim != 4:
            raise DatasetError(
                f"images must be uint8 (n, height, width, channels); received {images.dtype} {images.shape}"
            )
        if len(images) != len(targets):
            raise DatasetError(
                f"each image needs one target; received {len(images):,} images and {len(targets):,} targets"
            )
        if not len(images):
            raise DatasetError("a split needs at least one image; received none")

    def __len__(self) -> int:
        return len(self.images)

    @property
    def nbytes(self) -> int:
        """Of images and targets."""
        return self.images.nbytes + self.targets.nbytes

    @cached_property
    def digest(self) -> str:
        """Equal for the same images with the same targets in the same order, 32 hexadecimal digits."""
        import numpy as np

        digest = hashlib.blake2b(digest_size=16)
        for array in (self.images, self.targets):
            digest.update(f"{array.dtype} {array.shape}:".encode())
            digest.update(np.ascontiguousarray(array).data)
        return digest.hexdigest()

    def take(self, indices: np.ndarray) -> Split:
        """The images at `indices`, int `(m,)`, in that order."""
        names = None if self.names is None else self.names[indices]
        return Split(images=self.images[indices], targets=self.targets[indices], names=names)


@dataclass(frozen=True, kw_only=True)
class Finding:
    """Something about the data that their owner should know.

    Attributes:
        text: one line, with numbers.
        names: of the images or files, for `nas datasets check`.
        unreadable: whether a search without `skip_corrupt` ends for it.
    """

    text: str
    names: tuple[str, ...] = ()
    unreadable: bool = False


@dataclass(frozen=True, kw_only=True, eq=False)
class Arrays:
    """What a source brings: images for training, and the other splits where the data set has its own.

    Attributes:
        findings: what was left out, and what a source saw.

    Raises:
        DatasetError: a split whose images or targets contradict `info`.
    """

    info: DatasetInfo
    train: Split
    validation: Split | None = None
    test: Split | None = None
    findings: tuple[Finding, ...] = ()

    def __post_init__(self) -> None:
        _check(self.info, {"train": self.train, "validation": self.validation, "test": self.test})


@dataclass(frozen=True, kw_only=True, eq=False)
class DatasetSpec:
    """Three disjoint splits. The search sees `train` and `validation`; `test` is for the final score only.

    Attributes:
        drawn: the splits that were drawn from the training images, because the data set has none of its own.
        findings: what was left out, and what splits lack; `nas.datasets.findings` looks at the images, too.

    Raises:
        DatasetError: a split whose images or targets contradict `info`.
    """

    info: DatasetInfo
    train: Split
    validation: Split
    test: Split
    drawn: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()

    def __post_init__(self) -> None:
        _check(self.info, self.splits)

    @property
    def splits(self) -> dict[str, Split]:
        """By name."""
        return {"train": self.train, "validation": self.validation, "test": self.test}


def _check(info: DatasetInfo, splits: Mapping[str, Split | None]) -> None:
    for name, split in splits.items():
        if split is None:
            continue
        if split.images.shape[1:] != info.input_shape:
            raise DatasetError(
                f"all images of {info.name!r} must be {info.input_shape}; its {name} split has {split.images.shape[1:]}"
            )
        try:
            where = f"the {name} split of {info.name!r}"
            TASKS[info.task].check_targets(split.targets, info.labels, where, input_shape=info.input_shape)
        except TargetError as error:
            raise DatasetError(str(error)) from None
