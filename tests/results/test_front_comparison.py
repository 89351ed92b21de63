from __future__ import annotations

import pytest

from nas.errors import NasError
from nas.objectives import PARAMETERS, Objectives
from nas.results.front_comparison import Comparison, Stretch
from nas.tasks import DEFAULT_TASK
from tests.tracking.examples import trial

# 2 filters: 152 parameters, 4: 214, 8: 338, 16: 586 (see nas show).
OBJECTIVES = Objectives(score=DEFAULT_TASK.score, interest={PARAMETERS: (100, 1_000)})
SIZES = {filters: trial(0, 0.5, filters=filters).parameters for filters in (2, 4, 8, 16)}


def compared(a, b):
    """Searches given as score by filters."""
    searches = {
        name: [trial(number, score, filters=filters) for number, (filters, score) in enumerate(points.items())]
        for name, points in (("a", a), ("b", b))
    }
    return Comparison.of(searches, OBJECTIVES)


def test_where_each_is_ahead():
    found = compared({2: 0.5, 16: 0.9}, {4: 0.7, 8: 0.8})
    assert found.stretches == (
        Stretch(winner="a", start=SIZES[2], end=SIZES[4], lead=0.5),
        Stretch(winner="b", start=SIZES[4], end=SIZES[16], lead=pytest.approx(0.3)),
        Stretch(winner="a", start=SIZES[16], end=None, lead=pytest.approx(0.1)),
    )
    assert [(name, point.score) for name, point in found.joint] == [
        ("a", 0.5), ("b", 0.7), ("b", 0.8), ("a", 0.9),
    ]  # fmt: skip
    assert (found.on_joint_front("a"), found.on_joint_front("b")) == (2, 2)


def test_equal_searches_are_nowhere_ahead_and_share_no_point_twice():
    found = compared({2: 0.5, 8: 0.8}, {2: 0.5, 8: 0.8})
    assert [stretch.winner for stretch in found.stretches] == [""]
    assert [name for name, _ in found.joint] == ["a", "a"]
    assert found.hypervolumes["a"] == found.hypervolumes["b"] > 0


def test_hypervolumes_are_over_the_same_objectives():
    found = compared({2: 0.5}, {2: 0.6})
    assert found.objectives is OBJECTIVES
    # Both begin at one size: what is left is what the scores are worth.
    ratio = OBJECTIVES.worth(0.6) / OBJECTIVES.worth(0.5)
    assert found.hypervolumes["b"] / found.hypervolumes["a"] == pytest.approx(ratio)


def test_a_search_without_a_completed_trial_loses_everywhere():
    found = compared({}, {4: 0.7})
    assert [stretch.winner for stretch in found.stretches] == ["b"]
    assert found.hypervolumes["a"] == 0


def test_one_search_is_no_comparison():
    with pytest.raises(NasError, match="a comparison takes at least two searches; received 1"):
        Comparison.of({"a": []}, OBJECTIVES)
