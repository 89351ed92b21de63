"""What is expected of a trained network after all that is known: its trainings and its neighbors."""

import random
from dataclasses import replace

import pytest

from nas.architecture import Architecture, Budget
from nas.architecture.blocks import Conv, GlobalPoolHead
from nas.results.pareto import ParetoFront
from nas.results.trial import FinalTraining
from nas.space.recipe_space import RecipeSpace
from nas.strategies.expectation import with_expectations
from tests.strategies.examples import decisions_space, pretend, trial, wanted

FOREIGN = Architecture(input_shape=(8, 8, 1), blocks=(Conv(filters=3, kernel=5), GlobalPoolHead(classes=3)))


@pytest.fixture(scope="module")
def space():
    return decisions_space()


@pytest.fixture(scope="module")
def noisy(space):
    """60 trials whose observations miss what is true by .03, and what is true."""
    rng = random.Random(4)
    networks = list(space.sample_distinct(60, rng))
    true = [0.5 + pretend(found) / 4 for found in networks]
    return [trial(number, found, true[number] + rng.gauss(0, 0.03)) for number, found in enumerate(networks)], true


def expected(space, records, kept=range(1_000)):
    objectives = wanted(space)
    return with_expectations(records, RecipeSpace.of(space), Budget(), objectives, kept=kept)


def test_an_expectation_is_nearer_to_the_truth_than_a_training(space, noisy):
    records, true = noisy
    found = expected(space, records)
    assert all(
        record.is_expected and record.observed == before.score for record, before in zip(found, records, strict=True)
    )
    missed = sum((record.score - each) ** 2 for record, each in zip(found, true, strict=True))
    assert missed < 0.5 * sum((record.observed - each) ** 2 for record, each in zip(found, true, strict=True))
    assert [record.as_observed() for record in found] == records


def test_few_trials_are_what_they_are(space, noisy):
    records = noisy[0][:9]
    assert expected(space, records) == tuple(records)


def test_of_few_trials_the_trainings_alone_count(space, noisy):
    scores = (0.9, 0.8, 0.85)
    networks = sorted((record.architecture for record in noisy[0][:3]), key=lambda found: found.count.parameters)
    # The smallest was lucky; the largest has no weights.
    records = [trial(number, found, score) for number, (found, score) in enumerate(zip(networks, scores, strict=True))]
    for seed in range(3):
        records[0] = records[0].with_final(FinalTraining(seed=seed, val_score=0.5, test_score=0.5))
    first, second, third = expected(space, records, kept=(0, 1))
    assert first.score == pytest.approx((0.9 + 3 * 0.5) / 4)
    assert first.observed == 0.9
    assert second == records[1]
    assert 0.79 < third.score < 0.8
    assert ParetoFront.of([first, second, third]).best().number == 1


def test_more_trainings_of_a_network_count(space, noisy):
    records = list(noisy[0])
    lucky = max(records, key=lambda record: record.score)
    before = expected(space, records)[lucky.number].score
    for seed in range(4):
        records[lucky.number] = records[lucky.number].with_final(
            FinalTraining(seed=seed, val_score=0.4, test_score=0.4)
        )
    after = expected(space, records)[lucky.number].score
    assert 0.4 < after < before - 0.05


def test_a_network_of_another_space_is_the_mean_of_its_trainings(space, noisy):
    foreign = trial(60, FOREIGN, 0.6).with_final(FinalTraining(seed=0, val_score=0.8, test_score=0.1))
    assert expected(space, [*noisy[0], foreign])[60].score == pytest.approx(0.7)


def test_only_networks_with_weights_come_onto_the_front(space, noisy):
    records = noisy[0]
    front = [point.number for point in ParetoFront.of(expected(space, records))]
    observed = [point.number for point in ParetoFront.of(records)]
    assert set(front) != set(observed)  # else nothing is tested here
    kept = ParetoFront.of(expected(space, records, kept=observed))
    assert {point.number for point in kept} <= set(observed)


def test_failed_trials_have_no_expectation(space, noisy):
    failed = trial(60, noisy[0][0].architecture)
    assert expected(space, [*noisy[0], failed])[60] == failed


def test_trials_may_be_told_once_more(space, noisy):
    again = [replace(record) for record in noisy[0]]
    assert expected(space, again) == expected(space, noisy[0])
