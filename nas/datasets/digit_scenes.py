"""The embedded default of tasks with a place: scenes of a few handwritten digits, with their masks and boxes.

Everything is drawn from raw bits of PCG64 by integer arithmetic, so that the scenes are equal on every machine.
"""

from __future__ import annotations

import dataclasses
import functools
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from nas.datasets.embedded import DIGIT_SCENES
from nas.datasets.images import fitted_arrays, fitted_targets, shape_of
from nas.datasets.spec import Arrays, DatasetInfo, Split
from nas.datasets.splits import draw

if TYPE_CHECKING:
    from nas.config import DatasetConfig

    Pixels = npt.NDArray[np.uint8]

SIDE = 48
"""Pixels of a scene's side."""

MOST = 6
"""Digits in a scene."""

INK = 96
"""A digit's pixels from this level on are the digit: its box and its mask. Fainter ones are drawn, as noise is."""

NOISE = 80
"""Levels below this one, drawn uniformly, are the ground."""

TRIES = 12
"""Places that are tried for a digit, which is left out when each of them touches another digit."""

_SEED = 48
_TRIED = 3 * MOST * TRIES
_WORDS = 1 + _TRIED + SIDE * SIDE // 8
"""Random numbers of a scene: one for how many digits, three for each try, one for the noise of eight pixels."""


def accepts(config: DatasetConfig) -> bool:
    return config.name in DIGIT_SCENES


def peek(config: DatasetConfig) -> DatasetInfo:
    info = DIGIT_SCENES[config.name]
    return dataclasses.replace(info, input_shape=shape_of(info.input_shape, config))


def load_arrays(config: DatasetConfig) -> Arrays:
    """1,200 scenes to train on, 300 to validate and 300 to test, made of different digits."""
    info = DIGIT_SCENES[config.name]
    splits = {}
    for name, (images, masks, boxes) in scenes().items():
        targets = masks if info.task == "segmentation" else boxes
        splits[name] = Split(
            images=fitted_arrays(images, config), targets=fitted_targets(targets, info.task, (SIDE, SIDE), config)
        )
    return Arrays(info=peek(config), train=splits["train"], validation=splits["validation"], test=splits["test"])


@functools.cache
def scenes() -> dict[str, tuple[Pixels, Pixels, npt.NDArray[np.float32]]]:
    """By split: images uint8 `(n, 48, 48, 1)`, masks uint8 `(n, 48, 48)` and boxes float32 `(n, 6, 5)`."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    levels = (digits.images.astype(np.int64) * 255 // 16).astype(np.uint8)
    # Digits of their own for each split, so that no network is tested on digits that it was trained with.
    rest, test = draw(digits.target, len(levels) // 6, (_SEED, 0))
    train, validation = (rest[part] for part in draw(digits.target[rest], len(levels) // 6, (_SEED, 1)))
    counts = DIGIT_SCENES["digit_scenes_segmentation"].images
    made = {}
    for number, (name, own) in enumerate({"train": train, "validation": validation, "test": test}.items()):
        raw = np.random.PCG64((_SEED, 2, number)).random_raw(counts[name] * _WORDS).reshape(counts[name], _WORDS)
        parts = [_scene(words, levels[own], digits.target[own]) for words in raw]
        images, masks, boxes = (np.stack(part) for part in zip(*parts, strict=True))
        made[name] = (images[..., None], masks, boxes)
    return made


def _scene(
    words: npt.NDArray[np.uint64], levels: Pixels, classes: npt.NDArray[np.int64]
) -> tuple[Pixels, Pixels, npt.NDArray[np.float32]]:
    """One scene from its random numbers; the number of digits is that of places that were found for them."""
    count = 1 + int(words[0]) % MOST
    tries, noise = words[1 : 1 + _TRIED].reshape(MOST, TRIES, 3), words[1 + _TRIED :]
    image = (noise.astype("<u8").view(np.uint8).astype(np.int64) * NOISE // 256).astype(np.uint8).reshape(SIDE, SIDE)
    mask = np.zeros((SIDE, SIDE), np.uint8)
    boxes = np.full((MOST, 5), -1, np.float32)
    taken = np.zeros((SIDE, SIDE), np.bool_)
    placed = 0
    for choices in tries[:count].tolist():
        for which, row, column in choices:
            digit, scale = which % len(levels), 1 + (which >> 32) % 2
            pixels = levels[digit].repeat(scale, axis=0).repeat(scale, axis=1)
            ink = pixels >= INK
            rows, columns = np.flatnonzero(ink.any(axis=1)), np.flatnonzero(ink.any(axis=0))
            pixels, ink = (each[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1] for each in (pixels, ink))
            height, width = ink.shape
            top, left = row % (SIDE - height + 1), column % (SIDE - width + 1)
            bottom, right = top + height, left + width
            # With a pixel around it, so that no two boxes touch.
            if taken[max(top - 1, 0) : bottom + 1, max(left - 1, 0) : right + 1].any():
                continue
            taken[top:bottom, left:right] = True
            image[top:bottom, left:right] = np.maximum(image[top:bottom, left:right], pixels)
            mask[top:bottom, left:right] = np.where(ink, 1 + classes[digit], 0)
            boxes[placed] = (top / SIDE, left / SIDE, bottom / SIDE, right / SIDE, classes[digit])
            placed += 1
            break
    return image, mask, boxes
