"""What `image_size` and `fit` make of pictures whose every pixel is known."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from nas.cli import main
from nas.config import DatasetConfig
from nas.datasets import load, peek

WHITE = 255


def thirds(height, width):
    """Three bands across the longer side: 30, 60, 90."""
    image = np.empty((height, width), np.uint8)
    for number, level in enumerate((30, 60, 90)):
        if width >= height:
            image[:, number * width // 3 : (number + 1) * width // 3] = level
        else:
            image[number * height // 3 : (number + 1) * height // 3] = level
    return image


WIDE, TALL = thirds(8, 24), thirds(24, 8)


@pytest.fixture(params=["folder", "npz"])
def source(request, tmp_path):
    """Makes a data set of six copies of a picture, three of each of two classes; returns its name."""

    def make(image):
        if request.param == "npz":
            path = tmp_path / "it.npz"
            np.savez(path, images=np.stack([image] * 6), labels=np.arange(6) % 2)
            return str(path)
        for number in range(6):
            folder = tmp_path / "it" / "ab"[number % 2]
            folder.mkdir(parents=True, exist_ok=True)
            Image.fromarray(image).save(folder / f"{number}.png")
        return str(tmp_path / "it")

    return make


def loaded(name, size, fit):
    config = DatasetConfig(name=name, image_size=size, fit=fit, grayscale=True)
    spec = load(config)
    height, width = config.size
    assert spec.info == peek(config)
    assert spec.info.input_shape == spec.train.images.shape[1:] == (height, width, 1)
    return spec.train.images[0, ..., 0]


def test_cropped_to_the_middle(source):
    """8x24 to 8x8: nothing is scaled, and the middle third is level 60."""
    assert (loaded(source(WIDE), "8x8", "crop") == 60).all()


def test_cropped_after_it_was_scaled_to_the_smaller_side(source):
    """24x8 to 4x4: half the size is 12x4, whose middle is rows 4 to 7; next to the bands' edges levels blend."""
    cropped = loaded(source(TALL), 4, "crop")
    assert (cropped[1:3] == 60).all()
    assert (cropped == cropped[:, :1]).all()
    assert 50 < cropped[0, 0] < 60 < cropped[3, 0] < 70


def test_padded_on_white(source):
    """24x8 to 24x10 and 12x12: all of the picture stays, and what is beside it is white."""
    padded = loaded(source(TALL), "24x10", "pad")
    assert (padded[:, [0, 9]] == WHITE).all()
    assert (padded[:, 1:9] == TALL).all()
    half = loaded(source(TALL), 12, "pad")
    assert (half[:, [*range(4), *range(8, 12)]] == WHITE).all()
    assert (half[[0, 1, 2, 5, 6, 9, 10, 11], 4:8] == np.array([30, 30, 30, 60, 60, 90, 90, 90])[:, None]).all()


def test_an_odd_line_of_white_is_below_and_on_the_right(source):
    padded = loaded(source(WIDE), "11x24", "pad")
    assert (padded[[0, 9, 10]] == WHITE).all()
    assert (padded[1:9] == WIDE).all()


def test_stretched_by_default(source):
    """8x24 to 8x6: every pixel is one of four beside each other, whatever the shape was."""
    name = source(WIDE)
    stretched = loaded(name, "8x6", "stretch")
    assert (stretched == stretched[:1]).all()
    assert stretched[0, [0, 5]].tolist() == [30, 90]
    assert (stretched == load(DatasetConfig(name=name, image_size="8x6", grayscale=True)).train.images[0, ..., 0]).all()


@pytest.mark.parametrize("fit", ["stretch", "crop", "pad"])
def test_small_pictures_are_made_larger(source, fit):
    image = np.full((4, 6), 77, np.uint8)
    made = loaded(source(image), "24x32", fit)
    rows = slice(1, 22) if fit == "pad" else slice(None)  # 4x6 becomes 21x32
    assert (made[rows] == 77).all()


def test_colors_that_are_padded():
    from nas.datasets.images import fitted_arrays

    image = np.zeros((1, 4, 4, 3), np.uint8) + np.array([10, 20, 30], np.uint8)
    padded = fitted_arrays(image, DatasetConfig(name="it", image_size="4x6", fit="pad"))
    assert padded[0, 2].tolist() == [[WHITE] * 3, *[[10, 20, 30]] * 4, [WHITE] * 3]


def test_a_line_stays_of_a_very_long_picture(tmp_path):
    from nas.datasets.images import fitted

    config = DatasetConfig(name="it", image_size=8, fit="pad")
    made = np.asarray(fitted(Image.fromarray(np.zeros((2, 4000), np.uint8)), config))
    assert made.shape == (8, 8)
    assert (made == 0).any(axis=1).tolist() == [False, False, False, True, False, False, False, False]


def test_transparency_and_padding_have_one_ground(tmp_path):
    """A black bar on a transparent page of 8x4, padded to 8x8: all but the bar is white."""
    picture = np.zeros((8, 4, 4), np.uint8)
    picture[3:5, :, 3] = 255
    for number in range(6):
        folder = tmp_path / "ab"[number % 2]
        folder.mkdir(exist_ok=True)
        Image.fromarray(picture).save(folder / f"{number}.png")
    made = load(DatasetConfig(name=str(tmp_path), image_size=8, fit="pad")).train.images[0]
    expected = np.full((8, 8, 3), WHITE)
    expected[3:5, 2:6] = 0
    assert (made == expected).all()


def test_the_command_line_takes_height_and_width(source, capsys):
    name = source(WIDE)
    assert main(["datasets", "check", name, "--image-size", "8x12", "--fit", "crop"]) == 0
    assert "it" in (shown := capsys.readouterr().out)
    assert ": 8x12x" in shown
    common = ["search", "digits", "--dataset", name, "--space", "tiny", "--dry-run"]
    assert main([*common, "--set", "dataset.image_size=8x12", "--set", "dataset.fit=pad"]) == 0
    assert ": 8x12x" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (("--image-size", "24by32"), "image_size: must be a side such as 32, or HEIGHTxWIDTH such as 24x32, of 4 to "),
        (("--image-size", "3x32"), "image_size: must be a side such as 32, .* pixels; received '3x32'\n"),
        (("--fit", "cut", "--image-size", "8"), "fit: must be 'stretch', 'crop' or 'pad'; received 'cut'\n"),
        (("--fit", "crop"), "fit: crop needs an image_size to which images are resized; received none\n"),
    ],
)
def test_sizes_that_are_none(source, wrong, told, capsys):
    import re

    assert main(["datasets", "check", source(WIDE), *wrong]) == 1
    assert re.search(told, capsys.readouterr().err)
