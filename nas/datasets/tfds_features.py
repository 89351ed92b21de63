"""Which features of a TFDS data set are images and targets, from its JSON description."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, final

from nas.datasets.spec import DatasetError
from nas.errors import shown

if TYPE_CHECKING:
    from nas.config import DatasetConfig

Features = dict[str, Any]

_NOT_COUNTED = ("is_difficult", "is_crowd")
"""Of boxes that a metric ignores: PASCAL VOC's and COCO's names."""


@final
@dataclass(frozen=True, kw_only=True)
class Target:
    """What a data set's images are to be learned with.

    Attributes:
        task: a key of `nas.tasks.TASKS`.
        key: of the class label or of the masks; of the sequence that holds the boxes.
        label: of the class label, such as `objects/label`; "" for masks without names.
        box: of the boxes within the sequence; "" for other tasks.
        ignored: within the sequence: says of a box that a metric ignores it; "" if nothing does.
        classes: how many; None: the description does not say.
    """

    task: str
    key: str
    label: str
    box: str = ""
    ignored: str = ""
    classes: int | None = None


def pair(features: Features, info: Features, name: str, config: DatasetConfig) -> tuple[str, Target]:
    """The image and the target: as `dataset.keys` says, else the supervised pair, else the only candidates.

    Args:
        features: of the data set, by name, as `features.json` has them.
        info: `dataset_info.json`.
        name: of the data set, for messages.
        config: what the user says.

    Raises:
        DatasetError: none, or several.
    """
    images = [key for key, feature in features.items() if _is(feature, "Image")]
    targets = _targets(features, images)
    if wrong := [each for each in config.keys.values() if each not in features and each not in targets]:
        raise DatasetError(
            f"dataset.keys names features; TFDS data set {name!r} has no {wrong[0]!r}; it has "
            f"{shown(sorted({*features, *targets}))}"
        )
    supervised = info.get("supervisedKeys", {}).get("tuple", {}).get("items", [])
    image, target = config.keys.get("image"), config.keys.get("target")
    said = [item.get("featureKey") for item in supervised]
    if not config.keys and len(said) == 2 and said[0] in images and said[1] in targets:
        image, target = said
    if image is None:
        others = [key for key in images if key != target]
        # Of several, the one that is no mask: it has colors.
        colored = [key for key in others if key not in targets]
        image = next((some[0] for some in (others, colored) if len(some) == 1), None)
    if target is None:
        others = [key for key in targets if key != image]
        labels = [key for key in others if targets[key].task == "classification"]
        target = next((some[0] for some in (labels, others) if len(some) == 1), None)
    if image in images and target in targets:
        return image, targets[target]
    raise DatasetError(
        f"one image and one class label, mask or sequence of boxes an example are needed; TFDS data set {name!r} has "
        f"{shown(sorted(features))}; name two of them in dataset.keys, as in {{image: image, target: label}}"
    )


def _is(feature: Features, kind: str) -> bool:
    return str(feature["pythonClassName"]).rpartition(".")[2] == kind


def _targets(features: Features, images: list[str]) -> dict[str, Target]:
    """What could be learned, by name."""
    found: dict[str, Target] = {}
    for key, feature in features.items():
        if _is(feature, "ClassLabel"):
            count = int(feature["classLabel"]["numClasses"])
            found[key] = Target(task="classification", key=key, label=key, classes=count)
        elif _is(feature, "LabeledImage"):
            count = int(feature["image"]["label"]["numClasses"])
            found[key] = Target(task="segmentation", key=key, label=key, classes=count)
        elif key in images and len(images) > 1 and feature["image"]["shape"]["dimensions"][-1] == "1":
            found[key] = Target(task="segmentation", key=key, label="")
        elif _is(feature, "Sequence"):
            found |= _boxes(key, feature["sequence"]["feature"].get("featuresDict", {}).get("features", {}))
    return found


def _boxes(key: str, parts: Features) -> dict[str, Target]:
    """The boxes of a sequence by its name, or by those of its class labels if it has several."""
    boxes = [name for name, part in parts.items() if _is(part, "BBoxFeature")]
    labels = [name for name, part in parts.items() if _is(part, "ClassLabel")]
    if len(boxes) != 1:
        return {}
    ignored = next((name for name in _NOT_COUNTED if name in parts), "")
    made = [
        Target(
            task="detection",
            key=key,
            label=f"{key}/{label}",
            box=boxes[0],
            ignored=ignored,
            classes=int(parts[label]["classLabel"]["numClasses"]),
        )
        for label in labels
    ]
    by_label = {target.label: target for target in made}
    return {key: made[0]} if len(made) == 1 else by_label
