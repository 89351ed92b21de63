from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from nas.config import DatasetConfig
from nas.datasets import DatasetError, load, peek


def config(path, **more):
    return DatasetConfig(name=str(path), **more)


def test_labels_are_the_folders_names(image_folder, numbers):
    spec = load(config(image_folder, grayscale=True))
    assert spec.info.labels == ("cat", "dog", "eel")
    for split in (spec.train, spec.validation, spec.test):
        assert (numbers(split.images) % 3 == split.targets).all()


def test_three_channels_unless_grayscale(image_folder):
    assert load(config(image_folder)).train.images.shape[1:] == (8, 6, 3)


def test_image_size(image_folder):
    assert peek(config(image_folder, image_size=16)).input_shape == (16, 16, 3)
    assert load(config(image_folder, image_size=16)).train.images.shape[1:] == (16, 16, 3)


def divide(root):
    """The last four images of each class go to `val` and `test`, two each."""
    for number, path in enumerate(sorted(root.glob("*/*.png"))):
        part = {10: "val", 11: "val", 8: "test", 9: "test"}.get(number % 12, "train")
        target = root.parent / "divided" / part / path.parent.name
        target.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
    return root.parent / "divided"


def test_own_splits(image_folder):
    root = divide(image_folder)
    spec = load(config(root))
    assert (len(spec.train), len(spec.validation), len(spec.test)) == (24, 6, 6)
    shutil.rmtree(root / "val")
    spec = load(config(root))
    assert (len(spec.train), len(spec.validation), len(spec.test)) == (19, 5, 6)


def test_class_of_test_that_train_has_not(image_folder):
    root = divide(image_folder)
    (root / "test" / "fox").mkdir()
    with pytest.raises(DatasetError, match=r"class 'fox' of .*test' is not among those of train"):
        peek(config(root))


def test_train_beside_other_folders_is_a_class(image_folder):
    (image_folder / "eel").rename(image_folder / "train")
    assert peek(config(image_folder)).labels == ("cat", "dog", "train")


@pytest.mark.parametrize("content", [b"", b"no image", b"\x89PNG\r\n\x1a\n cut off"])
def test_corrupt_image_is_named_and_skipped_only_on_request(image_folder, content):
    (image_folder / "dog" / "bad.png").write_bytes(content)
    with pytest.raises(DatasetError, match=r"bad\.png is not .*remove it or set dataset\.skip_corrupt"):
        load(config(image_folder))
    spec = load(config(image_folder, skip_corrupt=True))
    assert len(spec.train) + len(spec.validation) + len(spec.test) == 36
    (finding,) = spec.findings
    assert finding.text == "1 file cannot be read (left out with dataset.skip_corrupt)"
    assert finding.names == (str(image_folder / "dog" / "bad.png"),)


def test_truncated_image(image_folder):
    good = image_folder / "dog" / "001.png"
    good.write_bytes(good.read_bytes()[:-30])
    with pytest.raises(DatasetError, match=r"001\.png is not"):
        load(config(image_folder))


def test_class_without_a_readable_image(image_folder):
    for path in (image_folder / "dog").iterdir():
        path.write_bytes(b"")
    with pytest.raises(DatasetError, match=r"no image of 'dog' in .* can be read"):
        load(config(image_folder, skip_corrupt=True))


def pictures(folder):
    """All images that are loaded, by the file's name."""
    spec = load(config(folder))
    pairs = (pair for split in spec.splits.values() for pair in zip(split.names, split.images, strict=True))
    return {Path(name).name: image for name, image in pairs}


def test_sixteen_bits_are_scaled(image_folder):
    levels = np.linspace(0, 65_535, 48).astype(np.uint16).reshape(8, 6)
    Image.fromarray(levels).save(image_folder / "cat" / "deep.png")
    assert (pictures(image_folder)["deep.png"][..., 0] == np.rint(levels / 257)).all()


def test_levels_without_a_scale_are_skipped_only_on_request(image_folder):
    Image.fromarray(np.full((8, 6), 0.5, np.float32)).save(image_folder / "cat" / "float.tif")
    with pytest.raises(DatasetError, match=r"float\.tif is not \(mode F has levels without a scale; save it with 8 "):
        load(config(image_folder))
    assert sum(map(len, load(config(image_folder, skip_corrupt=True)).splits.values())) == 36


