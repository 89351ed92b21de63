from __future__ import annotations

import numpy as np
import pytest

from nas.config import AugmentationConfig
from nas.datasets import DatasetError, Split
from nas.datasets.augmentation import augment
from nas.datasets.pipeline import batches, padded_batches
from nas.datasets.pipeline import order as made_order
from nas.tasks import DEFAULT_TASK


@pytest.fixture
def split(numbered):
    images, labels = numbered(50)
    return Split(images=images, targets=labels)


def epoch(data):
    """All images and labels of one pass."""
    parts = list(data.as_numpy_iterator())
    return np.concatenate([images for images, _ in parts]), np.concatenate([labels for _, labels in parts])


def order(images, numbers):
    return numbers(np.rint(images * 255)).tolist()


def test_scaled_and_in_order(split):
    data = batches(split, task=DEFAULT_TASK, batch_size=16, shuffle_seed=None)
    images, labels = epoch(data)
    assert images.dtype == np.float32
    assert labels.dtype == np.int64
    assert np.allclose(images, split.images / 255.0, atol=1e-7)
    assert (images.min(), images.max()) == (0.0, 1.0)
    assert (labels == split.targets).all()
    assert [len(labels) for _, labels in data] == [16, 16, 16, 2]


def test_nobody_waits_for_a_tuner_when_an_iterator_is_dropped(split):
    made = [
        batches(split, task=DEFAULT_TASK, batch_size=16, shuffle_seed=0),
        padded_batches(split, batch_size=16),
        made_order(50, batch_size=16, shuffle_seed=0).batch(3).repeat(),
    ]
    assert [data.options().autotune.enabled for data in made] == [False] * 3


def test_a_split_is_copied_once_for_all_trials(split, monkeypatch):
    import tensorflow as tf

    copied = []
    constant = tf.constant
    monkeypatch.setattr(tf, "constant", lambda value, *rest: copied.append(value) or constant(value, *rest))
    for _ in range(2):
        batches(split, task=DEFAULT_TASK, batch_size=16, shuffle_seed=0)
        padded_batches(split, batch_size=16)
    assert sum(value is split.images for value in copied) == 1


def test_drop_remainder_gives_static_shapes(split):
    data = batches(split, task=DEFAULT_TASK, batch_size=16, shuffle_seed=0, drop_remainder=True)
    assert data.element_spec[0].shape == (16, 8, 6, 1)
    assert len(epoch(data)[0]) == 48


def test_cardinality_is_known(split):
    assert int(batches(split, task=DEFAULT_TASK, batch_size=16, shuffle_seed=0).cardinality()) == 4


def test_shuffled_anew_each_epoch_and_the_same_each_run(split, numbers):
    def run(seed):
        data = batches(split, task=DEFAULT_TASK, batch_size=16, shuffle_seed=seed)
        return [order(epoch(data)[0], numbers) for _ in range(3)]

    first, again, other = run(1), run(1), run(2)
    assert first == again
    assert first != other
    assert first[0] != first[1] != first[2]
    assert [sorted(some) for some in first] == [list(range(50))] * 3


def test_labels_follow_their_images(split, numbers):
    images, labels = epoch(batches(split, task=DEFAULT_TASK, batch_size=16, shuffle_seed=3))
    assert (numbers(np.rint(images * 255)) % 3 == labels).all()


def test_augmented_anew_each_epoch_and_the_same_each_run(split):
    def run(seed):
        some = AugmentationConfig(shift=2, flip=True, cutout=3)
        data = batches(split, task=DEFAULT_TASK, batch_size=16, shuffle_seed=seed, augmentation=some)
        return [epoch(data) for _ in range(2)]

    first, again, plain = run(1), run(1), epoch(batches(split, task=DEFAULT_TASK, batch_size=16, shuffle_seed=1))
    for one, two in zip(first, again, strict=True):
        assert (one[0] == two[0]).all()
        assert (one[1] == two[1]).all()
    images, labels = first[0]
    assert (labels == plain[1]).all()
    assert images.shape == plain[0].shape
    assert images.min() >= 0
    assert images.max() <= 1
    changed = (images != plain[0]).any(axis=(1, 2, 3))
    assert changed.mean() > 0.9
    # In the images' own order, so that only the augmentation can differ between the epochs.
    fixed = batches(
        split, task=DEFAULT_TASK, batch_size=16, shuffle_seed=None, augmentation=AugmentationConfig(shift=2)
    )
    assert (epoch(fixed)[0] != epoch(fixed)[0]).any()


def test_augmentation_that_does_nothing(split):
    plain, same = (
        epoch(batches(split, task=DEFAULT_TASK, batch_size=16, shuffle_seed=1, augmentation=some))
        for some in (None, AugmentationConfig())
    )
    assert (plain[0] == same[0]).all()


IMAGES = np.random.default_rng(0).integers(1, 256, (200, 8, 6, 2), np.uint8)


def test_flip_is_left_right_for_about_half():
    flipped = augment(IMAGES, AugmentationConfig(flip=True), (1, 2))[0].numpy()
    same = (flipped == IMAGES).all(axis=(1, 2, 3))
    mirrored = (flipped == IMAGES[:, :, ::-1]).all(axis=(1, 2, 3))
    assert (same ^ mirrored).all()
    assert 70 < mirrored.sum() < 130


def test_shift_moves_every_image_on_its_own():
    shifted = augment(IMAGES, AugmentationConfig(shift=2), (1, 2))[0].numpy()
    padded = np.pad(IMAGES, ((0, 0), (2, 2), (2, 2), (0, 0)))
    moves = set()
    for before, after in zip(padded, shifted, strict=True):
        fits = [
            (down, right)
            for down in range(5)
            for right in range(5)
            if (before[down : down + 8, right : right + 6] == after).all()
        ]
        assert len(fits) == 1
        moves.add(fits[0])
    assert len(moves) == 25


def test_a_movement_says_where_each_pixel_went():
    images, movement = augment(IMAGES, AugmentationConfig(shift=2, flip=True), (1, 2))
    moves = (each.numpy() for each in (movement.flipped, movement.down, movement.right))
    for before, after, flipped, down, right in zip(IMAGES, images.numpy(), *moves, strict=True):
        expected = before[:, ::-1] if flipped else before
        expected = np.pad(expected, ((2, 2), (2, 2), (0, 0)))[2 - down : 10 - down, 2 - right : 8 - right]
        assert (after == expected).all()
    assert augment(IMAGES, AugmentationConfig(cutout=3), (1, 2))[1].flipped is None


def test_cutout_blanks_a_square():
    cut = augment(IMAGES, AugmentationConfig(cutout=3), (1, 2))[0].numpy()
    areas = []
    for before, after in zip(IMAGES, cut, strict=True):
        blank = (after == 0).all(axis=-1)
        assert (after[~blank] == before[~blank]).all()
        rows, columns = np.flatnonzero(blank.any(axis=1)), np.flatnonzero(blank.any(axis=0))
        assert len(rows) * len(columns) == blank.sum()
        assert np.ptp(rows) + 1 == len(rows)
        areas.append((len(rows), len(columns)))
    # A centre in a corner leaves 2x2 of the 3x3.
    assert set(areas) == {(2, 2), (2, 3), (3, 2), (3, 3)}


@pytest.mark.parametrize("some", [{"shift": 6}, {"cutout": 6}])
def test_augmentation_larger_than_the_image(split, some):
    with pytest.raises(DatasetError, match="must be smaller than the images' side of 6 pixels; received"):
        batches(split, task=DEFAULT_TASK, batch_size=8, shuffle_seed=0, augmentation=AugmentationConfig(**some))
