"""What a data set's masks hold: values of pixels, and the classes that they stand for."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from nas.datasets.spec import DatasetError
from nas.tasks import IGNORED

if TYPE_CHECKING:
    from nas.config import DatasetConfig

Values = npt.NDArray[Any]
Masks = npt.NDArray[np.uint8]


def check_values(values: Values, shape: tuple[int, ...], what: str) -> Values:
    """Masks as they are given, without an axis of channels.

    Args:
        values: `(n, height, width)` or `(n, height, width, 1)`.
        shape: `(n, height, width)` of the images.
        what: has them, for the message.

    Raises:
        DatasetError: another type or shape, or values that are no byte.
    """
    if values.ndim == 4 and values.shape[-1] in (3, 4):
        raise DatasetError(
            f"a mask has one number a pixel, its class; {what} has {values.shape[-1]} channels, as if colors stood for "
            f"classes; replace each color by the number of its class"
        )
    if values.dtype.kind not in "biu":
        raise DatasetError(f"a mask holds whole numbers, the classes of pixels; {what} has {values.dtype}")
    if values.ndim == 4 and values.shape[-1] == 1:
        values = values[..., 0]
    if values.shape != shape:
        raise DatasetError(
            f"each image needs a mask of its size; {what} has {values.shape}, where the images have {shape}"
        )
    if values.size and not 0 <= values.min() <= values.max() <= 255:
        raise DatasetError(
            f"values in masks are 0 to 255, where {IGNORED} stands for pixels to ignore; {what} has {values.min()} to "
            f"{values.max()}"
        )
    return values


def class_names(config: DatasetConfig, present: Collection[int], given: Sequence[str] = ()) -> tuple[str, ...]:
    """Names of the classes: those of `dataset.classes`, else those that the data bring, else their numbers.

    Args:
        config: of the data, whose name is that of messages.
        present: values in the masks.
        given: names that the data bring, of 0, 1, ...

    Raises:
        DatasetError: values between which some are missing, which may be levels of gray or numbers of objects.
    """
    if config.classes is not None:
        return tuple(config.classes)
    values = sorted(set(present) - {IGNORED})
    if given and values and values[-1] >= len(given):
        raise DatasetError(
            f"{config.name}: each class in masks needs a name; they hold {values[-1]}, and there are names of 0 to "
            f"{len(given) - 1}; add the others, or name the values that are classes in dataset.classes"
        )
    if given:
        return tuple(given)
    if values == [0] and IGNORED in present:
        raise DatasetError(
            f"{config.name}: masks hold 0 and {IGNORED} only, and {IGNORED} stands for pixels to ignore; name both in "
            f"dataset.classes, as in {{background: 0, object: {IGNORED}}}"
        )
    if values != list(range(len(values))):
        gap = next(value for value in range(256) if value not in values)
        raise DatasetError(
            f"{config.name}: masks hold 0, 1, 2, ...; there is no {gap}, and the largest is {values[-1]}; name the "
            f"values that are classes in dataset.classes, as in {{ground: {values[0]}, object: {values[-1]}}}"
        )
    return tuple(map(str, values))


def numbered(values: Values, config: DatasetConfig) -> Masks:
    """Masks of class numbers: with `dataset.classes`, values without a name are ignored."""
    if config.classes is None:
        return values.astype(np.uint8)
    table = np.full(256, IGNORED, np.uint8)
    for number, value in enumerate(config.classes.values()):
        table[value] = number
    return table[values.astype(np.uint8)]


def present_in(values: Values) -> set[int]:
    """The values in some masks."""
    return set(np.flatnonzero(np.bincount(values.reshape(-1).astype(np.uint8), minlength=256)).tolist())
