"""Crops of a detection set: what they show, which class they have, and that they are the same in every run."""

import numpy as np
import pytest

from nas.architecture.boxes import overlaps
from nas.config import DatasetConfig, load_experiment
from nas.datasets import DatasetError, InMemory, forms, load, peek
from nas.datasets.crops import CLEAR, _background, cut
from nas.datasets.spec import Split

CROPS = {"as": "crops", "crop_size": 16}


def painted():
    """An image that is 200 in its one object, of class 2, and 100 in one that is ignored; black elsewhere."""
    image = np.zeros((20, 40, 1), np.uint8)
    image[5:10, 20:36], image[15:19, :8] = 200, 100
    boxes = [[5 / 20, 20 / 40, 10 / 20, 36 / 40, 2], [15 / 20, 0, 19 / 20, 8 / 40, -2], [-1] * 5]
    return Split(images=np.stack([image, image]), targets=np.array([boxes, [[-1] * 5] * 3], np.float32))


def test_objects_are_cut_out_and_their_shape_shows_background():
    crops = cut(painted(), "train", DatasetConfig(name="x", **CROPS))
    assert crops.images.shape == (2, 16, 16, 1)
    assert crops.targets.tolist() == [3, 0]
    # At the border, pixels beside it show through.
    assert (crops.images[0, 2:-2, 2:-2] == 200).all()
    # Of 5 x 16 pixels, 30 % overlap at most.
    assert (crops.images[1] > 0).mean() < 2 * CLEAR / (1 + CLEAR)


def test_background_overlaps_nothing_that_is_marked():
    marked = np.array([[0, 0, 0.5, 0.5, 0], [0.5, 0.5, 0.9, 0.9, -2]], np.float32)
    objects = np.repeat(marked[:1], 50, axis=0)
    found = np.stack(_background(objects, marked, (0, 0)))
    assert found.shape == (50, 4)
    assert found[:, 2:] - found[:, :2] == pytest.approx(0.5)
    assert np.asarray(overlaps(found[None], marked[None, :, :4])).max() < CLEAR
    # What fills the image leaves no room.
    whole = np.array([[0, 0, 1, 1, 0]], np.float32)
    assert _background(whole, whole, (0, 0)) == []


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
        assert np.bincount(split.targets)[1:].tolist() == expected.tolist()
        assert (split.targets == 0).sum() == expected.sum()
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
