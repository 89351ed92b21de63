"""Who stops at a rung and who goes on."""

from dataclasses import dataclass, replace

import pytest

from nas.objectives import MACS, PARAMETERS, Objectives
from nas.results.trial import TrialStatus
from nas.strategies import History, StrategyError
from nas.strategies.early_stopping import EARLY_STOPPING, make_early_stopping
from nas.tasks import DEFAULT_TASK


@dataclass(frozen=True)
class Some:
    """A trial of `parameters` whose validation scores are `curve`."""

    number: int
    parameters: int
    curve: tuple
    status: TrialStatus = TrialStatus.STOPPED
    architecture: object = None
    macs: int = 0

    @property
    def completed(self):
        return self.status is TrialStatus.COMPLETED

    @property
    def score(self):
        return max(self.curve)

    def cost(self, cost):
        return getattr(self, cost.name)


DONE, RUNNING = TrialStatus.COMPLETED, TrialStatus.RUNNING

TINY = Some(99, 10, (0.99,) * 9, DONE)
"""Cheaper and better than any other: nobody else may reach the front. It is of another size than they."""


def early(name="pareto-asha", epochs=9, costs=(PARAMETERS,)):
    """Rungs of `pareto-asha` are after 1, 3 and 9 epochs."""
    return make_early_stopping(
        name, epochs, Objectives(score=DEFAULT_TASK.score, interest=dict.fromkeys(costs, (1, 10_000)))
    )


def stopped(number, parameters, *curve):
    return Some(number, parameters, curve)


def full(number, parameters, *curve):
    """Trained for nine epochs; the last score stays."""
    return Some(number, parameters, (*curve, *curve[-1:] * (9 - len(curve))), DONE)


def three(parameters, *curve):
    """As many full trainings as it takes to stop others of that size."""
    return [full(number, parameters, *curve) for number in (90, 91, 92)]


def promoted(early_stopping, trials, more=True):
    """The number of the trial that goes on next."""
    return early_stopping.promote(History.of(trials), more=more)


def all_that_go_on(trials, more=True, costs=(PARAMETERS,)):
    """One after the other, until there is none."""
    asha, trials, chosen = early(costs=costs), {trial.number: trial for trial in trials}, []
    while (number := promoted(asha, trials.values(), more)) is not None:
        chosen.append(number)
        trials[number] = replace(trials[number], status=RUNNING)
    return chosen


@pytest.mark.parametrize(
    ("name", "epochs", "rungs"),
    [
        ("none", 10, (10,)),
        ("pareto-asha", 90, (10, 30, 90)),
        ("pareto-asha", 10, (1, 3, 10)),
        ("pareto-asha", 2, (1, 2)),
        ("pareto-asha", 1, (1,)),
        ("one-epoch-then-top-k", 10, (1, 10)),
        ("one-epoch-then-top-k", 1, (1,)),
    ],
)
def test_rungs(name, epochs, rungs):
    assert early(name, epochs).rungs == rungs


def test_targets_follow_the_rungs():
    assert [early(epochs=10).target(trained) for trained in (0, 1, 3)] == [1, 3, 10]


def test_nobody_is_stopped_before_two_of_similar_size_were_trained_in_full():
    bad, one = stopped(0, 200, 0.1), full(90, 101, 0.9)
    assert promoted(early(), [TINY, one, bad]) == 0
    # One that goes on will be a full training; one that has just begun may not, and one twice as large is another size.
    assert promoted(early(), [TINY, one, bad, replace(stopped(92, 200, 0.9), status=RUNNING)]) is None
    assert promoted(early(), [TINY, one, bad, replace(stopped(92, 200), status=RUNNING)]) == 0
    assert promoted(early(), [TINY, one, bad, full(92, 401, 0.9)]) == 0
    assert promoted(early(), [TINY, one, bad, full(92, 400, 0.9)]) is None


def test_the_best_third_of_similar_size_goes_on_and_the_third_is_rounded_down():
    trials = [TINY, *three(100, 0.3, 0.6), stopped(0, 110, 0.5), stopped(1, 110, 0.2)]
    # Of five it is one, of six two.
    assert all_that_go_on(trials) == [0]
    assert all_that_go_on([*trials, stopped(2, 110, 0.4)]) == [0, 2]
    assert all_that_go_on([*trials, stopped(2, 110, 0.55)]) == [0, 2]


def test_a_network_is_compared_with_those_of_its_size_alone():
    # At the first rung the small ones are far ahead; of the large ones, the one that waits is the best.
    trials = [*three(1_000, 0.4, 0.6), *(full(80 + number, 100, 0.95) for number in range(3))]
    assert all_that_go_on([*trials, stopped(0, 900, 0.5)]) == [0]
    assert all_that_go_on([*trials, stopped(0, 180, 0.5)]) == []


def test_the_highest_rung_comes_first():
    trials = [
        stopped(0, 100, 0.9),
        stopped(1, 100, 0.5, 0.5, 0.5),
        stopped(2, 100, 0.5, 0.5, 0.7),
        stopped(3, 100, 0.9),
    ]
    assert all_that_go_on(trials)[:3] == [1, 2, 0]


def test_who_waits_at_a_higher_rung_does_not_go_on_from_a_lower_one():
    # 0 was the best at epoch 1, and waits at epoch 3, where it is behind.
    trials = [TINY, *three(100, 0.5, 0.5, 0.8), stopped(0, 100, 0.7, 0.7, 0.7)]
    assert all_that_go_on(trials) == []


