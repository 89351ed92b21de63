"""What every task and every head promise."""

import xml.etree.ElementTree as ET

import numpy as np
import pytest

from nas.architecture import Architecture
from nas.architecture.blocks import BLOCKS, Conv, Head
from nas.architecture.fields import field_types
from nas.objectives import SCORES
from nas.tasks import TASKS, Framing, Movement, TargetError
from nas.tasks.tiles import is_picture

RNG = np.random.default_rng(0)

SHAPE = (9, 9, 1)


def boxes(count, most):
    """Truths of three classes, and candidates of which some are near one."""
    corner = RNG.uniform(0, 0.7, (count, most, 2))
    places = np.concatenate([corner, corner + RNG.uniform(0.1, 0.3, (count, most, 2))], axis=-1)
    classes = RNG.integers(-1, 3, (count, most, 1))
    targets = np.where(classes < 0, -1, np.concatenate([places, classes], axis=-1)).astype(np.float32)
    near = (places + RNG.normal(0, 0.02, places.shape)).clip(0, 1)
    scores = np.where(classes == np.arange(3), RNG.uniform(0.2, 1, (count, most, 3)), RNG.uniform(0, 0.7, 3))
    return targets, np.concatenate([near, scores], axis=-1).astype(np.float32)


BOXES, CANDIDATES = boxes(40, 4)


def changed(column, value):
    targets = BOXES.copy()
    targets[targets[..., 4] >= 0] = [0.1, 0.2, 0.3, 0.4, 0]
    targets[0, 0] = [0.1, 0.2, 0.3, 0.4, 0]
    targets[0, 0, column] = value
    return targets


MASKS = RNG.choice(np.array([0, 1, 2, 255], np.uint8), (40, 9, 9), p=(0.4, 0.3, 0.2, 0.1))
MASKS[0] = 0

EXAMPLES = {
    # task: names of classes, targets, answers, targets that it must refuse
    "classification": (
        ("cat", "dog", "<eel>"),
        RNG.integers(0, 3, 40),
        RNG.dirichlet((1, 1, 1), 40).astype(np.float32),
        [np.zeros(3, np.int32), np.zeros((3, 1), np.int64), np.array([0, 3]), np.array([-1])],
    ),
    "segmentation": (
        ("cat", "dog", "<eel>"),
        MASKS,
        RNG.dirichlet((1, 1, 1), MASKS.shape).astype(np.float32),
        [
            MASKS.astype(np.int64),
            MASKS[:, :8],
            MASKS[..., None],
            np.full_like(MASKS, 255),
            np.where(MASKS == 2, np.uint8(3), MASKS),
        ],
    ),
    "detection": (
        ("cat", "dog", "<eel>"),
        BOXES,
        CANDIDATES,
        [
            BOXES.astype(np.float64),
            BOXES[..., :4],
            BOXES[:, :0],
            *(changed(4, label) for label in (3, 0.5, -5, np.nan)),
            *(changed(0, top) for top in (-0.1, 0.3, np.nan)),
            changed(3, 1.01),
        ],
    ),
}

BINNED = {"detection": 0.01}
"""How far a task's Keras metric may be from its score."""

HEADS = {
    kind: cls(classes=3, **{"output_size": 9} if "output_size" in field_types(cls) else {})
    for kind, cls in BLOCKS.items()
    if cls.is_head
}


def test_every_task_has_an_example_and_every_head_a_task():
    assert set(EXAMPLES) == set(TASKS)
    for head in HEADS.values():
        assert isinstance(head, Head)
        assert head.task in TASKS


@pytest.fixture(params=sorted(EXAMPLES))
def example(request):
    return TASKS[request.param], *EXAMPLES[request.param]


def test_targets_are_checked_told_and_divided(example):
    task, labels, targets, _, wrong = example
    task.check_labels(labels, "these")
    task.check_targets(targets, labels, "these", input_shape=SHAPE)
    for refused in wrong:
        with pytest.raises(TargetError, match="these"):
            task.check_targets(refused, labels, "these", input_shape=SHAPE)
    assert task.described(labels)
    assert 0 <= task.chance(labels) < 1
    strata = task.strata(targets)
    assert (strata.dtype, strata.shape) == (np.int64, (len(targets),))
    assert task.lacking(targets, labels) == ""
    assert task.lacking(targets[:1], labels) != ""


def test_evidence_has_a_row_an_example_and_is_scored_once(example):
    task, _, targets, answers, _ = example
    whole = np.asarray(task.evidence(targets, answers))
    parts = [np.asarray(task.evidence(targets[part], answers[part])) for part in (slice(7), slice(7, None))]
    assert whole.dtype == np.float32
    assert len(whole) == len(targets)
    assert (np.concatenate(parts) == whole).all()
    assert 0 < task.score_of(whole) < 1
    assert task.score_of(whole, task.score) == task.score_of(whole)
    for score in task.scores:
        assert SCORES[score.objective] is score
        assert 0 < task.score_of(whole, score) <= 1
    metric = task.keras_metric(lambda outputs: outputs)
    metric.update_state(targets, answers)
    assert metric.name == task.score.name
    assert float(metric.result()) == pytest.approx(task.score_of(whole), abs=BINNED.get(task.name, 1e-6))


