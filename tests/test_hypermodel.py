"""A space as a HyperModel: whatever a foreign tuner asks for, the network is inside the budget."""

import json
import random
import subprocess
import sys

import keras_tuner
import pytest

import nas
from nas.hypermodel import decide

BUDGET = nas.Budget(max_parameters=4000)


@pytest.fixture(scope="module")
def space():
    return nas.load_space("mixed", input_shape=(8, 8, 1), classes=10)


def random_values(hp, rng):
    """As a tuner draws them: each choice on its own, without regard for the budget."""
    return {choice.name: rng.choice(choice.values) for choice in hp.space}


def test_every_draw_is_inside_the_budget(space):
    rng, seen = random.Random(0), set()
    hp = keras_tuner.HyperParameters()
    for _ in range(300):
        network = decide(space, BUDGET, hp)
        assert BUDGET.admits(network.count)
        seen.add(network.id)
        hp.values = random_values(hp, rng)
    assert len(seen) > 100


def test_without_a_budget_a_value_that_fits_is_taken(space):
    hp = keras_tuner.HyperParameters()
    decide(space, nas.Budget(), hp)
    hp.values["stem/1"] = "conv(filters=16, padding=valid)"
    assert str(decide(space, nas.Budget(), hp).blocks[0]) == "conv(filters=16, padding=valid)"


def test_the_same_values_give_the_same_network(space):
    hp = keras_tuner.HyperParameters()
    assert decide(space, BUDGET, hp).id == decide(space, BUDGET, hp).id


def test_keras_tuner_s_own_tuner_runs_on_it(tmp_path):
    import numpy as np

    space = nas.load_space("tiny", input_shape=(8, 8, 1), classes=10)
    tuner = keras_tuner.RandomSearch(
        nas.make_hypermodel(space, nas.Budget(max_parameters=1500)),
        objective="val_accuracy",
        max_trials=2,
        directory=tmp_path,
    )
    images = np.random.default_rng(0).random((32, 8, 8, 1), dtype=np.float32)
    labels = np.arange(32) % 10
    tuner.search(images, labels, validation_data=(images, labels), epochs=1, verbose=0)
    best = tuner.get_best_models()[0]
    assert best.count_params() <= 1500
    best.save(tmp_path / "best.keras")
    code = f"import keras, numpy; model = keras.models.load_model({str(tmp_path / 'best.keras')!r})"
    asked = "; print(model.evaluate(numpy.zeros((4, 8, 8, 1)), numpy.arange(4), verbose=0))"
    # By someone who does not have nas.
    told = subprocess.run(
        [sys.executable, "-c", code + asked], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    expected = best.evaluate(np.zeros((4, 8, 8, 1)), np.arange(4), verbose=0)
    assert json.loads(told.stdout) == pytest.approx(expected, rel=1e-5)


def test_an_impossible_budget_is_refused_at_once(space):
    with pytest.raises(nas.NasError, match="has at most 5 parameters: the smallest has"):
        nas.make_hypermodel(space, nas.Budget(max_parameters=5))
