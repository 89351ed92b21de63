"""Who stops at a rung and who goes on."""

from dataclasses import dataclass, replace

import pytest

from nas.objectives import MACS, PARAMETERS
from nas.results.trial import TrialStatus
from nas.strategies import History, StrategyError
from nas.strategies.early_stopping import EARLY_STOPPING, make_early_stopping


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


def some(*sizes_and_scores, epochs=1):
    return [
        Some(number, parameters, (0.05,) * (epochs - 1) + (score,))
        for number, (parameters, score) in enumerate(sizes_and_scores)
    ]


def promoted(early_stopping, trials, more=True):
    """The number of the trial that goes on next."""
    return early_stopping.promote(History.of(trials), more=more)


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
    assert make_early_stopping(name, epochs).rungs == rungs


def test_targets_follow_the_rungs():
    asha = make_early_stopping("pareto-asha", 10)
    assert [asha.target(trained) for trained in (0, 1, 3)] == [1, 3, 10]


def all_that_go_on(trials, more=True):
    """One after the other, until there is none."""
    asha, trials, chosen = make_early_stopping("pareto-asha", 9), {trial.number: trial for trial in trials}, []
    while (number := promoted(asha, trials.values(), more)) is not None:
        chosen.append(number)
        trials[number] = replace(trials[number], status=TrialStatus.RUNNING)
    return chosen


def test_a_third_goes_on_and_a_small_network_is_not_ended_for_being_small():
    # 0 beats the larger ones; 2 is the worst and the smallest.
    trials = some((100, 0.9), (200, 0.4), (10, 0.2), (300, 0.45), (400, 0.46), (500, 0.47))
    assert sorted(all_that_go_on(trials)) == [0, 2]


def test_the_highest_rung_comes_first():
    asha = make_early_stopping("pareto-asha", 9)
    trials = some((100, 0.5), (200, 0.4), (300, 0.3), (400, 0.2), (500, 0.2), (600, 0.2))
    for number in range(3):
        trials[number] = replace(trials[number], curve=(*trials[number].curve, 0.6, 0.7 - 0.1 * number))
    # At epoch 3 one of three may go on, at epoch 1 two of six, both of which have gone on before.
    assert promoted(asha, trials) == 0
    # Now one waits at epoch 1, too: the smallest.
    trials[3] = replace(trials[3], parameters=50, curve=(0.45,))
    assert promoted(asha, trials) == 0
    trials[0] = replace(trials[0], status=TrialStatus.RUNNING)
    assert promoted(asha, trials) == 3


def test_a_third_is_rounded_down():
    # The full one is the best third of five, and no other may still exceed it.
    full = Some(9, 1, (0.9,) * 9, TrialStatus.COMPLETED)
    trials = [full, *some((10, 0.1), (20, 0.2), (30, 0.3), (40, 0.4))]
    assert promoted(make_early_stopping("pareto-asha", 9), trials) is None
    # Of six it is two: the next is the best of those that are behind it alone.
    assert promoted(make_early_stopping("pareto-asha", 9), [*trials, Some(4, 5, (0.5,))]) == 4


def test_who_waits_at_a_higher_rung_does_not_go_on_from_a_lower_one():
    # 1 is in the best third at epoch 1, but waits at epoch 3, where only the full one is.
    full = Some(9, 1, (0.9,) * 9, TrialStatus.COMPLETED)
    trials = [full, *some((30, 0.1), (10, 0.5), (20, 0.2), (40, 0.1), (50, 0.1))]
    for number in (1, 2):
        trials[number] = replace(trials[number], curve=(*trials[number].curve, 0.5, 0.5))
    assert promoted(make_early_stopping("pareto-asha", 9), trials) is None


def test_at_a_rung_the_best_epoch_so_far_counts():
    trials = some((10, 0.5), (10, 0.5), (10, 0.5))
    for number, curve in enumerate([(0.3, 0.3, 0.3), (0.6, 0.1, 0.1), (0.3, 0.4, 0.2)]):
        trials[number] = replace(trials[number], curve=curve)
    assert promoted(make_early_stopping("pareto-asha", 9), trials) == 1


@pytest.mark.parametrize("more", [True, False])
def test_whatever_may_be_on_the_front_goes_on(more):
    # Nothing is known of how curves go on but for one: an error's logarithm has a standard deviation of about 0.3.
    full = Some(9, 25, (0.8, 0.8, 0.8, 0.95), TrialStatus.COMPLETED)
    # Smaller than the full one; larger and hardly worse; larger and much worse.
    trials = [full, Some(0, 20, (0.8,)), Some(1, 30, (0.79,)), Some(2, 30, (0.5,))]
    assert sorted(all_that_go_on(trials, more)) == [0, 1]


def test_those_that_go_on_already_are_what_others_must_exceed():
    stopped = Some(1, 30, (0.5,))
    assert all_that_go_on([stopped]) == [1]
    assert all_that_go_on([Some(0, 20, (0.8,), TrialStatus.RUNNING), stopped]) == []


def test_with_two_costs_only_what_is_no_dearer_in_either_must_be_exceeded():
    asha = make_early_stopping("pareto-asha", 9, (PARAMETERS, MACS))
    full = Some(9, 10, (0.9,) * 9, TrialStatus.COMPLETED, macs=90)
    # Larger with fewer multiply-adds, and larger with more.
    assert promoted(asha, [full, Some(0, 20, (0.5,), macs=80)]) == 0
    assert promoted(asha, [full, Some(0, 20, (0.5,), macs=100)]) is None


def test_scores_are_compared_at_the_same_epoch():
    asha = make_early_stopping("pareto-asha", 9)
    trials = some((100, 0.5), (100, 0.4), (100, 0.3))
    # Trial 1 has reached 0.9, but at the first rung it was behind trial 0.
    trials[1] = replace(trials[1], curve=(0.4, 0.8, 0.9), status=TrialStatus.COMPLETED)
    assert promoted(asha, trials) == 0


def test_top_k_waits_for_all_and_takes_a_third():
    top = make_early_stopping("one-epoch-then-top-k", 9)
    trials = some((10, 0.1), (20, 0.2), (30, 0.15), (40, 0.12), (50, 0.11))
    assert promoted(top, trials) is None
    late = Some(5, 60, (), TrialStatus.RUNNING)
    assert promoted(top, [*trials, late], more=False) is None
    chosen = set()
    while (number := promoted(top, trials, more=False)) is not None:
        chosen.add(number)
        trials[number] = replace(trials[number], status=TrialStatus.COMPLETED, curve=(*trials[number].curve, 0.5))
    assert chosen == {0, 1}


@pytest.mark.parametrize("name", EARLY_STOPPING)
def test_failed_trials_never_go_on(name):
    trials = [replace(trial, status=TrialStatus.FAILED) for trial in some((10, 0.9), (20, 0.9), (30, 0.9))]
    assert promoted(make_early_stopping(name, 9), trials, more=False) is None


def test_an_unknown_name_is_refused():
    message = r"there is no early stopping 'pareto' \(did you mean 'pareto-asha'\?\); use one of none, one-epoch-"
    with pytest.raises(StrategyError, match=message):
        make_early_stopping("pareto", 9)
