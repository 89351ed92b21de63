"""The data that come with the package, as they are known without reading them."""

from __future__ import annotations

from nas.datasets.spec import DatasetInfo

DIGITS = DatasetInfo(name="digits", input_shape=(8, 8, 1), labels=tuple("0123456789"), images={"train": 1_797})

_SCENES = {"train": 1_200, "validation": 300, "test": 300}

DIGIT_SCENES = {
    f"digit_scenes_{task}": DatasetInfo(
        name=f"digit_scenes_{task}", input_shape=(48, 48, 1), labels=labels, task=task, images=_SCENES
    )
    for task, labels in {
        "segmentation": ("background", *DIGITS.labels),
        "detection": DIGITS.labels,
    }.items()
}
"""By name: scenes of a few digits, with masks or with boxes."""

EMBEDDED = {DIGITS.name: DIGITS, **DIGIT_SCENES}
"""By name."""
