"""Each augmentation by what it does to images that are easy to read."""

import numpy as np
import pytest

from nas.config import AugmentationConfig
from nas.datasets import DatasetError
from nas.datasets.augmentation import MOVING, _turned, augment, check_augmentation
from nas.tasks import DEFAULT_TASK

IMAGES = np.random.default_rng(0).integers(60, 190, (200, 8, 6, 2), np.uint8)


def augmented(images=IMAGES, **settings):
    made, movement = augment(images, AugmentationConfig(**settings), (1, 2))
    return np.asarray(made, np.float32), movement


def test_each_key_of_the_configuration_changes_images():
    strong = {"shift": 2, "flip": True, "cutout": 3, "rotation": 90, "mixup": 1, "cutmix": 1}
    for name in AugmentationConfig.model_fields:
        made, movement = augmented(**{name: strong.get(name, 0.5)})
        changed = (made != IMAGES).any(axis=(1, 2, 3)).mean()
        assert changed > 0.3, name
        assert made.shape == IMAGES.shape
        assert (made.min() >= 0, made.max() <= 255) == (True, True)
        again, _ = augmented(**{name: strong.get(name, 0.5)})
        assert (again == made).all()
        moved = [each for each in (movement.flipped, movement.angle, movement.down, movement.share) if each is not None]
        assert bool(moved) == (name in MOVING), name


def test_a_quarter_turn_is_one():
    image = IMAGES[:1, :6, :6]
    made = _turned(image, np.array([np.pi / 2], np.float32), np.array([1.0], np.float32)).numpy()
    np.testing.assert_allclose(made, np.rot90(image, axes=(1, 2)), atol=0.01)
    twice = _turned(image, np.array([0.0], np.float32), np.array([2.0], np.float32)).numpy()
    # The middle of an image twice as large: its four middle pixels are spread over the whole.
    assert np.abs(twice[0, 2:4, 2:4].mean(axis=(0, 1)) - image[0, 2:4, 2:4].mean(axis=(0, 1))).max() < 40
    assert np.abs(twice.astype(float).std() - image.astype(float).std()) < 30


def test_brightness_and_contrast_by_hand():
    brighter, _ = augmented(brightness=0.2)
    offsets = (brighter - IMAGES).mean(axis=(1, 2, 3))
    assert np.allclose(brighter - IMAGES, offsets[:, None, None, None], atol=1e-3)
    assert -51 <= offsets.min() < -40
    assert 40 < offsets.max() <= 51
    sharper, _ = augmented(contrast=0.2)
    middle = IMAGES.mean(axis=(1, 2, 3), keepdims=True)
    factors = (sharper - middle).std(axis=(1, 2, 3)) / IMAGES.std(axis=(1, 2, 3))
    assert np.allclose(sharper, middle + factors[:, None, None, None] * (IMAGES - middle), atol=0.05)
    assert 0.8 <= factors.min() < 0.85
    assert 1.15 < factors.max() <= 1.2
    noisy, _ = augmented(noise=0.02)
    assert (noisy - IMAGES).std() == pytest.approx(0.02 * 255, rel=0.03)


def test_a_mixture_is_the_share_of_each_of_two_images():
    made, movement = augmented(mixup=0.4)
    share = np.asarray(movement.share)
    assert (share.min() >= 0.5, share.max() <= 1) == (True, True)
    other = IMAGES[np.asarray(movement.partner)]
    weight = share[:, None, None, None]
    assert np.allclose(made, weight * IMAGES + (1 - weight) * other, atol=1e-3)
    targets = np.arange(200) % 7
    packed = np.asarray(DEFAULT_TASK.move(targets, movement))
    assert (packed[:, 0] == targets).all()
    assert (packed[:, 1] == np.roll(targets, 1)).all()
    assert np.allclose(packed[:, 2], share)


def test_a_rectangle_of_another_image_is_as_large_as_its_share():
    made, movement = augmented(cutmix=1)
    other = IMAGES[np.asarray(movement.partner)]
    own, pasted = (made == IMAGES).all(axis=-1), (made == other).all(axis=-1)
    assert (own | pasted).all()
    assert np.allclose(own.mean(axis=(1, 2)), movement.share, atol=0.05)
    assert np.asarray(movement.share).min() >= 0.5 - 1 / 8


def test_both_mixtures_share_the_images():
    made, _ = augmented(mixup=1, cutmix=1)
    pasted = ((made == IMAGES) | (made == np.roll(IMAGES, 1, axis=0))).all(axis=(1, 2, 3))
    assert 60 < pasted.sum() < 140


def test_what_targets_cannot_follow_is_refused():
    class Places(type(DEFAULT_TASK)):
        name = "places"
        follows = frozenset({"flip", "shift"})

    check_augmentation((8, 8, 1), AugmentationConfig(rotation=5, mixup=1), DEFAULT_TASK)
    check_augmentation((8, 8, 1), AugmentationConfig(shift=1, flip=True, noise=0.1), Places())
    with pytest.raises(DatasetError) as error:
        check_augmentation((8, 8, 1), AugmentationConfig(rotation=5), Places())
    assert str(error.value) == (
        "training.augmentation.rotation cannot be used for places, whose targets do not follow it; leave it out"
    )
