"""Detection: the score against COCO's own evaluation and by hand, suppression, and boxes that move."""

import contextlib
import io
import xml.etree.ElementTree as ET

import numpy as np
import pytest

from nas.tasks import TASKS, Movement
from nas.tasks.average_precision import COCO_OVERLAPS, mean_average_precision
from nas.tasks.suppression import DETECTIONS, LEAST_SCORE, OVERLAP, suppressed

TASK = TASKS["detection"]
NOTHING = [-1, -1, -1, -1, -1]


def random_case(seed, *, ignored):
    """Truths of 4 classes in 25 images, and detections that are often near one; quantized, so that scores tie."""
    rng = np.random.default_rng(seed)
    corner = rng.uniform(0, 0.7, (25, 9, 2))
    truths = np.concatenate([corner, corner + rng.uniform(0.05, 0.3, (25, 9, 2))], -1)
    labels = rng.integers(-1, 4, (25, 9)).astype(float)
    labels[(labels >= 0) & (rng.random((25, 9)) < 0.3 * ignored)] *= -1
    labels = np.where(labels < -1, labels - 2, labels)
    which = rng.integers(0, 9, (25, DETECTIONS, 1))
    near = np.take_along_axis(truths, which, 1) + rng.normal(0, 0.01, (25, DETECTIONS, 4))
    low, high = np.minimum(near[..., :2], near[..., 2:]), np.maximum(near[..., :2], near[..., 2:])
    kinds = np.take_along_axis(np.where(labels < -1, -2 - labels, labels)[..., None], which, 1)
    kinds = np.where(rng.random(kinds.shape) < 0.7, kinds, rng.integers(-1, 4, kinds.shape))
    found = np.concatenate([low, high, kinds], -1)
    scores = -np.sort(-np.round(rng.random((25, DETECTIONS, 1)), 1), axis=1)
    return np.concatenate([found, scores], -1), np.concatenate([truths, labels[..., None]], -1)


def coco(detections, truths):
    """mAP@50 and COCO's mAP by pycocotools; an ignored truth is one that its evaluation is told to ignore."""
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    def written(row):
        top, left, bottom, right = row[:4].tolist()
        return {"bbox": [left, top, right - left, bottom - top], "area": (bottom - top) * (right - left)}

    class Evaluation(COCOeval):
        def _prepare(self):
            super()._prepare()
            for annotations in self._gts.values():
                for each in annotations:
                    each["ignore"] = each["left_out"]

    images = [{"id": number} for number in range(len(truths))]
    annotations, results = [], []
    for number, (targets, found) in enumerate(zip(truths, detections, strict=True)):
        for row in targets[targets[:, 4] != -1]:
            kind = {"category_id": int(row[4] if row[4] >= 0 else -2 - row[4]), "left_out": int(row[4] < 0)}
            of = {"id": len(annotations) + 1, "image_id": number, "iscrowd": 0}
            annotations.append(written(row) | kind | of)
        for row in found[found[:, 4] >= 0]:
            results.append(written(row) | {"image_id": number, "category_id": int(row[4]), "score": float(row[5])})
    categories = [{"id": number} for number in range(4)]
    with contextlib.redirect_stdout(io.StringIO()):
        data = COCO()
        data.dataset = {"info": {}, "images": images, "annotations": annotations, "categories": categories}
        data.createIndex()
        evaluation = Evaluation(data, data.loadRes(results), "bbox")
        evaluation.params.recThrs = np.linspace(0, 1, 101)
        evaluation.params.iouThrs = np.array(COCO_OVERLAPS)
        evaluation.params.areaRng, evaluation.params.areaRngLbl = [[0, 1e10]], ["all"]
        evaluation.params.maxDets = [DETECTIONS]
        evaluation.evaluate()
        evaluation.accumulate()
    precision = evaluation.eval["precision"][..., 0, 0]
    return precision[0][precision[0] > -1].mean(), precision[precision > -1].mean()


@pytest.mark.parametrize("ignored", [False, True])
@pytest.mark.parametrize("seed", range(3))
def test_the_score_is_that_of_cocos_own_evaluation(seed, ignored):
    detections, truths = random_case(seed, ignored=ignored)
    at_50, over_all = coco(detections, truths)
    assert 0.05 < over_all < at_50 < 0.9
    assert mean_average_precision(detections, truths) == pytest.approx(at_50, abs=1e-12)
    assert mean_average_precision(detections, truths, COCO_OVERLAPS) == pytest.approx(over_all, abs=1e-12)


