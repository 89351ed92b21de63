"""What is told of data before they are trained on."""

from __future__ import annotations

import json
import logging

import numpy as np
import pytest

from nas.cli import main
from nas.config import DatasetConfig
from nas.datasets import DatasetInfo, DatasetSpec, Split, load, tell
from nas.datasets.findings import findings


@pytest.fixture
def splits(numbered):
    images, targets = numbered(12)
    parts = {"train": slice(0, 6), "validation": slice(6, 9), "test": slice(9, 12)}
    return {name: (images[where].copy(), targets[where].copy()) for name, where in parts.items()}


def found(splits):
    made = {name: Split(images=images, targets=targets) for name, (images, targets) in splits.items()}
    info = DatasetInfo(name="it", input_shape=(8, 6, 1), labels=("cat", "dog", "eel"))
    return [(each.text, each.names) for each in findings(DatasetSpec(info=info, **made))]


def test_nothing_is_said_of_good_images(splits):
    assert found(splits) == []


def test_a_picture_in_two_splits(splits):
    splits["validation"][0][1] = splits["train"][0][4]
    splits["validation"][1][1] = splits["train"][1][4]
    splits["test"][0][:] = splits["train"][0][:3]
    splits["test"][1][:] = splits["train"][1][:3]
    assert found(splits) == [
        ("1 of 3 validation images is also in train: the validation score is too good", ("validation[1]",)),
        ("3 of 3 test images are also in train: the test score is too good", ("test[0]", "test[1]", "test[2]")),
    ]


def test_a_picture_under_two_labels(splits):
    splits["train"][0][5] = splits["train"][0][3]
    assert splits["train"][1][5] != splits["train"][1][3]
    assert found(splits) == [("1 picture under more than one label", ("train[3]", "train[5]"))]


def test_empty_pictures_and_faint_ones(splits):
    splits["test"][0][2] = 77
    assert found(splits) == [("1 image of a single color", ("test[2]",))]
    faint = {name: (images % 7, targets) for name, (images, targets) in splits.items()}
    assert found(faint)[0] == ("all levels lie from 0 to 6 of 0 to 255; scale them before they are saved", ())


def test_levels_of_one_split_that_were_scaled_otherwise(splits):
    images, targets = splits["test"]
    splits["test"] = (images // 16, targets)
    assert found(splits) == [
        ("levels of the test images lie from 0 to 15 of 0 to 255; scale them as those of the others", ())
    ]


@pytest.mark.parametrize("channels", [2, 4])
def test_a_channel_that_may_be_transparency(splits, channels):
    made = {
        name: Split(images=np.repeat(images, channels, axis=-1), targets=targets)
        for name, (images, targets) in splits.items()
    }
    info = DatasetInfo(name="it", input_shape=(8, 6, channels), labels=("cat", "dog", "Dog"))
    assert [(each.text, each.names) for each in findings(DatasetSpec(info=info, **made))] == [
        (
            f"images of {channels} channels are taken as they are; if the last is transparency, flatten it first",
            (),
        ),
        ("classes whose names differ only in upper and lower case", ("dog", "Dog")),
    ]


def test_a_start_says_what_was_taken(npz_file, caplog):
    """Its test images are training images, too."""
    with caplog.at_level(logging.INFO):
        tell(load(DatasetConfig(name=str(npz_file))))
    assert caplog.messages == [
        "data: 48 train, 12 validation (drawn from train), 30 test images",
        "data: 23 of 30 test images are also in train: the test score is too good",
        "data: 7 of 30 test images are also in validation: the test score is too good",
    ]


def test_the_command_names_the_files(image_folder, capsys):
    (image_folder / "cat" / "copy.png").write_bytes((image_folder / "dog" / "001.png").read_bytes())
    assert main(["datasets", "check", str(image_folder)]) == 0
    shown = capsys.readouterr().out
    assert f"{image_folder}: 8x6x3, 3 classes; " in shown
    assert "* 1 picture under more than one label\n" in shown
    assert f"    {image_folder / 'cat' / 'copy.png'}\n" in shown
    assert main(["datasets", "check", str(image_folder), "--format", "json", "--image-size", "4", "--grayscale"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["input_shape"] == [4, 4, 1]
    assert sum(split["images"] for split in document["splits"].values()) == 37
    assert any(str(image_folder / "dog" / "001.png") in each["names"] for each in document["findings"])


def test_the_command_names_every_file_that_cannot_be_read(image_folder, capsys):
    bad = [image_folder / "cat" / "bad.png", image_folder / "dog" / "worse.png"]
    for path in bad:
        path.write_bytes(b"")
    for more in ([], ["--format", "json"]):
        assert main(["datasets", "check", str(image_folder), *more]) == 1
        out, error = capsys.readouterr()
        assert "2 files cannot be read (left out with dataset.skip_corrupt)" in out
        assert all(str(path) in out for path in bad)
        assert error == (
            "Error: a search needs every image to be readable; remove the files that are not, or set "
            "dataset.skip_corrupt\n"
        )


def test_a_dry_run_reads_the_images(image_folder, capsys):
    (image_folder / "cat" / "bad.png").write_bytes(b"")
    arguments = ["search", "digits", "--dataset", str(image_folder), "--set", "space=tiny", "--dry-run"]
    assert main(arguments) == 1
    assert "bad.png is not" in capsys.readouterr().err
    assert main([*arguments, "--set", "dataset.skip_corrupt=true"]) == 0
    shown = capsys.readouterr().out
    assert "1 file cannot be read (left out with dataset.skip_corrupt)" in shown
    assert "(drawn from train)" in shown


def test_a_bare_name_that_a_folder_and_a_data_set_have(image_folder, monkeypatch, capsys):
    image_folder.rename(image_folder.parent / "digits")
    monkeypatch.chdir(image_folder.parent)
    assert main(["datasets", "check", "digits"]) == 1
    assert (
        f"dataset 'digits' is a folder in {image_folder.parent} and a data set too; write './digits' for the folder, "
        f"or rename it for the data set\n"
    ) in capsys.readouterr().err
    assert main(["datasets", "check", "./digits"]) == 0


@pytest.mark.parametrize("changed", ["pixel", "place", "target"])
def test_a_digest_is_of_pixels_targets_and_order(numbered, changed):
    images, targets = numbered(6)
    before = Split(images=images.copy(), targets=targets.copy()).digest
    assert before == Split(images=images.copy(), targets=targets.copy()).digest
    if changed == "pixel":
        images[3, 2, 2, 0] ^= 1
    elif changed == "place":
        images[:2] = images[1::-1].copy()
        targets[:2] = targets[1::-1].copy()
    else:
        targets[0] += 1
    assert Split(images=images, targets=targets).digest != before
