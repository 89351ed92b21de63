from __future__ import annotations

import xml.etree.ElementTree as ET

import numpy as np
import pytest

from nas.cli import main
from nas.config import AugmentationConfig
from nas.datasets.pipeline import augment
from nas.tasks import TASKS, Framing, Movement
from nas.tasks.overlay import overlaid

TASK = TASKS["segmentation"]
RNG = np.random.default_rng(0)


def test_mean_iou_by_hand():
    masks = np.array([[[0, 0], [1, 255]], [[0, 2], [2, 2]]], np.uint8)
    answered = np.array([[[0, 1], [1, 1]], [[0, 2], [0, 2]]])
    answers = np.eye(4, dtype=np.float32)[answered]  # of a fourth class, which is nowhere, nothing is said
    evidence = np.asarray(TASK.evidence(masks, answers))
    # Rightly of it, by answer, by mask.
    assert evidence[0].tolist() == [[1, 1, 0, 0], [1, 2, 0, 0], [2, 1, 0, 0]]
    assert evidence[1].tolist() == [[1, 0, 2, 0], [2, 0, 2, 0], [1, 0, 3, 0]]
    assert TASK.score_of(evidence) == pytest.approx((2 / 4 + 1 / 2 + 2 / 3) / 3)


def test_the_iou_of_each_class_by_hand():
    """Two images; class c is nowhere, b is answered where there is none."""
    evidence = np.array([[[6, 0, 0], [6, 2, 0], [8, 0, 0]], [[2, 0, 0], [2, 0, 0], [2, 0, 0]]], np.float32)
    found = TASK.breakdown(evidence, ("a", "b", "<c>"))
    assert found.rows == (
        ("b", "0", "0.0%", "-", "0.0%"),
        ("a", "10", "80.0%", "80.0%", "100.0%"),
        ("<c>", "0", "-", "-", "-"),
    )
    assert [rect.get("width") for rect in ET.fromstring(found.drawing).findall("{*}rect")] == ["100%", "0.0", "240.0"]


def test_mean_iou_is_that_of_keras():
    import keras

    masks = RNG.choice([0, 1, 2, 3, 255], (20, 7, 5), p=[0.5, 0.2, 0.1, 0.1, 0.1]).astype(np.uint8)
    answers = RNG.dirichlet([1] * 5, masks.shape).astype(np.float32)
    metric = keras.metrics.MeanIoU(num_classes=5, ignore_class=255, sparse_y_pred=False)
    metric.update_state(masks.astype(np.int32), answers)
    assert TASK.score_of(np.asarray(TASK.evidence(masks, answers))) == pytest.approx(float(metric.result()), abs=1e-6)


@pytest.mark.parametrize("flip", [False, True])
@pytest.mark.parametrize("shift", [0, 3])
def test_masks_move_with_their_images(flip, shift):
    masks = RNG.integers(1, 9, (32, 6, 5)).astype(np.uint8)
    images, movement = augment(masks[..., None], AugmentationConfig(flip=flip, shift=shift), np.array([1, 2]))
    moved = np.asarray(TASK.move(masks, movement))
    # Of images that show their masks, what is shifted in is 0.
    assert (np.where(moved == 255, 0, moved) == np.asarray(images)[..., 0]).all()
    assert (moved == 255).any() == (shift > 0)
    assert (moved != masks).any() == (flip or shift > 0)


def test_a_mask_shifted_by_hand():
    mask = np.array([[[1, 2, 3], [4, 5, 6]]], np.uint8)
    movement = Movement(height=2, width=3, flipped=np.array([True]), down=np.array([1]), right=np.array([-1]))
    assert np.asarray(TASK.move(mask, movement)).tolist() == [[[255, 255, 255], [2, 1, 255]]]
    wider = Framing(top=0, left=-1.5, bottom=2, right=4.5, height=1, width=4)
    # Centres at -0.75, 0.75, 2.25 and 3.75, in the second row.
    assert TASK.resize(mask, (2, 3), wider).tolist() == [[[255, 4, 6, 255]]]


def test_an_export_is_served_as_masks():
    answers = np.eye(3, dtype=np.float32)[RNG.integers(0, 3, (2, 4, 4))]
    served = TASK.served(answers)
    assert list(served) == ["mask"]
    assert str(served["mask"].dtype.name) == "uint8"
    assert (np.asarray(served["mask"]) == answers.argmax(axis=-1)).all()


def test_a_class_that_is_in_few_images_has_a_stratum_of_its_own():
    masks = np.zeros((6, 2, 2), np.uint8)
    masks[:5, 0, 0], masks[2:4, 1, 1], masks[0, 1, 0] = 1, 2, 255
    assert TASK.strata(masks).tolist() == [1, 1, 2, 2, 1, 0]
    assert TASK.lacking(masks[:2], ("ground", "road", "sky", "car")) == "2 of the 4 classes ('sky', 'car')"


def test_pixels_that_change_are_counted():
    answers = np.array([[[[0.6, 0.4], [0.1, 0.9]]]], np.float32)
    assert TASK.compare(answers, answers[..., ::-1], tolerance=0.1).problem == (
        "probabilities differ by up to 0.8 (allowed for that pixel: 0.22), and 2 of 2 pixels change their class"
    )


def test_a_mask_over_its_image():
    drawn = overlaid(np.full((1, 3, 3), 100, np.uint8), np.array([[0, 1, 255]], np.uint8))
    assert drawn[0, 0].tolist() == [100, 100, 100]
    assert drawn[0, 2].tolist() == [128, 128, 128]
    assert np.ptp(drawn[0, 1]) > 100


def test_the_size_of_images_is_no_choice(tmp_path, capsys):
    command = ["search", "digit_scenes_segmentation", "--runs-dir", str(tmp_path), "--dry-run"]
    assert main([*command, "--set", "dataset.image_size=[24, 48]"]) == 1
    assert capsys.readouterr().err == (
        "Error: targets for segmentation have the images' size, so that scores of several sizes do not compare; "
        "received dataset.image_size [24, 48]; give one size\n"
    )