def test_the_score_by_hand():
    """Class 0: 3 truths; right at .9, wrong at .8, right at .7, one of them once more at .6. Class 1: an overlap of .6.

    Class 0 reaches recalls up to 1/3, 34 of the 101, with precision 1, and up to 2/3, 33 more, with 2/3: (34 + 22) /
    101 = 56/101. Class 1 is right at overlaps of .5, .55 and .6, at each recall: mAP@50 is (56/101 + 1) / 2, and COCO's
    (56/101 + .3) / 2.
    """
    truths = np.array([[[0, 0, 0.2, 0.2, 0], [0.4, 0.4, 0.6, 0.6, 0], [0.8, 0.8, 1, 1, 0], [0, 0.5, 0.1, 1, 1]]])
    found = [
        [0, 0, 0.2, 0.2, 0, 0.9],
        [0.7, 0, 0.9, 0.2, 0, 0.8],
        [0.4, 0.4, 0.6, 0.6, 0, 0.7],
        [0, 0, 0.2, 0.2, 0, 0.6],
        [0, 0.5, 0.1, 0.8 + 1e-9, 1, 0.5],
    ]
    detections = np.array([found])
    assert mean_average_precision(detections, truths) == pytest.approx((56 / 101 + 1) / 2) == pytest.approx(0.777228)
    assert mean_average_precision(detections, truths, COCO_OVERLAPS) == pytest.approx((56 / 101 + 0.3) / 2)
    assert pytest.approx(0.427228, abs=1e-6) == (56 / 101 + 0.3) / 2


def test_truths_that_overlap_are_taken_as_by_coco():
    ignored = np.array([[[0, 0, 0.25, 0.25, 0], [0, 0, 0.25, 0.28, -2]]])
    one = np.array([[[0, 0, 0.25, 0.28, 0, 0.9]]])
    # One that counts comes before an ignored one that is overlapped more.
    assert mean_average_precision(one, ignored) == pytest.approx(coco(one, ignored)[0]) == 1
    # Of two that are overlapped alike the last one is taken, and the second detection finds none: a recall of 1/2.
    alike = np.array([[[0, 0, 0.25, 0.25, 0], [0, 0.125, 0.25, 0.375, 0]]])
    two = np.array([[[0, 0.0625, 0.25, 0.3125, 0, 0.9], [0, 0.125, 0.25, 0.375, 0, 0.8]]])
    assert mean_average_precision(two, alike) == pytest.approx(coco(two, alike)[0]) == 51 / 101


def test_what_lies_behind_the_score():
    detections, truths = random_case(0, ignored=True)
    evidence = np.concatenate([detections, np.pad(truths, [(0, 0), (0, 0), (0, 1)])], axis=1)
    found = TASK.breakdown(evidence, ("a", "b", "<c>", "d", "e"))
    assert TASK.score_of(evidence, TASK.others[0]) == mean_average_precision(detections, truths, COCO_OVERLAPS)
    shares = [[float(cell.rstrip("%")) / 100 for cell in row[2:]] for row in found.rows[:-1]]
    assert np.mean(shares, axis=0) == pytest.approx(coco(detections, truths), abs=1e-3)
    assert sum(int(row[1]) for row in found.rows) == (truths[..., 4] >= 0).sum()
    assert shares == sorted(shares)
    assert found.rows[-1] == ("e", "0", "-", "-")
    curves = ET.fromstring(found.drawing).findall("{*}polyline")
    assert curves[-1].find("{*}title").text == f"mean: {TASK.score_of(evidence):.1%}"
    assert len(curves) == 5
    ET.fromstring(TASK.breakdown(evidence * [1, 1, 1, 1, 0, 0] - [0, 0, 0, 0, 1, 0], ("a",)).drawing)


def greedy(candidates):
    """What suppression is, one box after the other."""
    rows = [
        (score, number, label, row[:4])
        for number, row in enumerate(candidates.tolist())
        for label, score in enumerate(row[4:])
        if score >= LEAST_SCORE
    ]
    kept = []
    for score, _, label, box in sorted(rows, key=lambda row: (-row[0], row[1], row[2]))[:64]:
        if all(label != other or overlap(box, chosen) <= OVERLAP for chosen, other, _ in kept):
            kept.append((box, label, score))
    return [[*box, label, score] for box, label, score in kept[:DETECTIONS]]


def overlap(first, second):
    height, width = (max(0, min(first[2 + i], second[2 + i]) - max(first[i], second[i])) for i in (0, 1))
    sizes = [(box[2] - box[0]) * (box[3] - box[1]) for box in (first, second)]
    return height * width / (sum(sizes) - height * width)


@pytest.mark.parametrize(("places", "classes"), [(40, 3), (4, 2)])
def test_suppression_keeps_what_no_better_box_hides(places, classes):
    rng = np.random.default_rng(0)
    corner = rng.uniform(0, 0.4, (30, places, 2))
    boxes = np.concatenate([corner, corner + rng.uniform(0.3, 0.4, (30, places, 2))], -1)
    candidates = np.concatenate([boxes, rng.uniform(-0.01, 1, (30, places, classes)).clip(0)], -1).astype(np.float32)
    found = np.asarray(suppressed(candidates))
    assert found.shape == (30, DETECTIONS, 6)
    for received, case in zip(found, candidates, strict=True):
        wanted = greedy(case)
        assert 1 < len(wanted) <= DETECTIONS
        np.testing.assert_allclose(received[: len(wanted)], wanted, atol=1e-6)
        assert (received[len(wanted) :] == [0, 0, 0, 0, -1, 0]).all()


