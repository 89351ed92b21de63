"""Points of a front that are there by luck."""

from dataclasses import replace
from types import SimpleNamespace

import pytest

from nas.cli.front import _resolution
from nas.objectives import PARAMETERS, Objectives
from nas.results.noise import explained_by_noise, left_out, not_above_guessing, without_noise
from nas.results.pareto import ParetoFront
from nas.results.trial import FinalTraining, TrialRecord, TrialStatus
from nas.tasks import TASKS


class Network:
    """Only its size matters here."""

    def __init__(self, parameters):
        self.count = type("Count", (), {"parameters": parameters, "macs": 0})()


def front_of(*points):
    return ParetoFront(points)


def point(number, parameters, *scores, test=0.5):
    record = TrialRecord(number=number, architecture=Network(parameters), status=TrialStatus.COMPLETED)
    for seed, score in enumerate(scores):
        record = record.with_final(FinalTraining(seed=seed, val_score=score, test_score=test))
    return record


def test_a_larger_network_must_be_better_by_more_than_one_standard_error():
    small, middle, large = point(0, 100, 0.90, 0.90), point(1, 200, 0.89, 0.92), point(2, 300, 0.91, 0.93)
    # 0.905 - 0.90 = 0.005 is less than sqrt(0 / 2 + 0.00045 / 2) = 0.015.
    # 0.92 - 0.90 = 0.02 is more than sqrt(0 / 2 + 0.0002 / 2) = 0.01.
    assert explained_by_noise(front_of(small, middle, large)) == {1}


def test_it_is_the_error_of_the_mean_not_the_deviation_of_a_training():
    # 0.912 - 0.90 = 0.012 is more than sqrt(0.0002 / 2) = 0.01, and less than sqrt(0.0002) = 0.014.
    assert explained_by_noise(front_of(point(0, 100, 0.90, 0.90), point(1, 200, 0.902, 0.922))) == frozenset()


def test_what_is_left_is_the_front_and_says_what_is_not():
    small, middle, large = point(0, 100, 0.90, 0.90), point(1, 200, 0.89, 0.92), point(2, 300, 0.91, 0.93)
    front = front_of(small, middle, large)
    assert list(without_noise(front)) == [small, large]
    assert left_out(front) == (
        "Left out: trial 1; trained again, no better than a cheaper network on the front, within training noise."
    )
    assert left_out(front_of(small, middle, replace(middle, number=7))).startswith("Left out: trials 1, 7; ")
    assert left_out(front_of(small, large)) == ""


def test_tiny_networks_that_differ_by_much_hide_no_difference_between_good_ones():
    points = [point(0, 100, 0.40, 0.50), point(1, 200, 0.90, 0.91), point(2, 300, 0.93, 0.94)]
    assert explained_by_noise(front_of(*points)) == frozenset()


def test_a_point_is_compared_with_all_smaller_ones_that_stay():
    # 2 is better than 1, but 1 is not there to be compared with, and 2 is no better than 0.
    points = [point(0, 100, 0.93, 0.94), point(1, 200, 0.90, 0.90), point(2, 300, 0.935, 0.935)]
    assert explained_by_noise(front_of(*points)) == {1, 2}


def test_test_scores_have_no_say():
    points = [point(0, 100, 0.90, 0.91, test=0.1), point(1, 200, 0.95, 0.96, test=0.05)]
    assert explained_by_noise(front_of(*points)) == frozenset()


@pytest.mark.parametrize("scores", [(), (0.9,)])
def test_without_two_trainings_of_a_network_nothing_is_known_of_noise(scores):
    assert explained_by_noise(front_of(point(0, 100, *scores), point(1, 200, *scores))) == frozenset()


def test_the_summary_is_mean_and_sample_deviation():
    record = point(0, 100)
    for seed, score in enumerate((0.90, 0.94)):
        record = record.with_final(FinalTraining(seed=seed, val_score=0.8, test_score=score))
    assert record.metrics == pytest.approx(
        {"test_score": 0.92, "test_score_std": 0.04 / 2**0.5, "test_seeds": 2, "final_val_score": 0.8}
    )


def test_what_guessing_explains_is_told_from_what_it_does_not():
    scores = (0.48, 0.602, 0.603, 0.9)
    records = [replace(point(n, 100 * n), metrics={"val_score": score}) for n, score in enumerate(scores)]
    # sqrt(0.5 * 0.5 / 96) = 0.0510: two of them above a half are 0.6021.
    assert not_above_guessing(front_of(*records), chance=0.5, finest=1 / 96) == (0, 1)
    assert not_above_guessing(front_of(*records), chance=0.5, finest=1 / 100_000) == (0,)
    assert not_above_guessing(front_of(*records), chance=0.602, finest=0) == (0, 1)


def test_masks_are_above_guessing_without_any_luck():
    """A mask of one class has a third at most; one of six images is no unit of mean IoU."""
    records = [replace(point(n, 100 * n), metrics={"val_score": score}) for n, score in enumerate((0.3, 0.39))]
    task = TASKS["segmentation"]
    objectives = Objectives(score=task.score, interest={PARAMETERS: (100, 2_000)}, finest=1 / 6)
    search = SimpleNamespace(task=task, facts=SimpleNamespace(labels=("a", "b", "c")), objectives=objectives)
    assert list(_resolution(search, front_of(*records))) == [
        "Not distinguishable from chance: trial 0.",
        "Chance level is 33.33%; there are 6 validation images.",
    ]
