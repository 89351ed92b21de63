"""The final score that is expected of a curve that was cut."""

import random
from dataclasses import replace

import numpy as np
import pytest

from nas.results.trial import TrialStatus
from nas.strategies import History, learning_curve
from tests.strategies.test_early_stopping import Some

DONE = TrialStatus.COMPLETED


def expected(trials):
    return learning_curve.expected(History.of(trials))


def curves(count, epochs=10, seed=0):
    """Errors that shrink like a power of the epoch, each network at a level of its own, with noise."""
    rng = random.Random(seed)
    for number in range(count):
        level = rng.uniform(0.1, 0.5)
        errors = [level * (epoch + 1) ** -0.6 * rng.uniform(0.9, 1.1) for epoch in range(epochs)]
        yield Some(number, 100 + number, tuple(1 - error for error in errors), DONE)


def test_completed_trials_are_what_they_were():
    trials = list(curves(3))
    assert [(trial.number, trial.score, trial.deviation) for trial in expected(trials)] == [
        (trial.number, max(trial.curve), 0.0) for trial in trials
    ]


def test_without_a_full_training_a_stopped_trial_counts_as_it_is_and_is_uncertain():
    (found,) = expected([Some(0, 100, (0.5, 0.7))])
    assert found.score == pytest.approx(0.7)
    assert found.deviation == pytest.approx(0.1 * 0.303)


def test_one_full_training_says_nothing_of_how_much_others_differ():
    full, stopped = Some(0, 100, (0.5, 0.7, 0.8), DONE), Some(1, 100, (0.5, 0.7))
    _, found = expected([full, stopped])
    assert found.score == pytest.approx(0.8, abs=0.001)
    # Both may be off by the prior deviation.
    assert found.deviation == pytest.approx(0.1 * 2**0.5 * 0.203, rel=0.01)


def test_failed_and_untrained_trials_are_left_out():
    assert expected([Some(0, 100, (0.5,), TrialStatus.FAILED), Some(1, 100, (), TrialStatus.RUNNING)]) == []


def test_the_rest_of_a_curve_is_learned_from_those_that_went_on():
    trials = list(curves(60))
    cut = [replace(trial, curve=trial.curve[:3], status=TrialStatus.STOPPED) for trial in trials[30:]]
    found = expected([*trials[:30], *cut])[30:]
    truth = np.array([max(trial.curve) for trial in trials[30:]])
    means = np.array([trial.score for trial in found])
    deviations = np.array([trial.deviation for trial in found])
    naive = np.array([max(trial.curve) for trial in cut])
    assert np.abs(means - truth).mean() < 0.25 * np.abs(naive - truth).mean()
    # About two in three lie within one standard deviation.
    assert 0.5 < (np.abs(means - truth) < deviations).mean() < 0.95


def test_networks_that_learn_alike_are_told_apart_by_little():
    # What lasts of a difference of a hundredth is twice as much: the prior counts in trials, not in errors.
    rng = random.Random(0)

    def trial(number, status):
        early = 0.2 * rng.uniform(0.99, 1.01)
        return Some(number, 100, (1 - early, 1 - 0.1 * (early / 0.2) ** 2), status)

    trials = [trial(number, DONE) for number in range(40)]
    last = [trial(number, DONE) for number in range(40, 60)]
    cut = [replace(one, curve=one.curve[:1], status=TrialStatus.STOPPED) for one in last]
    means = [found.score for found in expected([*trials, *cut])[40:]]
    truth = [one.score for one in last]
    assert np.abs(np.subtract(means, truth)).max() < 0.1 * (max(truth) - min(truth))


def test_it_never_expects_less_than_was_seen_nor_more_than_everything():
    trials = [*curves(10), Some(99, 5, (0.99, 0.2)), Some(98, 5, (0.9999,))]
    assert all(max(found.trial.curve) <= found.score <= 1 for found in expected(trials))
