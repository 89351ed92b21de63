from __future__ import annotations

import shutil

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
def test_corrupt_image_is_named_and_skipped_only_on_request(image_folder, content, caplog):
    (image_folder / "dog" / "bad.png").write_bytes(content)
    with pytest.raises(DatasetError, match=r"bad\.png is not .*remove it or set dataset\.skip_corrupt"):
        load(config(image_folder))
    spec = load(config(image_folder, skip_corrupt=True))
    assert len(spec.train) + len(spec.validation) + len(spec.test) == 36
    assert "1 unreadable image(s) left out" in caplog.text


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


def test_sixteen_bits(image_folder):
    Image.fromarray(np.full((8, 6), 40_000, np.uint16)).save(image_folder / "cat" / "deep.png")
    with pytest.raises(DatasetError, match=r"8 bits a channel; .*deep\.png has mode I"):
        load(config(image_folder))


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
