"""What every source of data promises."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from nas.config import DatasetConfig
from nas.datasets import DatasetError, load, peek, sources
from nas.datasets.splits import validation_images
from nas.tasks import TASKS

EXAMPLES = {
    "digit_scenes": lambda _: {"name": "digit_scenes_segmentation"},
    "masks": lambda request: {"name": str(request.getfixturevalue("mask_folder")), "grayscale": True},
    "coco": lambda request: {"name": str(request.getfixturevalue("coco_folder")), "grayscale": True},
    "digits": lambda request: {"name": "digits", "data_dir": str(request.getfixturevalue("tfds_dir"))},
    "npz": lambda request: {"name": str(request.getfixturevalue("npz_file"))},
    "folder": lambda request: {"name": str(request.getfixturevalue("image_folder")), "grayscale": True},
    "tfds": lambda request: {
        "name": "tiny_emnist/three",
        "data_dir": str(request.getfixturevalue("tiny_tfds")),
    },
}


def test_every_source_has_an_example():
    assert set(sources.SOURCES) == set(EXAMPLES)


@pytest.fixture(params=sorted(EXAMPLES))
def example(request):
    return EXAMPLES[request.param](request)


def _bytes(split):
    return [image.tobytes() for image in split.images]


def test_contract(example):
    spec = load(DatasetConfig(**example))
    assert spec.info == peek(DatasetConfig(**example))
    for split in (spec.train, spec.validation, spec.test):
        assert split.images.dtype == np.uint8
        assert split.images.shape == (len(split), *spec.info.input_shape)
        task = TASKS[spec.info.task]
        task.check_targets(split.targets, spec.info.labels, "these", input_shape=spec.info.input_shape)
        assert task.lacking(split.targets, spec.info.labels) == ""
        # Levels are stretched over all of 0..255, not 0..1 or 0..16.
        assert split.images.max() > 200


def test_validation_images_are_counted_before_anything_is_loaded(example):
    for fractions in ({}, {"validation_fraction": 0.37, "test_fraction": 0.11}):
        config = DatasetConfig(**example, **fractions)
        spec = load(config)
        count = validation_images(peek(config), config)
        assert count == validation_images(spec.info, config) == len(spec.validation)


def test_image_size_and_grayscale(example):
    config = DatasetConfig(**example | {"image_size": 11, "grayscale": True})
    spec = load(config)
    assert spec.info == peek(config)
    assert spec.info.input_shape == spec.train.images.shape[1:] == spec.test.images.shape[1:] == (11, 11, 1)
    # The same images in the same order: resizing moves their mean a little.
    plain = load(DatasetConfig(**example))
    if spec.info.task == "classification":
        assert (spec.train.targets == plain.train.targets).all()
    means = [images.reshape(len(images), -1).mean(axis=1) for images in (spec.train.images, plain.train.images)]
    assert np.corrcoef(*means)[0, 1] > 0.8


def test_splits_are_fixed_by_the_seed(example):
    first, again, other = (load(DatasetConfig(**example, split_seed=seed)) for seed in (1, 1, 2))
    for name in ("train", "validation", "test"):
        assert _bytes(getattr(first, name)) == _bytes(getattr(again, name))
    if first.drawn:
        assert _bytes(first.validation) != _bytes(other.validation)


def test_no_image_is_in_train_and_validation(example):
    spec = load(DatasetConfig(**example))
    assert not set(_bytes(spec.train)) & set(_bytes(spec.validation))


def test_settings_that_a_source_does_not_use_are_refused(example):
    task = peek(DatasetConfig(**example)).task
    for read in (peek, load):
        if task != "segmentation" or example["name"].startswith("digit_scenes"):
            with pytest.raises(DatasetError, match=r"dataset\.classes names the values in masks; .*; leave it"):
                read(DatasetConfig(**example, classes={"cat": 0, "dog": 1}))
        if not example["name"].endswith((".npz", "/three")):
            with pytest.raises(DatasetError) as told:
                read(DatasetConfig(**example, keys={"target": "masks"}))
            assert str(told.value) == (
                f"dataset.keys names arrays of an .npz or features of a TFDS set; {example['name']!r} has none; leave "
                f"it out"
            )


def test_peek_needs_no_tensorflow(example):
    code = (
        "import sys; from nas.config import DatasetConfig; from nas.datasets import peek, known_datasets;"
        f"config = DatasetConfig(**{example!r}); print(peek(config)); known_datasets(config.data_dir);"
        "sys.exit('tensorflow' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("DatasetInfo(")


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("fashon_mnist", "did you mean 'fashion_mnist'"),
        ("digit", "did you mean 'digits'"),
        ("Cifar10", "did you mean 'cifar10'"),
        ("qqqqqqqq/zzz", "ready here: digits"),
        ("no such thing!", "ready here: digits"),
    ],
)
def test_unknown_name(name, hint, tmp_path):
    with pytest.raises(
        DatasetError, match=f"a TFDS name, a folder of images or an .npz file; '{name}' is none.*{hint}"
    ):
        load(DatasetConfig(name=name, data_dir=str(tmp_path)))
