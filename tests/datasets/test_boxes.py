"""Boxes from archives and from COCO's JSON."""

from __future__ import annotations

import json

import numpy as np
import pytest

from nas.config import DatasetConfig
from nas.datasets import DatasetError, load, peek
from nas.datasets.boxes import padded

IMAGES = np.random.default_rng(0).integers(0, 256, (12, 4, 5, 1), np.uint8)
BOXES = np.full((12, 3, 5), -1, np.float32)
BOXES[:, 0] = [0.1, 0.2, 0.5, 0.6, 0]
BOXES[::2, 1] = [0.5, 0.5, 1, 1, 1]
BOXES[0, 2] = [0, 0, 1, 1, -4]  # one of class 2 that is ignored


def test_an_archive_of_boxes(tmp_path):
    np.savez(tmp_path / "it.npz", x_train=IMAGES, boxes_train=BOXES)
    config = DatasetConfig(name=str(tmp_path / "it.npz"))
    data = load(config)
    assert peek(config) == data.info
    assert (data.info.task, data.info.labels) == ("detection", ("0", "1", "2"))
    assert (np.concatenate([split.targets for split in data.splits.values()])[..., 4] == 1).sum() == 6


def test_boxes_whose_classes_are_in_another_array(tmp_path):
    arrays = {"x_train": IMAGES, "boxes_train": np.maximum(BOXES[..., :4], 0), "y_train": BOXES[..., 4].astype(int)}
    path = tmp_path / "it.npz"
    np.savez(path, **arrays, class_names=np.array(["cell", "rod", "dust"]))
    data = load(DatasetConfig(name=str(path)))
    assert data.info.labels == ("cell", "rod", "dust")
    assert "the train images lack boxes of 1 of the 3 classes ('dust')" in data.findings[0].text
    assert sorted(row.tobytes() for split in data.splits.values() for row in split.targets) == sorted(
        row.tobytes() for row in BOXES
    )
    np.savez(path, **arrays | {"y_train": np.arange(12)})
    config = DatasetConfig(name=str(path), keys={"target": "boxes_train"})
    with pytest.raises(DatasetError) as told:
        load(config)
    assert str(told.value) == (
        f"{config.name}: boxes of four numbers need their classes (n, most) in 'y_train', -1 where there is no box; "
        f"received (12,)"
    )
    np.savez(path, images=IMAGES, boxes=BOXES[..., :3])
    with pytest.raises(DatasetError) as told:
        load(DatasetConfig(name=str(path)))
    assert str(told.value) == (
        f"{config.name}: boxes must be float (n, most, 5): ymin, xmin, ymax, xmax in [0, 1] and the class, or -1 where "
        f"there is no box; received float32 (12, 3, 3)"
    )


def test_coco(coco_folder):
    config = DatasetConfig(name=str(coco_folder))
    data = load(config)
    assert peek(config) == data.info
    assert (data.info.task, data.info.labels) == ("detection", ("dog", "cat"))
    assert [(each.text, len(each.names)) for each in data.findings] == [
        ("1 of 3 categories have no box: left out", 1),
        ("36 annotations without an area inside of the image: left out", 36),
    ]
    # The box of no width is left out, the one beyond the border is cut.
    boxes = np.array([[2 / 8, 1 / 6, 6 / 8, 4 / 6, 1], [0, 0, 2 / 8, 1, 0]], np.float32)
    for split in data.splits.values():
        for name, found in zip(split.names, split.targets, strict=True):
            crowd = name.endswith("005.png")
            assert found == pytest.approx(boxes if not crowd else boxes * [1, 1, 1, 1, -1] - [0, 0, 0, 0, 2], abs=1e-6)


def test_boxes_outside_and_sizes_that_are_not_those_of_the_images(coco_folder):
    path = coco_folder / "annotations.json"
    document = json.loads(path.read_text())
    for each, box in zip(document["annotations"], ([-9, 1, 3, 4], [1, 2, 1e-9, 4], [2, 16, 4, 1]), strict=False):
        each["bbox"] = box
    document["images"][0] |= {"height": 16, "width": 12}
    path.write_text(json.dumps(document))
    data = load(DatasetConfig(name=str(coco_folder)))
    _, flat, other = data.findings[:3]
    assert flat.text == "38 annotations without an area inside of the image: left out"
    assert flat.names[:4] == (str(coco_folder / "images" / "000.png"),) * 3 + (str(coco_folder / "images" / "001.png"),)
    assert other.text == "1 image of another height or width than the annotations say: boxes are scaled"
    assert other.names == (str(coco_folder / "images" / "000.png"),)


def test_boxes_of_an_archive_that_are_no_shares(tmp_path):
    boxes = BOXES.copy()
    boxes[2, 1] = [1, 2, 3, 4, 1]
    np.savez(tmp_path / "it.npz", images=IMAGES, boxes=boxes)
    config = DatasetConfig(name=str(tmp_path / "it.npz"))
    with pytest.raises(DatasetError) as told:
        load(config)
    assert str(told.value) == (
        f"a box must be ymin, xmin, ymax, xmax as shares of the image's height and width, in [0, 1], each min below "
        f"its max; the train split of {config.name!r} has (1, 2, 3, 4) in row 1 of image 2; divide pixels by the "
        f"image's size, and cut boxes at its border"
    )


