from __future__ import annotations

import hashlib

import numpy as np
import pytest

from nas.config import DatasetConfig
from nas.datasets import load
from nas.datasets.digit_scenes import scenes


def test_scenes_are_equal_on_every_machine():
    digest = hashlib.sha256(b"".join(array.tobytes() for parts in scenes().values() for array in parts)).hexdigest()
    assert digest.startswith("f96b36f0cdd3d10f")
    counts = {
        split: np.bincount((boxes[..., 4] >= 0).sum(axis=1)).tolist() for split, (_, _, boxes) in scenes().items()
    }
    assert counts["train"] == [0, 189, 203, 194, 198, 219, 197]


@pytest.mark.parametrize("split", ["train", "test"])
def test_boxes_fit_their_masks_and_none_touches_another(split):
    _, masks, boxes = scenes()[split]
    for mask, some in zip(masks[:100], boxes[:100], strict=True):
        taken = np.zeros((50, 50), int)
        for *sides, number in some[some[:, 4] >= 0]:
            top, left, bottom, right = np.rint(np.array(sides) * 48).astype(int)
            inside = mask[top:bottom, left:right]
            assert set(np.unique(inside)) <= {0, number + 1}
            assert all(edge.any() for edge in (inside[0], inside[-1], inside[:, 0], inside[:, -1]))
            assert not taken[top : bottom + 2, left : right + 2].any()
            taken[top + 1 : bottom + 1, left + 1 : right + 1] = 1
        assert not mask[taken[1:-1, 1:-1] == 0].any()


def test_both_tasks_see_the_same_scenes():
    masks, boxes = (load(DatasetConfig(name=f"digit_scenes_{task}")) for task in ("segmentation", "detection"))
    assert (masks.test.images == boxes.test.images).all()
    assert masks.info.labels == ("background", *boxes.info.labels)
    assert masks.test.digest != boxes.test.digest
    assert [len(split) for split in masks.splits.values()] == [1200, 300, 300]
    # Each digit that a mask shows has a box.
    shown = [set(np.unique(mask)) - {0} for mask in masks.test.targets]
    assert shown == [set((row[row[:, 4] >= 0, 4] + 1).astype(int)) for row in boxes.test.targets]