def test_images_that_were_not_moved_keep_their_targets(example):
    task, _, targets, _, _ = example
    assert (np.asarray(task.move(targets, Movement(height=9, width=9))) == targets).all()
    whole = Framing(top=0, left=0, bottom=9, right=9, height=9, width=9)
    assert task.resize(targets, (9, 9), whole) == pytest.approx(targets, abs=1e-6)
    part = task.resize(targets, (9, 9), Framing(top=-2, left=1, bottom=9, right=12, height=11, width=5))
    task.check_targets(part, ("a", "b", "c"), "these", input_shape=(11, 5, 1))


def test_answers_are_compared(example):
    task, labels, targets, answers, _ = example
    assert task.check_answers(answers.shape[1:], labels) == ""
    assert "its output is (77,)" in task.check_answers((77,), labels)
    assert task.compare(answers, answers, tolerance=0.0).problem == ""
    assert task.compare(answers, answers + np.float32(0.1), tolerance=1e-3).problem
    assert task.compare(answers, answers * np.float32("nan"), tolerance=1e9).problem
    picture = task.picture(RNG.integers(0, 256, (5, *SHAPE), np.uint8), targets[:5], answers[:5], labels)
    assert is_picture(picture)
    root = ET.fromstring(picture)
    assert len(root.findall("{*}image")) in (5, 10)


def test_classification_by_hand():
    task = TASKS["classification"]
    answers = np.array([[0.6, 0.4], [0.1, 0.9], [0.5, 0.5], [1.0, 0.0]], np.float32)
    evidence = np.asarray(task.evidence(np.array([0, 0, 0, 1]), answers))
    assert evidence.tolist() == [[0, 0, 0], [0, 1, 1], [0, 0, 0], [1, 0, 1]]
    assert task.score_of(evidence) == 0.5
    assert task.lacking(np.array([1]), ("a", "b", "c")) == "2 of the 3 classes ('a', 'c')"
    swapped = task.compare(answers[:2], answers[:2, ::-1], tolerance=0.1)
    assert (swapped.largest_difference, swapped.problem) == (
        pytest.approx(0.8),
        "probabilities differ by up to 0.8 (allowed for that image: 0.22), and 2 of 2 images change their class",
    )
    # An image whose probabilities are e^-20 apart has logits 20 apart, and may differ by 20 times the tolerance.
    sure, unsure = np.array([[1.0, np.exp(-20)]], np.float32), np.array([[0.6, 0.4]], np.float32)
    moved = np.array([[-1.5e-3, 1.5e-3]], np.float32)
    assert task.compare(sure, sure + moved, tolerance=1e-4).problem == ""
    assert "allowed for that image: 0.0001" in task.compare(unsure, unsure + moved, tolerance=1e-4).problem
    tied = np.array([[0.500001, 0.499999]], np.float32)
    assert task.compare(tied, tied[:, ::-1], tolerance=1e-5).problem == ""


@pytest.mark.parametrize("head", HEADS.values(), ids=HEADS)
def test_a_head_knows_its_loss_and_its_answers(head):
    network = Architecture(input_shape=(9, 9, 1), blocks=(Conv(filters=3), head))
    assert network.head is head
    labels, targets, _, _ = EXAMPLES[head.task]
    outputs = network.build()(RNG.random((len(targets), 9, 9, 1)).astype(np.float32))
    plain, smoothed = (np.asarray(head.loss(targets, outputs, label_smoothing=amount)) for amount in (0.0, 0.2))
    assert plain.shape == smoothed.shape == (len(targets),)
    assert np.isfinite(plain).all()
    assert (plain != smoothed).any()
    answers = np.asarray(head.answers(outputs))
    assert len(answers) == len(targets)
    assert TASKS[head.task].check_answers(answers.shape[1:], labels) == ""


def test_keras_hands_a_loss_what_the_head_returned(monkeypatch):
    seen = []

    def loss(self, targets, outputs, *, label_smoothing):
        seen.append((targets.shape, outputs.shape, label_smoothing))
        return outputs[:, 0, 0, 0]

    monkeypatch.setattr(type(HEADS["flatten"]), "loss", loss)
    of_a_map = HEADS["flatten"].keras_loss(label_smoothing=0.1)
    assert float(of_a_map(np.zeros((4, 2, 2), np.uint8), np.full((4, 2, 2, 1), 3, np.float32))) == 3
    assert seen == [((4, 2, 2), (4, 2, 2, 1), 0.1)]


def test_cross_entropy_by_hand():
    outputs = np.array([[0.25, 0.75]], np.float32)
    head = HEADS["flatten"]
    assert float(head.loss(np.array([1]), outputs, label_smoothing=0.0)[0]) == pytest.approx(-np.log(0.75))
    smoothed = -(0.9 * np.log(0.75) + 0.1 * np.log(0.25))
    assert float(head.loss(np.array([1]), outputs, label_smoothing=0.2)[0]) == pytest.approx(smoothed)


def test_a_long_caption_is_cut_below_its_image_and_whole_in_the_tooltip():
    name = "n02086240 Shih-Tzu & \x01friends"
    task = TASKS["classification"]
    images, answers = np.zeros((1, 4, 4, 1), np.uint8), np.array([[0.1, 0.9]], np.float32)
    root = ET.fromstring(task.picture(images, np.array([0]), answers, ("cat", name)))
    assert root.find("{*}text").text == "n02086240 Shi…"
    assert root.find("{*}image/{*}title").text == "n02086240 Shih-Tzu &  friends 90%, is cat"
