"""Crops of a detection set: what they show, which class they have, and that they are the same in every run."""

import numpy as np
import pytest

from nas.architecture.boxes import overlaps
from nas.config import DatasetConfig, load_experiment
from nas.datasets import DatasetError, InMemory, forms, load, peek
from nas.datasets.crops import ALIKE, CLEAR, FAR, NEAR, _around, _Draw, cut
from nas.datasets.spec import Split

CROPS = {"as": "crops", "crop_size": 16}


def painted():
    """An image that is 200 in its one object, of class 2, and 100 in one that is ignored; black elsewhere."""
    image = np.zeros((20, 40, 1), np.uint8)
    image[5:10, 20:36], image[15:19, :8] = 200, 100
    boxes = [[5 / 20, 20 / 40, 10 / 20, 36 / 40, 2], [15 / 20, 0, 19 / 20, 8 / 40, -2], [-1] * 5]
    return Split(images=np.stack([image, image]), targets=np.array([boxes, [[-1] * 5] * 3], np.float32))


def test_objects_are_cut_out_and_background_around_them():
    crops = cut(painted(), "train", DatasetConfig(name="x", **CROPS))
    assert crops.images.shape == (5, 16, 16, 1)
    assert crops.targets.tolist() == [3, 3, 0, 0, 0]
    # At the border, pixels beside it show through.
    assert (crops.images[0, 2:-2, 2:-2] == 200).all()
    shown = (crops.images == 200).mean(axis=(1, 2, 3))
    assert shown[1] > ALIKE / 2 + 0.25
    # Of boxes of one size that share s of themselves, the intersection is s / (2 - s) of the union.
    assert shown[2] < 2 * FAR / (1 + FAR) + 0.1


def test_what_is_cut_overlaps_its_object_or_nothing_that_is_marked():
    marked = np.array([[0, 0, 0.5, 0.5, 0], [0.5, 0.5, 0.9, 0.9, -2]], np.float32)
    draw = _Draw((0, 0))
    for _ in range(50):
        (own, _), *rest = _around(marked[0, :4], marked, draw)
        assert own.tolist() == [0, 0, 0.5, 0.5]
        found = np.asarray(overlaps(np.stack([box for box, _ in rest])[None], marked[None, :, :4]))[0]
        assert [shows for _, shows in rest] == [True, False, *[False] * NEAR]
        assert found[0, 0] >= ALIKE
        assert rest[1][0][2:] - rest[1][0][:2] == pytest.approx(0.5)
        assert found[1].max() < FAR
        assert found[2:].max() < CLEAR
        for box, _ in rest:
            assert (box >= 0).all()
            assert (box <= 1).all()
            assert (box[2:] - box[:2] > 0.5 / 4.1).all()
    # Where an object fills the image, no place of its size is free.
    whole = np.array([[0, 0, 1, 1, 0]], np.float32)
    assert [shows for _, shows in _around(whole[0, :4], whole, draw)] == [True, True, *[False] * NEAR]


def test_a_detection_set_becomes_a_classification_set():
    config = DatasetConfig(name="digit_scenes_detection", **CROPS)
    scenes, data, again = load(DatasetConfig(name="digit_scenes_detection")), load(config), load(config)
    assert data.info == peek(config)
    assert (data.info.task, data.info.input_shape) == ("classification", (16, 16, 1))
    assert data.info.labels == ("background", *scenes.info.labels)
    for name, split in data.splits.items():
        assert split.digest == again.splits[name].digest
        classes = scenes.splits[name].targets[..., 4]
        expected = np.bincount(classes[classes >= 0].astype(int), minlength=10)
        assert (np.bincount(split.targets)[1:] == 2 * expected).all()
        assert 2.9 < (split.targets == 0).sum() / expected.sum() <= 2 + NEAR - 1
    other = load(config.model_copy(update={"split_seed": 1}))
    assert other.train.digest != data.train.digest


def test_what_has_no_boxes_has_no_crops(tmp_path):
    with pytest.raises(
        DatasetError, match=r"^dataset.as: crops cuts objects out, and 'digits' has no boxes; leave it out$"
    ):
        peek(DatasetConfig(name="digits", **CROPS))
    with pytest.raises(
        DatasetError, match=r"and the train images show none; choose another dataset.split_seed, or larger splits$"
    ):
        cut(painted().take(np.array([1])), "train", DatasetConfig(name="x", **CROPS))


def test_crops_of_arrays():
    whole = painted()
    images, boxes = np.repeat(whole.images[:1], 8, axis=0), np.repeat(whole.targets[:1, :1], 8, axis=0)
    data = InMemory.of((images, boxes), DatasetConfig(name="arrays", **CROPS))
    assert data.info == data.load().info
    assert data.info.task == "classification"


def test_a_choice_of_image_sizes_is_refused():
    settings = {"name": "x", "space": "tiny", "dataset.name": "digit_scenes_detection", "dataset.as": "crops"}
    experiment = load_experiment(None, settings | {"dataset.image_size": [24, 48]})
    with pytest.raises(DatasetError, match=r"^crops have one size, dataset.crop_size; received a choice of image_size"):
        forms(experiment, (32, 32, 1))
