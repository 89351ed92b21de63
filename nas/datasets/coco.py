"""COCO's JSON of boxes, beside its images: a file for all, or one a split."""

from __future__ import annotations

import mmap
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

import numpy as np
import numpy.typing as npt

from nas.datasets.boxes import Boxes, padded
from nas.datasets.images import fitted_targets
from nas.datasets.pictures import finding, folders, read, split_of, unreadable, visible
from nas.datasets.spec import Arrays, DatasetError, DatasetInfo, Finding, Split, expanded
from nas.errors import shown
from nas.files import outside

if TYPE_CHECKING:
    from nas.config import DatasetConfig


@final
@dataclass(frozen=True, kw_only=True)
class _Part:
    """A split.

    Attributes:
        images: each with the (height, width) that the annotations say, and its boxes `(boxes, 6)`: four sides, COCO's
            category, and whether it is a crowd.
        categories: names by COCO's numbers.
        flat: images with a box of which nothing is inside, once for each.
    """

    images: list[tuple[Path, tuple[float, float], npt.NDArray[np.float64]]]
    categories: dict[int, str]
    flat: list[Path]


def accepts(config: DatasetConfig) -> bool:
    root = Path(config.name)
    return root.is_absolute() and root.is_dir() and bool(_files(root))


def peek(config: DatasetConfig) -> DatasetInfo:
    """Classes from the JSON, shape from the first image.

    Raises:
        DatasetError: a JSON that is not COCO's, or an image that is missing.
    """
    parts, names, _ = _read(config)
    first = next((found for path, _, _ in parts["train"].images if (found := read(path, config)) is not None), None)
    if first is None:
        raise DatasetError(f"no training image in {config.name!r} can be read")
    return _info(config, first.pixels.shape, names, {split: len(part.images) for split, part in parts.items()})


def load_arrays(config: DatasetConfig) -> Arrays:
    """All images, resized to `image_size` if it is given, and their boxes.

    A crowd, as COCO calls it, is a box that a metric ignores: -2 stands for class 0, -3 for class 1 and so on.

    Raises:
        DatasetError: as `peek`, or images of several sizes without `image_size`.
    """
    parts, names, findings = _read(config)
    classes = {number: place for place, number in enumerate(names)}
    pixels: dict[str, list[np.ndarray]] = {}
    boxes: dict[str, list[Boxes]] = {}
    paths: dict[str, list[str]] = {}
    skipped, other_sizes = list[Path](), list[Path]()
    for split, part in parts.items():
        pixels[split], boxes[split], paths[split] = [], [], []
        for path, size, given in part.images:
            picture = read(path, config)
            if picture is None:
                skipped.append(path)
                continue
            if size != picture.shape:
                other_sizes.append(path)
            first = (pixels["train"] or [picture.pixels])[0]
            if picture.pixels.shape != first.shape:
                raise DatasetError(
                    f"all images must have one size, or dataset.image_size must be set; {path} is "
                    f"{picture.pixels.shape}, the first image is {first.shape}"
                )
            pixels[split].append(picture.pixels)
            place = np.array([classes[int(number)] for number in given[:, 4]], np.float32)
            rows = np.column_stack([given[:, :4], np.where(given[:, 5] > 0, -2 - place, place)]).astype(np.float32)
            boxes[split].append(fitted_targets(rows[None], "detection", picture.shape, config)[0])
            paths[split].append(str(path))
    targets = padded(boxes)
    splits = {
        split: Split(images=np.stack(some), targets=targets[split], names=np.array(paths[split]))
        for split, some in pixels.items()
        if some
    }
    if "train" not in splits:
        raise DatasetError(f"no training image in {config.name!r} can be read")
    counts = {split: len(some) for split, some in splits.items()}
    return Arrays(
        info=_info(config, splits["train"].images.shape[1:], names, counts),
        train=splits["train"],
        validation=splits.get("validation"),
        test=splits.get("test"),
        findings=(
            *findings,
            *unreadable(skipped),
            *finding("{} of another height or width than the annotations say: boxes are scaled", other_sizes, "image"),
        ),
    )


def _files(root: Path) -> dict[str, Path]:
    """The JSON of each split, which its folder or its name says; a single one is that of the training images.

    COCO's own folder has others beside `instances_train2017.json`: captions, which have no boxes, and keypoints.

    Raises:
        DatasetError: it cannot be told which one is meant.
    """
    beside = [path for path in visible(root) if path.suffix == ".json" and _is_coco(path)]
    below = [path for folder in folders(root) for path in visible(folder) if path.suffix == ".json"]
    of_splits: dict[str, list[Path]] = {}
    for path in [*beside, *(path for path in below if _split(path, root) and _is_coco(path))]:
        of_splits.setdefault(_split(path, root), []).append(path)
    if "train" not in of_splits:
        of_splits = {"train": beside} if beside else {}
    found = {}
    for split, paths in of_splits.items():
        instances = [path for path in paths if path.name.startswith("instances")] or paths
        if split and len(instances) > 1:
            raise DatasetError(
                f"there must be one JSON of boxes a split; {str(root)!r} has for {split} "
                f"{shown([str(path.relative_to(root)) for path in instances])}; move the others away, or call each as "
                f"its split"
            )
        if split:
            found[split] = instances[0]
    return found