def test_at_a_rung_the_best_epoch_so_far_counts():
    trials = [TINY, *three(100, 0.5)]
    curves = [(0.3, 0.3, 0.3), (0.6, 0.1, 0.1), (0.3, 0.4, 0.2)]
    assert all_that_go_on([*trials, *(stopped(number, 100, *curve) for number, curve in enumerate(curves))]) == [1]


def test_scores_are_compared_at_the_same_epoch():
    # The others have reached 0.9 since, but at the first rung they were behind.
    assert all_that_go_on([TINY, *three(100, 0.4, 0.8, 0.9), stopped(0, 100, 0.5)]) == [0]


@pytest.mark.parametrize("more", [True, False])
def test_whatever_is_expected_on_the_front_goes_on(more):
    # Three curves tell how others go on: about from 0.2 to 0.05 of error.
    trials = [stopped(0, 20, 0.8), stopped(1, 30, 0.805), stopped(2, 30, 0.5)]
    # None is among the best of its size at the rung. 0 is smaller than the full ones, 1 a little worse, 2 much worse.
    assert all_that_go_on([*three(25, 0.81, 0.95), *trials], more) == [0]


def test_those_that_go_on_already_are_what_others_must_exceed():
    larger, waiting = three(40, 0.9), stopped(1, 30, 0.5)
    assert all_that_go_on([*larger, waiting]) == [1]
    assert all_that_go_on([*larger, replace(stopped(0, 25, 0.8), status=RUNNING), waiting]) == []


def test_with_two_costs_only_what_is_similar_in_both_is_compared_and_what_is_no_dearer_in_either_exceeded():
    others = [replace(each, macs=90) for each in three(100, 0.9)]

    def goes_on(parameters, macs):
        return all_that_go_on([*others, replace(stopped(0, parameters, 0.5), macs=macs)], costs=(PARAMETERS, MACS))

    # Larger with fewer multiply-adds; larger with more; with so many more that it is of another size.
    assert (goes_on(150, 80), goes_on(150, 100), goes_on(150, 181)) == ([0], [], [0])


def uninformative(trainings, epochs=1):
    """Larger networks learn sooner and end better; of two of one size, the one that is ahead at first ends behind."""
    pairs = [(number, 100 * (1 + number // 2), number // 2 / 10, number % 2 / 50) for number in range(trainings)]
    return [
        full(number, size, *[0.3 + base + ahead] * epochs, 0.5 + base - ahead) for number, size, base, ahead in pairs
    ]


def test_where_a_rung_says_nothing_all_go_on_to_the_next_and_it_is_said():
    # Nobody else would let it go on: it is the last of its size, and others are better and smaller.
    bad, few, enough = stopped(50, 500, 0.1), uninformative(9), uninformative(10)
    assert all_that_go_on([TINY, *few[2:], bad]) == []
    assert early().note(History.of(few)) == ""
    assert all_that_go_on([*enough, bad]) == [50]
    assert all_that_go_on([*enough, stopped(50, 500, 0.1, 0.1, 0.1)]) == []
    assert early().note(History.of(enough)) == (
        "among networks of one size, scores after 1 epoch (rank correlation -1.00) hardly tell those after 9: "
        "no trial is stopped there"
    )


def test_a_score_that_is_still_0_is_judged_at_the_last_rung():
    others = [TINY, *three(100, 0.2, 0.3, 0.4)]
    assert all_that_go_on([*others, stopped(50, 110, 0.1)]) == []
    assert all_that_go_on([*others, stopped(50, 110, 0.0)]) == [50]
    assert all_that_go_on([*others, stopped(50, 110, 0.0, 0.0, 0.0)]) == []


def test_where_no_rung_says_anything_all_are_trained_in_full():
    enough = uninformative(10, epochs=3)
    assert all_that_go_on([*enough, stopped(50, 500, 0.1, 0.1, 0.1)]) == [50]
    assert early().note(History.of(enough)) == (
        "among networks of one size, scores after 1 epoch (rank correlation -1.00) and 3 epochs (rank correlation "
        "-1.00) hardly tell those after 9: early stopping is off, and all are trained in full"
    )


def test_where_the_first_rung_tells_the_end_some_are_stopped():
    informative = [full(number, 100, 0.3 + number / 100, 0.5 + number / 100) for number in range(10)]
    assert early().note(History.of(informative)) == ""
    assert all_that_go_on([*informative, stopped(50, 110, 0.1)]) == []
    assert early("none").note(History.of(informative)) == ""


def test_top_k_waits_for_all_and_takes_a_third():
    top = early("one-epoch-then-top-k")
    scores = [(10, 0.1), (20, 0.2), (30, 0.15), (40, 0.12), (50, 0.11)]
    trials = [stopped(number, parameters, score) for number, (parameters, score) in enumerate(scores)]
    assert promoted(top, trials) is None
    late = replace(stopped(5, 60), status=RUNNING)
    assert promoted(top, [*trials, late], more=False) is None
    chosen = set()
    while (number := promoted(top, trials, more=False)) is not None:
        chosen.add(number)
        trials[number] = replace(trials[number], status=DONE, curve=(*trials[number].curve, 0.5))
    assert chosen == {0, 1}


@pytest.mark.parametrize("name", EARLY_STOPPING)
def test_failed_trials_never_go_on(name):
    trials = [replace(stopped(number, 10, 0.9), status=TrialStatus.FAILED) for number in range(3)]
    assert promoted(early(name), trials, more=False) is None


def test_an_unknown_name_is_refused():
    message = r"there is no early stopping 'pareto' \(did you mean 'pareto-asha'\?\); use one of none, one-epoch-"
    with pytest.raises(StrategyError, match=message):
        early("pareto")
