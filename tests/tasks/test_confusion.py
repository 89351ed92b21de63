"""The scores of classification beside accuracy, by hand; and what lies behind them."""

import xml.etree.ElementTree as ET

import numpy as np
import pytest

from nas.tasks import TASKS, TargetError
from nas.tasks.classification import BALANCED, F1, TOP5
from nas.tasks.confusion import confusion

TASK = TASKS["classification"]

# Class 0: four images, three of them right; class 1: one, wrong; class 2: none, answered once.
EVIDENCE = np.array([[0, 0, 0], [0, 0, 0], [0, 0, 0], [0, 2, 1], [1, 0, 5]], np.float32)


def test_scores_by_hand():
    assert confusion(EVIDENCE, 3).tolist() == [[3, 0, 1], [1, 0, 0], [0, 0, 0]]
    assert TASK.score_of(EVIDENCE) == TASK.score_of(EVIDENCE, TASK.score) == 3 / 5
    # 3 of 4 and 0 of 1; there is no image of class 2.
    assert TASK.score_of(EVIDENCE, BALANCED) == pytest.approx((3 / 4 + 0) / 2)
    # Precision 3/4 and recall 3/4 of class 0, nothing of class 1, and class 2 was answered wrongly.
    assert TASK.score_of(EVIDENCE, F1) == pytest.approx((3 / 4 + 0 + 0) / 3)
    assert TASK.score_of(EVIDENCE, TOP5) == 4 / 5


def test_five_probabilities_are_among_the_first_five():
    answers = np.linspace(0, 1, 7, dtype=np.float32)[None, :].repeat(2, axis=0)
    evidence = np.asarray(TASK.evidence(np.array([2, 1]), answers))
    assert evidence.tolist() == [[2, 6, 4], [1, 6, 5]]
    assert TASK.score_of(evidence, TOP5) == 0.5


def test_guessing_among_five_classes_is_always_right():
    assert TASK.chance("abcdefghij", TOP5) == 0.5
    assert TASK.chance("abcd", F1) == 0.25
    with pytest.raises(TargetError, match="val_top5_accuracy needs more than 5 classes; the data have 5"):
        TASK.chance("abcde", TOP5)


def test_what_lies_behind_a_score():
    found = TASK.breakdown(EVIDENCE, ("cat", "<dog>", "eel"))
    assert found.headings == ("class", "images", "recognized", "precision", "most often taken for")
    assert found.rows == (
        ("<dog>", "1", "0.0%", "-", "cat (1)"),
        ("cat", "4", "75.0%", "75.0%", "eel (1)"),
        ("eel", "0", "-", "0.0%", ""),
    )
    root = ET.fromstring(found.drawing)
    titles = [title.text for title in root.iterfind(".//{*}title")]
    assert titles == [
        "cat answered cat: 3 (75.0%)",
        "cat answered eel: 1 (25.0%)",
        "<dog> answered cat: 1 (100.0%)",
    ]
    many = TASK.breakdown(EVIDENCE, [f"class {number}" for number in range(100)])
    assert len(ET.fromstring(many.drawing).findall("{*}text")) == 0