def test_an_archive_without_a_box(tmp_path):
    np.savez(tmp_path / "it.npz", images=IMAGES, boxes=np.full_like(BOXES, -1))
    config = DatasetConfig(name=str(tmp_path / "it.npz"))
    with pytest.raises(DatasetError) as told:
        load(config)
    assert str(told.value) == f"there must be a box to learn; {config.name!r} has none on its training images"


def test_boxes_of_tfds_without_an_area_are_left_out():
    import tensorflow as tf

    from nas.datasets.tfds_features import Target
    from nas.datasets.tfds_source import _target

    boxes = tf.constant([[0, 0, 0.5, 0.5], [0.2, 0.2, 0.2, 0.4]])
    target = Target(task="detection", key="objects", label="objects/label", box="bbox")
    rows = _target({"objects": {"bbox": boxes, "label": [1, 0]}}, target)
    assert rows.numpy().tolist() == [[0, 0, 0.5, 0.5, 1]]


def test_boxes_are_cut_with_their_images(coco_folder):
    """Of 8x6, a square of 6 is left: a row at the top is gone, and one at the bottom."""
    data = load(DatasetConfig(name=str(coco_folder), image_size=12, fit="crop"))
    plain = next(row for row in data.train.targets if row[0, 4] >= 0)
    assert plain == pytest.approx(np.array([[1 / 6, 1 / 6, 5 / 6, 4 / 6, 1], [0, 0, 1 / 6, 1, 0]]), abs=1e-6)


def test_coco_with_a_file_a_split(coco_folder):
    document = json.loads((coco_folder / "annotations.json").read_text())
    (coco_folder / "annotations.json").unlink()
    (coco_folder / "annotations").mkdir()
    for split, part in {"train": slice(20), "val": slice(20, None)}.items():
        images = document["images"][part]
        numbers = {image["id"] for image in images}
        some = [each for each in document["annotations"] if each["image_id"] in numbers]
        text = json.dumps(document | {"images": images, "annotations": some})
        (coco_folder / "annotations" / f"instances_{split}2017.json").write_text(text)
    (coco_folder / "images" / "019.png").rename(coco_folder / "images" / "019")
    data = load(DatasetConfig(name=str(coco_folder), skip_corrupt=True))
    assert (len(data.validation), data.drawn) == (16, ("test",))
    assert len(data.train) + len(data.test) == 19


def test_which_json_is_meant(coco_folder):
    """As in COCO's own folder; without a word that tells them apart, it is asked."""
    document = json.loads((coco_folder / "annotations.json").read_text())
    (coco_folder / "captions.json").write_text(json.dumps({"images": [], "annotations": []}))
    assert len(load(DatasetConfig(name=str(coco_folder))).train) == 23
    (coco_folder / "labels.json").write_text(json.dumps(document))
    with pytest.raises(DatasetError) as told:
        peek(DatasetConfig(name=str(coco_folder)))
    assert str(told.value) == (
        f"there must be one JSON of boxes a split; {str(coco_folder)!r} has for train ['annotations.json', "
        f"'labels.json']; move the others away, or call each as its split"
    )
    for path in coco_folder.glob("*.json"):
        path.unlink()
    (coco_folder / "annotations").mkdir()
    for split, part in {"train2017": slice(20), "val2017": slice(20, None)}.items():
        images = document["images"][part]
        numbers = {image["id"] for image in images}
        some = [each for each in document["annotations"] if each["image_id"] in numbers]
        for kind in ("instances", "person_keypoints"):
            text = json.dumps(document | {"images": images, "annotations": some})
            (coco_folder / "annotations" / f"{kind}_{split}.json").write_text(text)
        (coco_folder / "annotations" / f"captions_{split}.json").write_text('{"annotations": []}')
        (coco_folder / "images" / split).mkdir()
        for image in images:
            path = coco_folder / "images" / image["file_name"]
            path.rename(coco_folder / "images" / split / path.name)
    data = load(DatasetConfig(name=str(coco_folder)))
    assert (len(data.validation), data.drawn) == (16, ("test",))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"categories": []}, "an annotation has the category 9, which is not there"),
        ({"images": []}, "100"),
        (
            {"images": [{"id": 100, "file_name": "000.png", "height": 0, "width": 6}]},
            "sides of at least 1; received 0x6",
        ),
        ({"annotations": [{"image_id": 100}]}, "'bbox'"),
    ],
)
def test_what_is_wrong_with_a_coco_file(coco_folder, change, told):
    path = coco_folder / "annotations.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(DatasetError) as error:
        peek(DatasetConfig(name=str(coco_folder)))
    assert str(error.value).startswith(f"{path} is not COCO's JSON of boxes (")
    assert told in str(error.value)


def test_coco_without_its_images(coco_folder):
    (coco_folder / "images").rename(coco_folder / "pictures")
    with pytest.raises(DatasetError) as told:
        peek(DatasetConfig(name=str(coco_folder)))
    assert str(told.value) == (
        f"images lie beside their annotations; {coco_folder / 'annotations.json'} names '000.png', which is in none of "
        f"{coco_folder}, {coco_folder / 'images'}"
    )


def test_all_splits_have_room_for_as_many_boxes():
    rows = {
        "train": [np.zeros((2, 5), np.float32), np.zeros((0, 5), np.float32)],
        "test": [np.ones((3, 5), np.float32)],
    }
    made = padded(rows)
    assert {split: boxes.shape for split, boxes in made.items()} == {"train": (2, 3, 5), "test": (1, 3, 5)}
    assert (made["train"][1] == -1).all()