def test_what_is_served():
    candidates = np.zeros((2, 3, 6), np.float32)
    candidates[0] = [[0, 0, 0.5, 0.5, 0.2, 0.9], [0, 0, 0.5, 0.45, 0.1, 0.8], [0.5, 0.5, 1, 1, 0.7, 0.0]]
    served = {name: np.asarray(value) for name, value in TASK.served(candidates).items()}
    assert served["count"].tolist() == [3, 0]
    assert served["classes"][0].tolist() == [1, 0, 0] + [-1] * (DETECTIONS - 3)
    assert served["scores"][0, :4] == pytest.approx([0.9, 0.7, 0.2, 0])
    assert served["boxes"][0, :2].tolist() == [[0, 0, 0.5, 0.5], [0.5, 0.5, 1, 1]]
    assert {each.dtype.name for each in served.values()} == {"float32", "int32"}


def test_boxes_move_with_their_images():
    """On 10 x 20 pixels: flipped, then 2 down and 5 to the left."""
    boxes = np.array([[[0.1, 0.2, 0.5, 0.4, 3], [0.85, 0, 0.95, 0.1, 0], [0, 0.5, 0.5, 0.9, -2], NOTHING]], np.float32)
    movement = Movement(height=10, width=20, flipped=np.array([True]), down=np.array([2]), right=np.array([-5]))
    moved = np.asarray(TASK.move(boxes, movement))[0]
    # Flipped: .6 to .8 from the left; a quarter of the width to the left and a fifth of the height down.
    assert moved[0] == pytest.approx([0.3, 0.35, 0.7, 0.55, 3])
    # Below the border.
    assert moved[1].tolist() == NOTHING
    # Flipped: .1 to .5, moved: -.15 to .25, of which .25 of .4 are left.
    assert moved[2] == pytest.approx([0.2, 0, 0.7, 0.25, -2])
    assert moved[3].tolist() == NOTHING


def test_a_moved_box_covers_what_it_covered():
    """Boxes of whole pixels, drawn into images that augmentation moves."""
    from nas.config import AugmentationConfig
    from nas.datasets.pipeline import augment

    rng = np.random.default_rng(0)
    images, boxes = np.zeros((40, 12, 16, 1), np.uint8), np.full((40, 1, 5), -1, np.float32)
    for image, box in zip(images, boxes, strict=True):
        top, left = rng.integers(0, 8), rng.integers(0, 10)
        image[top : top + 3, left : left + 5] = 1
        box[0] = top / 12, left / 16, (top + 3) / 12, (left + 5) / 16, 0
    moved, movement = augment(images, AugmentationConfig(flip=True, shift=6), np.array([1, 2]))
    targets = np.asarray(TASK.move(boxes, movement))
    shown = np.zeros_like(images)
    for image, (box,) in zip(shown, targets, strict=True):
        top, left, bottom, right = np.round(box[:4] * [12, 16, 12, 16]).astype(int)
        if box[4] == 0:
            image[top:bottom, left:right] = 1
    kept = np.asarray(moved).sum(axis=(1, 2, 3)) >= 0.25 * 15
    assert (targets[:, 0, 4] == np.where(kept, 0, -1)).all()
    assert 5 < (~kept).sum() < 35
    assert (shown[kept] == np.asarray(moved)[kept]).all()


def test_a_picture_has_true_and_predicted_boxes():
    boxes = np.array([[[0, 0, 0.5, 0.5, 1], [0.5, 0, 1, 0.25, 0]]], np.float32)
    candidates = np.array(
        [[[0, 0, 0.5, 0.45, 0.1, 0.8], [0.5, 0.5, 1, 1, 0.7, 0.1], [0.5, 0, 1, 0.25, 0.2, 0.1]]], np.float32
    )
    root = ET.fromstring(TASK.picture(np.zeros((1, 10, 20, 1), np.uint8), boxes, candidates, ("a", "<b>")))
    assert root.find("{*}text").text == "1/2, 1 wrong"
    drawn = [(each.get("x"), each.get("width"), each.find("{*}title").text) for each in root.findall("{*}svg/{*}rect")]
    assert drawn == [
        ("0.00", "10.00", "<b>"),
        ("0.00", "5.00", "a"),
        ("0.00", "9.00", "<b> 80%"),
        ("10.00", "10.00", "a 70%"),
    ]
    assert root.find("{*}svg").get("viewBox") == "0 0 20 10"
    assert [each.text for each in root.findall("{*}svg/{*}text")] == ["a"]  # the wrong one


def test_images_are_divided_by_their_rarest_class():
    boxes = np.full((4, 2, 5), -1, np.float32)
    boxes[0, :, 4] = 0, 1
    boxes[1, 0, 4] = 0
    boxes[2, :, 4] = 2, 0
    assert TASK.strata(boxes).tolist() == [1, 0, 2, -1]
    assert TASK.lacking(boxes, ("a", "b", "c", "d")) == "boxes of 1 of the 4 classes ('d')"
