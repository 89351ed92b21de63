from __future__ import annotations

import numpy as np
import pytest

from nas.datasets import Arrays, DatasetError, DatasetInfo, DatasetSpec, Split

INFO = DatasetInfo(name="it", input_shape=(2, 2, 1), labels=("a", "b"))


def split(n=2, shape=(2, 2, 1), label=1):
    return Split(images=np.zeros((n, *shape), np.uint8), targets=np.full(n, label))


@pytest.mark.parametrize(
    ("images", "labels", "message"),
    [
        (np.zeros((2, 2, 2, 1)), np.zeros(2, np.int64), r"must be uint8 .*received float64 \(2, 2, 2, 1\)"),
        (np.zeros((2, 2, 2), np.uint8), np.zeros(2, np.int64), r"received uint8 \(2, 2, 2\)"),
        (
            np.zeros((2, 2, 2, 1), np.uint8),
            np.zeros(3, np.int64),
            "each image needs one target; received 2 images and 3 targets",
        ),
        (np.zeros((0, 2, 2, 1), np.uint8), np.zeros(0, np.int64), "at least one image"),
    ],
)
def test_split_is_valid_or_not_there(images, labels, message):
    with pytest.raises(DatasetError, match=message):
        Split(images=images, targets=labels)


@pytest.mark.parametrize(("shape", "labels"), [((0, 2, 1), ("a", "b")), ((2, 2), ("a", "b"))])
def test_info_shape(shape, labels):
    with pytest.raises(DatasetError, match=r"must be \(height, width, channels\), all at least 1; 'it' has"):
        DatasetInfo(name="it", input_shape=shape, labels=labels)


def test_info_needs_two_classes():
    with pytest.raises(DatasetError, match=r"at least two classes are needed .* 'it' has 1"):
        DatasetInfo(name="it", input_shape=(2, 2, 1), labels=("a",))


def test_targets_are_the_tasks():
    wrong = Split(images=np.zeros((2, 2, 2, 1), np.uint8), targets=np.zeros(2, np.int32))
    with pytest.raises(DatasetError, match=r"^labels must be int64 \(n,\); the train split of 'it' has int32 \(2,\)$"):
        Arrays(info=INFO, train=wrong)


@pytest.mark.parametrize("label", [-1, 2])
def test_label_range(label):
    with pytest.raises(DatasetError, match=rf"must lie in 0\.\.1; the test split of 'it' has {label}\.\.{label}"):
        DatasetSpec(info=INFO, train=split(), validation=split(), test=split(label=label))


def test_image_shape():
    with pytest.raises(DatasetError, match=r"must be \(2, 2, 1\); its validation split has \(2, 3, 1\)"):
        Arrays(info=INFO, train=split(), validation=split(shape=(2, 3, 1)))
