"""A dry run refuses what the search would refuse, says what is there already, and stays light."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from nas.cli import main

IMAGES = np.random.default_rng(0).integers(0, 256, (40, 8, 8, 3), np.uint8)
LABELS = np.arange(40) % 2


@pytest.fixture
def photos(tmp_path):
    for number, image in enumerate(IMAGES):
        folder = tmp_path / "photos" / "ab"[LABELS[number]]
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(folder / f"{number}.png")
    return tmp_path / "photos"


def command(data, runs, *more):
    settings = ["--space", "tiny", "--max-params", "3k", "--trials", "1", "--epochs", "1", "--workers", "0"]
    return [
        "search",
        "digits",
        "--dataset",
        str(data),
        *settings,
        "--set",
        "final.seeds=0",
        "--runs-dir",
        str(runs),
        *more,
    ]


def unreadable(photos):
    (photos / "a" / "bad.png").write_bytes(b"no picture")


def without_a_scale(photos):
    Image.fromarray(np.zeros((8, 8), np.float32)).save(photos / "a" / "bad.tif")


def of_another_size(photos):
    Image.fromarray(IMAGES[0, :4]).save(photos / "b" / "bad.png")


def no_utf_8(photos):
    os.rename(os.fsencode(photos / "b"), os.fsencode(photos) + b"/\xff")


def a_class_of_test_alone(photos):
    shutil.copytree(photos, photos / "train")
    (photos / "test" / "c").mkdir(parents=True)
    shutil.copy(photos / "a" / "0.png", photos / "test" / "c")
    for name in "ab":
        shutil.rmtree(photos / name)


def one_image_a_class(photos):
    for path in [*photos.glob("*/*.png")][1:]:
        path.unlink()


@pytest.mark.parametrize(
    "fault", [unreadable, without_a_scale, of_another_size, no_utf_8, a_class_of_test_alone, one_image_a_class]
)
def test_folders_that_a_search_refuses(fault, photos, tmp_path, capsys):
    fault(photos)
    told = []
    for more in (["--dry-run"], []):
        assert main(command(photos, tmp_path / "runs", *more)) == 1
        told.append(re.findall("^Error: .*$", capsys.readouterr().err, re.MULTILINE)[0])
    assert told[0] == told[1]
    assert "fault" not in told[0]


@pytest.mark.parametrize(
    "arrays",
    [
        {"x_train": IMAGES, "y_train": LABELS, "x_val": IMAGES[:0], "y_val": LABELS[:0]},
        {"images": IMAGES.astype(np.float32), "labels": LABELS},
        {"images": IMAGES // 255, "labels": LABELS},
        {"x_train": IMAGES, "y_train": LABELS, "x_test": IMAGES[:, :4], "y_test": LABELS},
        {"images": IMAGES[:2], "labels": LABELS[:2]},
    ],
)
def test_archives_that_a_search_refuses(arrays, tmp_path, capsys):
    np.savez(tmp_path / "it.npz", **arrays)
    told = []
    for more in (["--dry-run"], []):
        assert main(command(tmp_path / "it.npz", tmp_path / "runs", *more)) == 1
        told.append(re.findall("^Error: .*$", capsys.readouterr().err, re.MULTILINE)[0])
    assert told[0] == told[1]


def test_test_images_in_no_class_are_told(photos, tmp_path, capsys):
    """As Kaggle's competitions have them."""
    shutil.copytree(photos, tmp_path / "kaggle" / "train")
    shutil.copytree(photos / "a", tmp_path / "kaggle" / "test")
    assert main(command(tmp_path / "kaggle", tmp_path / "runs", "--dry-run")) == 0
    shown = capsys.readouterr().out
    assert "8 test (drawn from train) images" in shown
    assert "20 images without a class folder beside the splits: left out" in shown


def test_a_folder_that_is_called_as_an_image_is_a_folder(photos, tmp_path, capsys):
    (photos / "a" / "album.png").mkdir()
    Image.fromarray(IMAGES[0]).save(photos / "a" / "album.png" / "one.png")
    assert main(["datasets", "check", str(photos)]) == 0
    assert ": 8x8x3, 2 classes; 26 train, 7 validation (drawn from train), 8 test" in capsys.readouterr().out


@pytest.mark.parametrize("more", [[], ["--set", "dataset.fit=pad"]])
def test_tensorflow_is_not_needed_to_look_at_an_archive(more, tmp_path):
    np.savez(tmp_path / "it.npz", x_train=IMAGES, y_train=LABELS, x_test=IMAGES[:, 2:], y_test=LABELS)
    settings = ["--set", "dataset.image_size=9x7", "--set", "dataset.grayscale=true", *more]
    code = "import sys; from nas.cli import main; sys.exit(main(sys.argv[1:]) or 'tensorflow' in sys.modules)"
    arguments = command(tmp_path / "it.npz", tmp_path / "runs", "--dry-run", *settings)
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert ": 9x7x1, 2 classes" in done.stdout


def test_what_is_there_already(photos, tmp_path, capsys):
    runs = tmp_path / "runs"
    assert main(command(photos, runs)) == 0
    capsys.readouterr()
    assert main(command(photos, runs, "--dry-run")) == 0
    shown = capsys.readouterr().out
    assert "finished  after 1 trial; --trials with more than 1 adds trials, --fresh starts over\n" in shown
    assert "first proposals" not in shown
    assert main(command(photos, runs, "--dry-run", "--trials", "9")) == 0
    shown = capsys.readouterr().out
    assert "resumes   after 1 trial\n" in shown
    assert "first proposals" not in shown
    assert main(command(photos, runs, "--dry-run", "--fresh")) == 0
    assert "first proposals" in capsys.readouterr().out
    Image.fromarray(255 - IMAGES[0]).save(photos / "a" / "0.png")
    assert main(command(photos, runs, "--dry-run", "--trials", "9")) == 1
    assert "the search 'digits' was started with other " in capsys.readouterr().err


def test_an_address_that_is_none(tmp_path, capsys):
    assert main(["search", "digits", "--dry-run", "--tracking-uri", "nonsense://x", "--runs-dir", str(tmp_path)]) == 1
    assert "an MLflow tracking URI starts with http://" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [
        ["front", "{}"],
        ["list", "searches", "--runs-dir", "{}"],
        ["search", "digits", "--dry-run", "--start-from", "{}"],
        ["datasets", "prepare", "mnist", "--from", "{}"],
    ],
)
def test_names_that_no_file_system_takes(arguments, capsys):
    assert main([argument.format("a" * 5_000) for argument in arguments]) == 1
    told = capsys.readouterr().err
    assert re.fullmatch(
        r"Error: a name is too long for the file system: '[a/runs]{60}\.\.\.'; give a shorter one\n", told
    )


def test_trainings_of_a_network_are_counted(capsys):
    for choices, told in (("dataset.image_size=[4,8]", "1 training"), ("training.batch_size=[16,32]", "2 trainings")):
        assert main(["search", "digits", "--dry-run", "--set", choices]) == 0
        assert f"{told} of each network: " in capsys.readouterr().out


def test_crops_are_counted_when_they_are_cut(tmp_path, capsys):
    arguments = ["--dataset", "digit_scenes_detection", "--set", "dataset.as=crops", "--runs-dir", str(tmp_path)]
    assert main(["search", "digits", "--dry-run", *arguments]) == 0
    assert "32x32x1, 11 classes; crops of its objects and of background\n" in capsys.readouterr().out
