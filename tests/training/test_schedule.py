import pytest

from nas.config import TrainingConfig
from nas.training.schedule import batch_norm_momentum, make_optimizer


@pytest.mark.parametrize(("steps", "window"), [(180, 9), (400, 20), (1_000, 50)])
def test_batch_normalization_looks_back_over_a_twentieth_of_the_training(steps, window):
    assert 1 / (1 - batch_norm_momentum(steps)) == pytest.approx(window)


@pytest.mark.parametrize(("steps", "momentum"), [(1, 0.8), (99, 0.8), (2_001, 0.99), (10**6, 0.99)])
def test_batch_normalization_momentum_is_bounded(steps, momentum):
    assert batch_norm_momentum(steps) == momentum


def test_learning_rate_rises_linearly_then_falls_to_zero():
    rate = make_optimizer(TrainingConfig(learning_rate=0.4), steps=200)._learning_rate
    values = [float(rate(step)) for step in range(201)]

    assert values[0] == pytest.approx(0.4 / 21)
    assert values[10] == pytest.approx((values[0] + 0.4) / 2)
    assert max(values) == values[20] == pytest.approx(0.4)
    assert values[110] == pytest.approx(0.2)  # halfway down a cosine
    assert values[200] == pytest.approx(0, abs=1e-7)


def test_a_training_of_one_step_has_a_learning_rate():
    assert float(make_optimizer(TrainingConfig(learning_rate=0.4), steps=1)._learning_rate(0)) > 0


@pytest.mark.parametrize(("name", "decay"), [("adam", None), ("adamw", 0.01), ("sgd", 0.01)])
def test_weight_decay_is_for_adamw_and_sgd(name, decay):
    optimizer = make_optimizer(TrainingConfig(optimizer=name, weight_decay=0.01), steps=10)

    assert type(optimizer).__name__.lower() == name
    assert optimizer.weight_decay == decay