def test_a_picture_is_upright_as_people_see_it(image_folder):
    seen = np.zeros((8, 6, 3), np.uint8)
    seen[:4] = 240  # bright above
    exif = Image.Exif()
    exif[0x112] = 6  # as a phone stores it that is held upright: turned, with a note
    turned = Image.fromarray(seen).transpose(Image.Transpose.ROTATE_90)
    turned.save(image_folder / "cat" / "phone.png", exif=exif)
    assert (pictures(image_folder)["phone.png"] == seen).all()


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_what_is_transparent_is_white(image_folder, mode):
    shape = np.zeros((8, 6, 4), np.uint8)
    shape[:4, :, 3] = 255  # black above, nothing below
    image = Image.fromarray(shape)
    if mode == "P":
        image = Image.fromarray(shape[..., 3]).convert("P", palette=Image.Palette.ADAPTIVE)
        image = Image.fromarray((shape[..., 3] == 0).astype(np.uint8), mode="P")
        image.putpalette([0, 0, 0, 10, 20, 30])
        image.save(image_folder / "cat" / "alpha.png", transparency=1)
    else:
        image.convert(mode).save(image_folder / "cat" / "alpha.png")
    found = pictures(image_folder)["alpha.png"]
    assert (found[:4] == 0).all()
    assert (found[4:] == 255).all()


def test_what_is_not_taken_is_told(image_folder):
    pages = [Image.fromarray(np.full((8, 6, 3), level, np.uint8)) for level in (10, 200)]
    pages[0].save(image_folder / "cat" / "pages.tif", save_all=True, append_images=pages[1:])
    (image_folder / "dog" / "notes.txt").write_text("mine")
    (image_folder / "dog" / "photo.heic").write_bytes(b"")
    os.mkfifo(image_folder / "eel" / "pipe.png")
    pages[1].save(image_folder / "loose.png")
    told = [finding.text for finding in load(config(image_folder)).findings]
    assert told == [
        "1 image in no class folder: left out",
        "3 files in class folders not taken for images (1 .txt, 1 .heic, 1 .png)",
        "1 image with several pages: the first of each is taken",
    ]


def test_links_are_followed_and_not_for_ever(image_folder):
    aside = image_folder.parent / "aside"
    (image_folder / "eel").rename(aside)
    (image_folder / "eel").mkdir()
    (image_folder / "eel" / "more").symlink_to(aside)
    (image_folder / "eel" / "round").symlink_to(image_folder / "eel")
    spec = load(config(image_folder))
    assert sum(map(len, spec.splits.values())) == 36
    assert not spec.findings


def test_folders_in_class_folders_may_be_called_as_images(image_folder):
    (image_folder / "cat" / "album.png").mkdir()
    shutil.copy(image_folder / "cat" / "000.png", image_folder / "cat" / "album.png" / "copy.png")
    assert sum(map(len, load(config(image_folder)).splits.values())) == 37


@pytest.mark.parametrize("spelled", ["Train/Valid/Test", "training/val/testing", "TRAIN/dev/test"])
def test_splits_in_every_spelling(image_folder, spelled):
    root = divide(image_folder)
    for usual, name in zip(("train", "val", "test"), spelled.split("/"), strict=True):
        (root / usual).rename(root / f"{name}.new")
        (root / f"{name}.new").rename(root / name)
    spec = load(config(root))
    assert (spec.info.labels, spec.drawn) == (("cat", "dog", "eel"), ())
    assert (len(spec.train), len(spec.validation), len(spec.test)) == (24, 6, 6)


def test_two_folders_for_one_split(image_folder):
    root = divide(image_folder)
    shutil.copytree(root / "val", root / "validation")
    with pytest.raises(DatasetError) as told:
        peek(config(root))
    assert str(told.value) == (
        f"{str(root)!r} has two folders for the validation images, 'val' and 'validation'; put them into one, or move "
        f"one away"
    )


def test_what_is_beside_splits_is_left_out_and_told(image_folder):
    root = divide(image_folder)
    (root / "plots").mkdir()
    shutil.rmtree(root / "test")
    (root / "test").mkdir()
    for folder in ("plots", "test"):
        shutil.copy(root / "train" / "cat" / "000.png", root / folder / "7.png")
    spec = load(config(root))
    assert [(each.text, each.names) for each in spec.findings] == [
        ("1 image without a class folder beside the splits: left out", (str(root / "test" / "7.png"),)),
        ("1 folder beside the splits: left out", (str(root / "plots"),)),
    ]
    assert spec.drawn == ("test",)


