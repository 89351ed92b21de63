import pytest

from nas.config import TrainingConfig
from nas.training.schedule import make_optimizer


def test_learning_rate_rises_linearly_then_falls_to_zero():
    rate = make_optimizer(TrainingConfig(learning_rate=0.4), steps=200)._learning_rate
    values = [float(rate(step)) for step in range(201)]

    assert values[0] == pytest.approx(0.4 / 11)
    assert values[5] == pytest.approx((values[0] + 0.4) / 2)
    assert max(values) == values[10] == pytest.approx(0.4)
    assert values[105] == pytest.approx(0.2)  # halfway down a cosine
    assert values[200] == pytest.approx(0, abs=1e-7)


def test_a_training_of_one_step_has_a_learning_rate():
    assert float(make_optimizer(TrainingConfig(learning_rate=0.4), steps=1)._learning_rate(0)) > 0


@pytest.mark.parametrize(("name", "decay"), [("adam", None), ("adamw", 0.01), ("sgd", 0.01)])
def test_weight_decay_is_for_adamw_and_sgd(name, decay):
    optimizer = make_optimizer(TrainingConfig(optimizer=name, weight_decay=0.01), steps=10)

    assert type(optimizer).__name__.lower() == name
    assert optimizer.weight_decay == decay
