"""Which features of TFDS data sets are targets: as VOC, KITTI, Oxford-IIIT Pet and Cityscapes describe theirs."""

from __future__ import annotations

import numpy as np
import pytest

from nas.config import DatasetConfig
from nas.datasets import DatasetError, load, peek
from nas.datasets.tfds_features import pair

PACKAGE = "tensorflow_datasets.core.features"


def image(channels=3):
    shape = {"dimensions": ["-1", "-1", str(channels)]}
    return {"pythonClassName": f"{PACKAGE}.image_feature.Image", "image": {"shape": shape, "dtype": "uint8"}}


def label(classes):
    count = {"numClasses": str(classes)}
    return {"pythonClassName": f"{PACKAGE}.class_label_feature.ClassLabel", "classLabel": count}


def plain(kind):
    return {"pythonClassName": f"{PACKAGE}.{kind}"}


BOX = plain("bounding_boxes.BBoxFeature")


def sequence(**parts):
    inner = {"pythonClassName": f"{PACKAGE}.features_dict.FeaturesDict", "featuresDict": {"features": parts}}
    return {"pythonClassName": f"{PACKAGE}.sequence_feature.Sequence", "sequence": {"feature": inner}}


PETS = {"image": image(), "label": label(37), "species": label(2), "segmentation_mask": image(1), "head_bbox": BOX}
VOC = {
    "image": image(),
    "labels": {"pythonClassName": f"{PACKAGE}.sequence_feature.Sequence", "sequence": {"feature": label(20)}},
    "objects": sequence(bbox=BOX, label=label(20), is_difficult=plain("scalar.Scalar")),
}
KITTI = {"image": image(), "objects": sequence(bbox=BOX, type=label(8), truncated=plain("scalar.Scalar"))}
CITYSCAPES = {"image_id": plain("text_feature.Text"), "image_left": image(), "segmentation_label": image(1)}
OPEN_IMAGES = {"image": image(), "bobjects": sequence(bbox=BOX, label=label(601), source=label(6))}
SUPERVISED = {"supervisedKeys": {"tuple": {"items": [{"featureKey": "image"}, {"featureKey": "label"}]}}}


@pytest.mark.parametrize(
    ("features", "info", "keys", "expected"),
    [
        (PETS, SUPERVISED, {}, ("image", "classification", "label")),
        (PETS, SUPERVISED, {"target": "segmentation_mask"}, ("image", "segmentation", "")),
        (VOC, {}, {}, ("image", "detection", "objects/label")),
        (KITTI, {}, {}, ("image", "detection", "objects/type")),
        (CITYSCAPES, {}, {}, ("image_left", "segmentation", "")),
        (OPEN_IMAGES, {}, {"target": "bobjects/label"}, ("image", "detection", "bobjects/label")),
        ({"image": image(1), "label": label(10)}, {}, {}, ("image", "classification", "label")),
    ],
)
def test_targets_are_found(features, info, keys, expected):
    image_key, target = pair(features, info, "it", DatasetConfig(name="it", keys=keys))
    assert (image_key, target.task, target.label) == expected


@pytest.mark.parametrize(
    ("features", "keys", "told"),
    [
        (
            PETS,
            {},
            "one image and one class label, mask or sequence of boxes an example are needed; TFDS data set 'it' has "
            "['head_bbox', 'image', 'label', 'segmentation_mask', 'species']; name two of them in dataset.keys, as in "
            "{image: image, target: label}",
        ),
        (
            VOC,
            {"target": "object"},
            "dataset.keys names features; TFDS data set 'it' has no 'object'; it has ['image', 'labels', 'objects']",
        ),
    ],
)
def test_targets_that_are_not_found(features, keys, told):
    with pytest.raises(DatasetError) as error:
        pair(features, {}, "it", DatasetConfig(name="it", keys=keys))
    assert str(error.value) == told


@pytest.fixture(scope="module")
def scenes_dir(tmp_path_factory):
    """A TFDS folder with `yards`: 12 images of two sizes with masks of 1 to 3, and up to two boxes."""
    import tensorflow_datasets as tfds

    features = tfds.features

    class Yards(tfds.core.GeneratorBasedBuilder):
        """Masks and boxes."""

        VERSION = tfds.core.Version("1.0.0")

        def _info(self):
            objects = {
                "bbox": features.BBoxFeature(),
                "label": features.ClassLabel(names=["cat", "dog"]),
                "is_difficult": np.bool_,
            }
            kinds = {
                "image": features.Image(shape=(None, None, 1)),
                "mask": features.Image(shape=(None, None, 1)),
                "objects": features.Sequence(objects),
            }
            return tfds.core.DatasetInfo(builder=self, features=features.FeaturesDict(kinds), disable_shuffling=True)

        def _split_generators(self, dl_manager):
            return {"train": self._generate_examples(range(9)), "test": self._generate_examples(range(9, 12))}

        def _generate_examples(self, numbers):
            for number in numbers:
                height, width = (8, 4) if number % 2 else (4, 8)
                mask = np.repeat([1, 2, 3, 1], height * width // 4).reshape(height, width, 1).astype(np.uint8)
                box = {"bbox": features.BBox(0.0, 0.25, 0.5, 1.0), "label": number % 2, "is_difficult": number == 3}
                yield number, {"image": mask * 80, "mask": mask, "objects": [box] * (number % 3)}

    folder = tmp_path_factory.mktemp("yards")
    Yards(data_dir=folder).download_and_prepare()
    return str(folder)


def test_masks_of_tfds(scenes_dir):
    keys = {"target": "mask"}
    with pytest.raises(DatasetError) as told:
        peek(DatasetConfig(name="yards", data_dir=scenes_dir, image_size=8, keys=keys))
    assert str(told.value) == (
        "TFDS data set 'yards:1.0.0' has masks, but no names of their values; name those that are classes in "
        "dataset.classes, as in [ground, road], or {pet: 1, ground: 2}"
    )
    classes = {"pet": 1, "ground": 2}
    config = DatasetConfig(name="yards", data_dir=scenes_dir, image_size=8, keys=keys, classes=classes, fit="pad")
    data = load(config)
    assert peek(config) == data.info
    assert data.info.labels == ("pet", "ground")
    # Levels of 80 times the mask tell which class is where; 3 has no name, and what was padded is ignored.
    for image, mask in zip(data.test.images[..., 0], data.test.targets, strict=True):
        assert (mask[image == 255] == 255).all()
        assert (image[mask == 0] < 120).all()
        assert ((mask < 255).sum(), (mask == 1).sum()) == (24, 8)


def test_boxes_of_tfds(scenes_dir):
    config = DatasetConfig(
        name="yards", data_dir=scenes_dir, image_size=8, keys={"image": "image", "target": "objects"}
    )
    data = load(config)
    assert peek(config) == data.info
    assert (data.info.labels, data.test.targets.shape) == (("cat", "dog"), (3, 2, 5))
    assert data.test.targets[..., 4].tolist() == [[-1, -1], [0, -1], [1, 1]]
    assert data.test.targets[2, 0].tolist() == [0, 0.25, 0.5, 1, 1]
