"""What decides: effects that were put into made-up results are found, at equal size and with their uncertainty."""

import random

import pytest

from nas.architecture import Budget
from nas.space.encoding import replaced
from nas.strategies import History
from nas.strategies.importance import effects
from tests.strategies.examples import made, recipes_space, trial

SPACE, BUDGET = recipes_space(), Budget(max_parameters=150)


def searched(trials, score):
    """Random candidates with a made-up score each."""
    rng = random.Random(3)
    found = {each.id: each for each in (SPACE.sample(rng, BUDGET) for _ in range(trials))}
    return History.of(trial(number, each, score(each, rng)) for number, each in enumerate(found.values()))


def test_what_decides_comes_first_with_its_values_and_its_gain():
    """A tenth for sgd, whatever the network; larger networks are better, which is no decision's merit."""

    def score(candidate, rng):
        size = candidate.count.parameters / 1_000
        return 0.5 + size + 0.1 * (candidate.recipe["training.optimizer"] == "sgd") + rng.gauss(0, 0.01)

    found = effects(made("ehvi", SPACE, BUDGET), searched(60, score))
    first = found[0]
    assert (first.decision, first.best, first.worst) == ("training.optimizer", "sgd", "adam")
    assert first.gain == pytest.approx(0.1, abs=0.03)
    assert 0 < first.deviation < 0.02
    assert first.is_clear
    assert [each.gain for each in found] == sorted((each.gain for each in found), reverse=True)
    others = [each for each in found[1:] if each.decision.startswith("stage")]
    assert max(each.gain for each in others) < 0.05
    assert "training.learning_rate" not in [each.decision for each in found]  # it has one value


def test_noise_alone_is_not_clear():
    found = effects(made("ehvi", SPACE, BUDGET), searched(40, lambda candidate, rng: 0.5 + rng.gauss(0, 0.02)))
    assert sum(each.is_clear for each in found) <= 1
    assert all(0 <= each.gain < 0.05 for each in found)


def test_ten_trials_are_needed():
    history = searched(9, lambda candidate, rng: rng.random())
    assert effects(made("ehvi", SPACE, BUDGET), history) == []


def test_a_difference_is_that_of_the_predictions_and_surer_than_either():
    from nas.strategies.ehvi import observed
    from nas.strategies.learning_curve import expected
    from nas.strategies.score_model import ScoreModel

    strategy = made("ehvi", SPACE, BUDGET)
    history = searched(30, lambda candidate, rng: 0.5 + candidate.count.parameters / 1_000)
    genes, worths, deviations = observed(strategy, expected(history))
    model = ScoreModel(strategy.encoder, genes, worths, deviations)
    one, other = [genes[0], genes[1]], [replaced(each, "head.1.0.global_pool.pool", "max") for each in genes[:2]]
    means, spreads = model.predict([*one, *other])
    mean, deviation = model.difference(one, other)
    assert mean == pytest.approx(means[:2].mean() - means[2:].mean())
    assert deviation < spreads.sum()
    assert model.difference(one, one) == (pytest.approx(0), pytest.approx(0, abs=1e-3))