def _split(path: Path, root: Path) -> str:
    """The split of a JSON, such as `valid/_annotations.coco.json` or `annotations/instances_val2017.json`; or ""."""
    words = path.stem.split("_") if path.parent == root else [path.parent.name, *path.stem.split("_")]
    return next((split for word in words if (split := split_of(word))), "")


def _is_coco(path: Path) -> bool:
    """Whether it has COCO's words: an annotation file may have hundreds of megabytes, and need not be parsed to see."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        if not os.fstat(file.fileno()).st_size:
            return False
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            return content.find(b'"annotations"') >= 0 and content.find(b'"categories"') >= 0


def _read(config: DatasetConfig) -> tuple[dict[str, _Part], dict[int, str], list[Finding]]:
    """The splits, names of the categories that have a box, by their numbers in COCO, and what was left out."""
    root = expanded(config.name)
    parts = {split: _part(path, root) for split, path in _files(root).items()}
    used = {int(number) for part in parts.values() for _, _, boxes in part.images for number in boxes[:, 4]}
    categories = {number: name for part in parts.values() for number, name in part.categories.items()}
    names = {number: categories[number] for number in sorted(categories) if number in used}
    if not names:
        raise DatasetError(f"there must be a box to learn; the annotations in {config.name!r} have none")
    unused = tuple(name for number, name in categories.items() if number not in used)
    text = f"{len(unused)} of {len(categories)} categories have no box: left out"
    flat = [path for part in parts.values() for path in part.flat]
    found = [Finding(text=text, names=unused)] if unused else []
    return parts, names, found + finding("{} without an area inside of the image: left out", flat, "annotation")


def _part(path: Path, root: Path) -> _Part:
    def refuse(reason: str) -> DatasetError:
        return DatasetError(f"{path} is not COCO's JSON of boxes ({reason}); it has images, annotations and categories")

    content = outside.read_bytes(path, refuse, outside.JOURNAL)
    with outside.door(refuse, keep=DatasetError):
        document = outside.parse_json(content)
        categories = {int(each["id"]): str(each["name"]) for each in document["categories"]}
        boxes: dict[Any, list[list[float]]] = {each["id"]: [] for each in document["images"]}
        flat = []
        size = {each["id"]: (float(each["height"]), float(each["width"])) for each in document["images"]}
        for each in document["annotations"]:
            (left, top, width, height), number = map(float, each["bbox"]), int(each["category_id"])
            if number not in categories:
                raise ValueError(f"an annotation has the category {number}, which is not there")
            tall, wide = size[each["image_id"]]
            if min(tall, wide) < 1:
                raise ValueError(f"images have sides of at least 1; received {tall:g}x{wide:g}")
            sides = np.array([top / tall, left / wide, (top + height) / tall, (left + width) / wide])
            inside = sides.clip(0, 1).astype(np.float32)
            if (inside[:2] < inside[2:]).all():
                boxes[each["image_id"]].append([*inside.tolist(), number, float(bool(each.get("iscrowd")))])
            else:
                flat.append(each["image_id"])
        names = {each["id"]: str(each["file_name"]) for each in document["images"]}
        if not names:
            raise ValueError("it has no image")
        folder = _folder_of(next(iter(names.values())), path, root)
        images = [
            (folder / names[key], size[key], np.array(rows, np.float64).reshape(-1, 6))
            for key, rows in sorted(boxes.items(), key=lambda item: names[item[0]])
        ]
        return _Part(images=images, categories=categories, flat=sorted(folder / names[key] for key in flat))


def _folder_of(name: str, path: Path, root: Path) -> Path:
    """Where the images are that a JSON names."""
    split = _split(path, root)
    within = folders(root) + (folders(root / "images") if (root / "images").is_dir() else [])
    named = [folder for folder in within if split and split_of(folder.name) == split]
    places = [path.parent, path.parent / "images", root, root / "images", *named]
    for place in places:
        if (place / name).is_file():
            return place
    raise DatasetError(
        f"images lie beside their annotations; {path} names {name!r}, which is in none of "
        f"{', '.join(str(place) for place in dict.fromkeys(places))}"
    )


def _info(config: DatasetConfig, shape: tuple[int, ...], names: dict[int, str], counts: dict[str, int]) -> DatasetInfo:
    height, width, channels = shape
    return DatasetInfo(
        name=config.name,
        input_shape=(height, width, channels),
        labels=tuple(names.values()),
        task="detection",
        images=counts,
    )
