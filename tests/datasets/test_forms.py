"""One data set in several sizes and colors."""

import numpy as np
import pytest

from nas.config import load_experiment
from nas.datasets import DatasetError, DatasetInfo, DatasetSpec, Split, forms, in_forms, load, whole


def experiment(**given):
    return load_experiment(None, {"space": "tiny", "name": "x", "dataset": "digits"} | given)


def test_everything_is_made_of_the_largest_images_in_color():
    made = experiment(**{"dataset.image_size": [6, "4x20", 8], "dataset.grayscale": [True, False]})
    assert (whole(made).size, whole(made).grayscale) == ((4, 20), False)
    assert forms(made, (4, 20, 3)) == {
        (6, 6, 1): {"dataset.image_size": 6, "dataset.grayscale": True},
        (6, 6, 3): {"dataset.image_size": 6, "dataset.grayscale": False},
        (4, 20, 1): {"dataset.image_size": "4x20", "dataset.grayscale": True},
        (4, 20, 3): {"dataset.image_size": "4x20", "dataset.grayscale": False},
        (8, 8, 1): {"dataset.image_size": 8, "dataset.grayscale": True},
        (8, 8, 3): {"dataset.image_size": 8, "dataset.grayscale": False},
    }


def test_without_choices_the_data_stay_what_they_are():
    made = experiment(**{"dataset.grayscale": True})
    assert whole(made) == made.dataset
    data = load(made.dataset)
    assert in_forms(data, forms(made, (8, 8, 1))) == {(8, 8, 1): data}


def test_a_smaller_form_has_the_pixels_that_loading_it_has():
    made = experiment(**{"dataset.image_size": [8, 4]})
    data = in_forms(load(whole(made)), forms(made, (8, 8, 1)))[4, 4, 1]
    alone = load(experiment(**{"dataset.image_size": 4}).dataset)
    assert data.info == alone.info
    assert {name: split.digest for name, split in data.splits.items()} == {
        name: split.digest for name, split in alone.splits.items()
    }


def test_colors_become_gray_in_parts():
    images = np.random.default_rng(0).integers(0, 256, (1_500, 3, 3, 3), np.uint8)
    split = Split(images=images, targets=np.arange(1_500) % 2)
    info = DatasetInfo(name="x", input_shape=(3, 3, 3), labels=("a", "b"))
    data = DatasetSpec(info=info, train=split, validation=split, test=split)
    gray = in_forms(data, [(3, 3, 1)])[3, 3, 1].train.images
    by_hand = images @ np.array([0.2989, 0.587, 0.114])
    assert np.abs(gray[..., 0] - by_hand).max() < 1.01


def test_choices_that_make_the_same_images_are_refused():
    made = experiment(**{"dataset.grayscale": [False, True]})
    with pytest.raises(DatasetError) as error:
        forms(made, (8, 8, 1))
    assert str(error.value) == (
        "each choice of size and color must make other images; grayscale false and grayscale true make the same, "
        "8x8x1; leave one out"
    )


def test_sizes_of_several_shapes_are_refused_where_images_are_cut_for_one():
    size = {"dataset.image_size": [16, "24x16"]}
    with pytest.raises(DatasetError) as error:
        forms(experiment(**size, **{"dataset.fit": "crop"}), (24, 16, 1))
    assert str(error.value) == (
        "with fit: crop, sizes to choose from have one shape; received image_size 16 and 24x16; use fit: stretch, or "
        "other sizes"
    )
    assert len(forms(experiment(**size), (24, 16, 1))) == 2
    assert len(forms(experiment(**{"dataset.image_size": ["8x11", "24x32"], "dataset.fit": "pad"}), (24, 32, 1))) == 2