@pytest.mark.parametrize("gone", ["train", "val, test"])
def test_what_is_neither_splits_nor_classes_is_refused(image_folder, gone):
    root = divide(image_folder)
    for name in gone.split(", "):
        shutil.rmtree(root / name)
    shutil.copytree(image_folder / "cat", root / "plane")
    with pytest.raises(DatasetError, match=r"must hold a folder for each class, or train, validation and test with .*"):
        peek(config(root))


def test_a_name_that_is_no_text(image_folder):
    os.mkdir(os.fsencode(image_folder) + b"/\xff")
    with pytest.raises(DatasetError, match=r"folders of classes need names in UTF-8; received b'\\xff' in "):
        peek(config(image_folder))


def test_hidden_files_and_folders_are_no_images(image_folder):
    before = load(config(image_folder))
    (image_folder / "cat" / ".ipynb_checkpoints").mkdir()
    first = next(path for path in sorted((image_folder / "cat").iterdir()) if path.is_file())
    shutil.copy(first, image_folder / "cat" / ".ipynb_checkpoints" / first.name)
    (image_folder / "cat" / f"._{first.name}").write_bytes(b"Mac OS X")
    after = load(config(image_folder))
    assert len(after.train) + len(after.validation) + len(after.test) == sum(
        len(part) for part in (before.train, before.validation, before.test)
    )


def test_several_sizes(image_folder):
    Image.fromarray(np.zeros((9, 6), np.uint8)).save(image_folder / "cat" / "tall.png")
    with pytest.raises(DatasetError, match=r"one size, or dataset\.image_size must be set; .*tall\.png is \(9, 6, 3\)"):
        load(config(image_folder))
    assert load(config(image_folder, image_size=8)).info.input_shape == (8, 8, 3)


def test_empty_class(image_folder):
    (image_folder / "fox").mkdir()
    (image_folder / "fox" / "notes.txt").write_text("soon")
    with pytest.raises(DatasetError, match=r"each class needs an image; there is none in .*fox"):
        peek(config(image_folder))


def test_single_class(image_folder):
    shutil.rmtree(image_folder / "cat")
    shutil.rmtree(image_folder / "dog")
    with pytest.raises(DatasetError, match=r"at least two classes; found \['eel'\]"):
        peek(config(image_folder))


def test_no_folder(tmp_path):
    with pytest.raises(DatasetError, match=r"existing folder of class folders is needed; .*none' is not there"):
        peek(config(tmp_path / "none"))


def test_a_name_that_ends_with_a_slash_is_a_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DatasetError, match=rf"existing folder of class folders is needed; '{tmp_path}/photos' is not"):
        peek(config("photos/"))


@pytest.mark.parametrize(
    ("train", "test"),
    [("training_set", "test_set"), ("train_images", "test_images"), ("Train ", "Test "), ("train2017", "val2017")],
)
def test_splits_with_more_in_their_names(image_folder, tmp_path, train, test):
    root = tmp_path / "more"
    for name in (train, test):
        shutil.copytree(image_folder, root / name)
    spec = load(config(root))
    assert spec.info.labels == ("cat", "dog", "eel")
    assert len(spec.validation if "val" in test else spec.test) == 36


def test_classes_that_may_be_splits_are_told(image_folder, tmp_path):
    root = tmp_path / "folds"
    for name in ("fold0", "fold1"):
        shutil.copytree(image_folder, root / name)
    spec = load(config(root))
    assert spec.info.labels == ("fold0", "fold1")
    (finding,) = spec.findings
    assert finding.text.startswith(
        "classes with the same folders in each, and no image beside them: if they are splits"
    )
    shutil.copy(root / "fold0" / "cat" / "000.png", root / "fold0")
    assert load(config(root)).findings == ()


@pytest.mark.parametrize("name", ["@eaDir", "__MACOSX"])
def test_folders_of_systems_are_no_classes_and_hold_no_images(image_folder, name):
    for where in (image_folder, image_folder / "cat"):
        (where / name).mkdir()
        shutil.copy(image_folder / "dog" / "001.png", where / name)
    spec = load(config(image_folder))
    assert spec.info.labels == ("cat", "dog", "eel")
    assert sum(map(len, spec.splits.values())) == 36
