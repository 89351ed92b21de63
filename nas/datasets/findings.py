"""What stands out in data: the same picture twice, empty pictures, levels that hardly differ."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping, Sequence
from itertools import combinations

import numpy as np

from nas.datasets.spec import DatasetSpec, Finding, Split
from nas.quantity import counted

logger = logging.getLogger(__name__)

FAINT = 8
"""Levels of 255; images that differ by no more hold next to nothing for a network, and nothing for an eye."""


def findings(spec: DatasetSpec) -> list[Finding]:
    """What the owner of the data should know: what reading them showed, then what their images show."""
    pictures = {name: _pictures(split) for name, split in spec.splits.items()}
    return [
        *spec.findings,
        *_twice(spec.splits, pictures),
        *_two_targets(spec.splits, pictures),
        *_looks(spec.splits),
    ]


def described(spec: DatasetSpec) -> str:
    """How many images are in which split, and where it comes from."""
    parts = [
        f"{len(split):,} {name}{' (drawn from train)' if name in spec.drawn else ''}"
        for name, split in spec.splits.items()
    ]
    return f"{', '.join(parts)} images"


def tell(spec: DatasetSpec) -> None:
    """Log what was taken, and each finding."""
    logger.info("data: %s", described(spec))
    for finding in findings(spec):
        logger.warning("data: %s", finding.text)


def _pictures(split: Split) -> list[bytes]:
    """A digest of the pixels of each image."""
    return [hashlib.blake2b(image.tobytes(), digest_size=16).digest() for image in split.images]


def _names(split: Split, where: str, positions: Sequence[int]) -> tuple[str, ...]:
    if split.names is None:
        return tuple(f"{where}[{position}]" for position in positions)
    return tuple(map(str, split.names[list(positions)]))


def _twice(splits: Mapping[str, Split], pictures: Mapping[str, list[bytes]]) -> list[Finding]:
    found = []
    for first, second in combinations(splits, 2):
        there = set(pictures[first])
        if copies := [position for position, each in enumerate(pictures[second]) if each in there]:
            text = (
                f"{len(copies):,} of {counted(len(splits[second]), f'{second} image')} "
                f"{'is' if len(copies) == 1 else 'are'} also in {first}: the {second} score is too good"
            )
            found.append(Finding(text=text, names=_names(splits[second], second, copies)))
    return found


def _two_targets(splits: Mapping[str, Split], pictures: Mapping[str, list[bytes]]) -> list[Finding]:
    places: dict[bytes, list[tuple[str, int]]] = {}
    for name in splits:
        for position, each in enumerate(pictures[name]):
            places.setdefault(each, []).append((name, position))
    different = [
        same
        for same in places.values()
        if len(same) > 1 and len({splits[name].targets[position].tobytes() for name, position in same}) > 1
    ]
    if not different:
        return []
    names = [_names(splits[name], name, [position])[0] for same in different for name, position in same]
    return [Finding(text=f"{counted(len(different), 'picture')} under more than one label", names=tuple(names))]


def _looks(splits: Mapping[str, Split]) -> list[Finding]:
    found = []
    low, high = (
        min(int(split.images.min()) for split in splits.values()),
        max(int(split.images.max()) for split in splits.values()),
    )
    if high - low < FAINT:
        found.append(Finding(text=f"all levels lie from {low} to {high} of 0 to 255; scale them before they are saved"))
    empty = {
        name: np.flatnonzero(np.ptp(split.images.reshape(len(split), -1), axis=1) == 0)
        for name, split in splits.items()
    }
    if count := sum(map(len, empty.values())):
        names = [each for name, where in empty.items() for each in _names(splits[name], name, where.tolist())]
        found.append(Finding(text=f"{counted(count, 'image')} of a single color", names=tuple(names)))
    return found
