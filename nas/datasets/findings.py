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

FAINT = 32
"""Levels of 255; images that differ by no more were scaled for something else, such as 12 bits saved as 16."""


def findings(spec: DatasetSpec) -> list[Finding]:
    """What the owner of the data should know: what reading them showed, then what their images show."""
    pictures = {name: _pictures(split) for name, split in spec.splits.items()}
    return [
        *spec.findings,
        *_twice(spec.splits, pictures),
        *_two_targets(spec.splits, pictures),
        *_looks(spec.splits),
        *_alike(spec.info.labels),
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
    ranges = {name: (int(split.images.min()), int(split.images.max())) for name, split in splits.items()}
    faint = {name: ends for name, ends in ranges.items() if ends[1] - ends[0] < FAINT}
    if len(faint) == len(splits):
        low, high = min(low for low, _ in faint.values()), max(high for _, high in faint.values())
        faint = {}
        found.append(Finding(text=f"all levels lie from {low} to {high} of 0 to 255; scale them before they are saved"))
    for name, (low, high) in faint.items():
        text = f"levels of the {name} images lie from {low} to {high} of 0 to 255; scale them as those of the others"
        found.append(Finding(text=text))
    channels = next(iter(splits.values())).images.shape[-1]
    if channels in (2, 4):
        text = f"images of {channels} channels are taken as they are; if the last is transparency, flatten it first"
        found.append(Finding(text=text))
    empty = {
        name: np.flatnonzero(np.ptp(split.images.reshape(len(split), -1), axis=1) == 0)
        for name, split in splits.items()
    }
    if count := sum(map(len, empty.values())):
        names = [each for name, where in empty.items() for each in _names(splits[name], name, where.tolist())]
        found.append(Finding(text=f"{counted(count, 'image')} of a single color", names=tuple(names)))
    return found


def _alike(labels: Sequence[str]) -> list[Finding]:
    """Classes that are one on a computer that does not tell cases apart."""
    seen: dict[str, list[str]] = {}
    for label in labels:
        seen.setdefault(" ".join(label.split()).casefold(), []).append(label)
    alike = [label for same in seen.values() if len(same) > 1 for label in same]
    return (
        [Finding(text="classes whose names differ only in upper and lower case", names=tuple(alike))] if alike else []
    )
