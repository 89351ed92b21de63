"""Masks from archives and folders."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from nas.config import DatasetConfig
from nas.datasets import DatasetError, InMemory, load, peek

RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (12, 6, 4, 3), np.uint8)
MASKS = RNG.integers(0, 3, (12, 6, 4)).astype(np.uint8)

SIZE = "each image needs a mask of its size; {}: masks has (12, 5, 4), where the images have (12, 6, 4)"
LEVELS = "values in masks are 0 to 255, where 255 stands for pixels to ignore; {}: masks has -1 to 1"


@pytest.fixture
def npz(tmp_path):
    def make(settings=None, **arrays):
        np.savez(tmp_path / "it.npz", **arrays)
        return DatasetConfig(name=str(tmp_path / "it.npz"), **settings or {})

    return make


@pytest.fixture
def folder(tmp_path):
    def make(masks=MASKS, suffix=".png", mode=None, **settings):
        for name in ("images", "masks"):
            (tmp_path / name).mkdir()
        for number, (image, mask) in enumerate(zip(IMAGES, masks, strict=True)):
            Image.fromarray(image).save(tmp_path / "images" / f"{number:02}.png")
            Image.fromarray(mask, mode).save(tmp_path / "masks" / f"{number:02}{suffix}")
        return DatasetConfig(name=str(tmp_path), **settings)

    return make


def refused(config):
    with pytest.raises(DatasetError) as told:
        load(config)
    return str(told.value)


@pytest.mark.parametrize(
    "keys", [("images", "masks"), ("x_train", "masks_train"), ("train_images", "train_masks"), ("x_train", "y_train")]
)
def test_an_archive_of_masks(npz, keys):
    config = npz(**{keys[0]: IMAGES, keys[1]: MASKS})
    data = load(config)
    assert peek(config) == data.info
    assert (data.info.task, data.info.labels, data.info.input_shape) == ("segmentation", ("0", "1", "2"), (6, 4, 3))
    where = [int(np.flatnonzero((image == IMAGES).all(axis=(1, 2, 3)))[0]) for image in data.train.images]
    assert (data.train.targets == MASKS[where]).all()
    assert data.train.targets.dtype == np.uint8


def test_masks_in_memory():
    data = InMemory.of((IMAGES, MASKS), DatasetConfig(name="arrays")).load()
    assert data.info.task == "segmentation"
    assert InMemory.of((IMAGES, MASKS[::-1]), DatasetConfig(name="arrays")).info.name != data.info.name


def test_labels_are_taken_before_masks_unless_keys_say_otherwise(npz):
    arrays = {"images": IMAGES, "labels": np.arange(12) % 2, "masks": MASKS, "rims": MASKS // 2}
    assert load(npz(**arrays)).info.task == "classification"
    assert load(npz({"keys": {"target": "masks"}}, **arrays)).info.labels == ("0", "1", "2")
    rims = load(npz({"keys": {"target": "rims"}, "classes": ["in", "rim"]}, **arrays))
    assert set(np.unique(rims.train.targets)) == {0, 1}
    assert refused(npz({"keys": {"target": "rim"}}, **arrays)).endswith(
        "has no 'rim'; found ['images', 'labels', 'masks', 'rims']"
    )


def test_values_that_have_a_name_are_classes_and_others_are_ignored(npz):
    masks = np.array([7, 200, 9], np.uint8)[MASKS]
    data = load(npz({"classes": {"ground": 7, "cell": 200}}, images=IMAGES, masks=masks))
    assert data.info.labels == ("ground", "cell")
    assert set(np.unique(data.train.targets)) == {0, 1, 255}


@pytest.mark.parametrize(
    ("masks", "told"),
    [
        (
            MASKS[:, :5],
            SIZE,
        ),
        (MASKS / 2, "a mask holds whole numbers, the classes of pixels; {}: masks has float64"),
        (
            MASKS.astype(int) - 1,
            LEVELS,
        ),
        (
            np.stack([MASKS] * 3, axis=-1),
            "a mask has one number a pixel, its class; {}: masks has 3 channels, as if colors stood for classes; "
            "replace each color by the number of its class",
        ),
        (
            np.where(MASKS > 1, 255, 0).astype(np.uint8),
            "{}: masks hold 0 and 255 only, and 255 stands for pixels to ignore; name both in dataset.classes, as in "
            "{{background: 0, object: 255}}",
        ),
        (
            MASKS * 80,
            "{}: masks hold 0, 1, 2, ...; there is no 1, and the largest is 160; name the values that are classes in "
            "dataset.classes, as in {{ground: 0, object: 160}}",
        ),
    ],
)
def test_masks_that_are_none(npz, masks, told):
    config = npz(images=IMAGES, masks=masks)
    assert refused(config) == told.format(config.name)


def test_a_folder_of_images_and_masks(folder):
    config = folder()
    data = load(config)
    assert peek(config) == data.info
    assert (data.info.task, data.info.labels) == ("segmentation", ("0", "1", "2"))
    numbers = [int(name[-6:-4]) for name in data.train.names]
    assert (data.train.images == IMAGES[numbers]).all()
    assert (data.train.targets == MASKS[numbers]).all()


def test_a_folder_with_names_splits_and_a_palette(folder, tmp_path):
    config = folder(mode="P", suffix=".gif")
    (tmp_path / "labels.txt").write_text("ground\nroad\nsky\n")
    assert load(config).info.labels == peek(config).labels == ("ground", "road", "sky")
    for split, numbers in {"training": range(8), "val": range(8, 12)}.items():
        for name, suffix in {"images": ".png", "masks": ".gif"}.items():
            (tmp_path / split / name).mkdir(parents=True)
            for number in numbers:
                (tmp_path / name / f"{number:02}{suffix}").rename(tmp_path / split / name / f"{number:02}{suffix}")
    for name in ("images", "masks"):
        (tmp_path / name).rmdir()
    data = load(config)
    assert data.drawn == ("test",)
    assert (data.validation.targets == MASKS[8:]).all()


def test_splits_within_images_and_masks(folder, tmp_path):
    config = folder()
    for name in ("images", "masks"):
        for split, numbers in {"train": range(8), "val": range(8, 12)}.items():
            (tmp_path / name / split).mkdir()
            for number in numbers:
                (tmp_path / name / f"{number:02}.png").rename(tmp_path / name / split / f"{number:02}.png")
    data = load(config)
    assert peek(config) == data.info
    assert data.drawn == ("test",)
    assert (data.validation.targets == MASKS[8:]).all()
    (tmp_path / "images" / "training").mkdir()
    assert refused(config) == (
        f"images and masks lie in one folder each, or in one a split: train and perhaps validation and test, and "
        f"nothing else; {str(tmp_path)!r} has ['images/train', 'images/training', 'images/val']"
    )
    (tmp_path / "images" / "training").rmdir()
    (tmp_path / "images" / "val" / "08.png").rename(tmp_path / "images" / "08.png")
    assert refused(config).endswith("has ['08.png', 'images/train', 'images/val']")


def test_names_of_some_classes_only(folder, tmp_path):
    config = folder()
    (tmp_path / "labels.txt").write_text("ground\nroad\nsky\n \n")
    assert load(config).info.labels == ("ground", "road", "sky")
    (tmp_path / "labels.txt").write_text("ground\nroad\n")
    assert refused(config) == (
        f"{tmp_path}: each class in masks needs a name; they hold 2, and there are names of 0 to 1; add the others, or "
        f"name the values that are classes in dataset.classes"
    )


def test_images_and_masks_are_no_classes(folder, tmp_path):
    config = folder()
    (tmp_path / "masks").rename(tmp_path / "Labels")
    assert refused(config) == (
        f"a folder for each class is needed; {str(tmp_path)!r} has 'images' and 'Labels', which are no classes; call "
        f"the folders of images and of their masks 'images' and 'masks', or put COCO's JSON of boxes beside the images"
    )


def test_what_is_wrong_with_a_folder_of_masks(folder, tmp_path):
    config = folder(masks=np.stack([MASKS] * 3, axis=-1))
    mask = tmp_path / "masks" / "00.png"
    assert refused(config) == (
        f"a mask has one number a pixel, its class; {mask} has colors (mode RGB); replace each color by the number of "
        f"its class, and save it with one channel or a palette"
    )
    Image.fromarray(MASKS[0]).save(mask.with_suffix(".jpg"))
    mask.unlink()
    assert refused(config) == (
        f"masks need a format that keeps numbers as they are; {mask.with_suffix('.jpg')} is a .jpg; save it as .png "
        f"from what it was made of"
    )
    mask.with_suffix(".jpg").unlink()
    assert refused(config) == (
        f"each image needs a mask of its name; there is none for {tmp_path / 'images' / '00.png'} in "
        f"{str(tmp_path / 'masks')!r}"
    )
    (tmp_path / "images" / "00.png").unlink()
    for path in (tmp_path / "masks").iterdir():
        Image.fromarray(MASKS[0]).save(path)
    (tmp_path / "images" / "01.png").unlink()
    assert [finding.text for finding in load(config).findings] == ["1 mask without an image: left out"]


@pytest.mark.parametrize(  # sizes where no pixel's centre falls between two
    ("fit", "size"),
    [("stretch", "12x8"), ("stretch", "8x12"), ("crop", "8x12"), ("crop", 4), ("pad", "12x13"), ("pad", "9x4")],
)
def test_masks_are_resized_with_their_images(folder, npz, fit, size):
    """As Pillow takes the nearest pixel."""
    from PIL import ImageOps

    config = folder(image_size=size, fit=fit)
    data = load(config)
    height, width = config.size
    number = int(data.train.names[0][-6:-4])
    mask = Image.fromarray(MASKS[number])
    if fit == "stretch":
        expected = mask.resize((width, height), Image.Resampling.NEAREST)
    elif fit == "crop":
        expected = ImageOps.fit(mask, (width, height), Image.Resampling.NEAREST)
    else:
        scale = min(height / 6, width / 4)
        scaled = mask.resize((max(1, round(4 * scale)), max(1, round(6 * scale))), Image.Resampling.NEAREST)
        expected = Image.new("L", (width, height), 255)
        expected.paste(scaled, ((width - scaled.width) // 2, (height - scaled.height) // 2))
    assert (data.train.targets[0] == np.asarray(expected)).all()
    same = load(npz({"image_size": size, "fit": fit}, images=IMAGES, masks=MASKS))
    assert data.train.targets[0].tobytes() in {
        mask.tobytes() for split in same.splits.values() for mask in split.targets
    }
