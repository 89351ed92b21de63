"""XLA is tried in long trainings only, and stays only where it is faster; either way the training is the same."""

import logging

import numpy as np
import pytest

from nas.config import TrainingConfig
from nas.devices import selection
from nas.training import compiled, train, xla_choice
from nas.training.xla_choice import XlaChoice
from tests.training.conftest import digits_data, small_network


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


def ways(plain_seconds, other_seconds, *, compile_seconds=10.0, error=None):
    """A XlaChoice over two ways that take so long a step, and what was called."""
    clock, called = Clock(), []

    def plain(positions, seeds):
        clock.now += plain_seconds * len(positions)
        called.append("plain")
        return np.zeros(2)

    def make():
        def other(positions, seeds):
            if error is not None:
                raise error
            clock.now += other_seconds * len(positions) + (compile_seconds if "other" not in called else 0)
            called.append("other")
            return np.zeros(2)

        return other

    return XlaChoice(plain, make, failure=RuntimeError, clock=clock), called


def run(way, *, calls=8, left=10_000):
    for _ in range(calls):
        way(np.zeros((10, 4)), np.zeros((10, 2)), left=left)


@pytest.mark.parametrize(("other_seconds", "rest"), [(0.01, "other"), (0.03, "plain")])
def test_in_a_long_training_the_faster_way_stays(other_seconds, rest):
    way, called = ways(0.02, other_seconds)
    run(way)
    assert called == ["plain"] * 3 + ["other"] * 2 + [rest] * 3


def test_in_a_short_training_nothing_is_tried():
    way, called = ways(0.02, 0.01)
    run(way, left=int(xla_choice.LONG_SECONDS / 0.02) - 100)
    assert called == ["plain"] * 8


def test_what_does_not_work_is_said_and_left(caplog):
    way, called = ways(0.02, 0.01, error=RuntimeError("libdevice not found\nmore"))
    with caplog.at_level(logging.WARNING):
        run(way)
    assert called == ["plain"] * 8
    assert caplog.messages == ["XLA does not work here, training continues without it: libdevice not found"]


def test_without_another_way_there_is_nothing_to_choose():
    called = []
    way = XlaChoice(lambda positions, seeds: called.append(1) or np.zeros(2), None, failure=RuntimeError)
    run(way)
    assert len(called) == 8


def test_a_training_with_xla_is_the_same_training(monkeypatch):
    """On the CPU, which stands in for a GPU: XLA compiles for it, too."""
    network, data = small_network(filters=4), digits_data(train_images=512)
    config = TrainingConfig(epochs=2, batch_size=32, learning_rate=1e-2)
    expected = train(network, data, config, seed=3, loop="compiled")
    monkeypatch.setattr(xla_choice, "LONG_SECONDS", 0.0)
    made = []
    monkeypatch.setattr(
        compiled,
        "_make_train_chunk",
        lambda *a, xla, original=compiled._make_train_chunk, **k: made.append(xla) or original(*a, xla=xla, **k),
    )
    cpu = selection.over("cpu", ("CPU:0",))
    as_gpu = selection.Devices(kind="gpu", names=cpu.names)
    result = train(network, data, config, seed=3, loop="compiled", devices=as_gpu)
    assert made == [False, True]
    assert result.curves["loss"] == pytest.approx(expected.curves["loss"], abs=1e-3)
