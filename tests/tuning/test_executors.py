"""Both executors train the same trial to the same result; a worker's end costs only its own trial."""

import multiprocessing
import time

import pytest

from nas.architecture import Architecture
from nas.architecture.blocks import Conv, GlobalPoolHead
from nas.config import DatasetConfig, TrainingConfig
from nas.datasets import load
from nas.errors import NasError
from nas.training import select_devices
from nas.tuning.execution import InProcess, Task
from nas.tuning.resources import Allocation, allocate
from nas.tuning.shared_data import read_shared, write_shared
from nas.tuning.workers import Workers

GIB = 2**30
TRAINING = TrainingConfig(epochs=2, batch_size=64)


def task(number, *, input_shape=(8, 8, 1), filters=8, normalization="batch"):
    blocks = (Conv(filters=filters, normalization=normalization), GlobalPoolHead(classes=10))
    architecture = Architecture(input_shape=input_shape, blocks=blocks)
    return Task(number=number, architecture=architecture.to_json(), seed=7, epochs=2)


@pytest.fixture(scope="module")
def data():
    return load(DatasetConfig(name="digits"))


@pytest.fixture(scope="module")
def shared(data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("shared")
    write_shared(data, folder)
    return folder


@pytest.fixture(scope="module")
def workers(shared, tmp_path_factory):
    """One pool for all tests: starting TensorFlow takes longer than what they do."""
    pool = Workers(
        data=shared, training=TRAINING, slots=2, threads=1, timeout_seconds=60, logs=tmp_path_factory.mktemp("logs")
    )
    yield pool
    pool.close()


def outcome_of(executor, on_epoch=lambda epoch: None, *, seconds=120):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        outcome = executor.next_outcome(0.5, on_epoch)
        if outcome is not None:
            return outcome
    raise AssertionError(f"nothing ended in {seconds} s")


def test_shared_data_are_the_same_data(data, shared):
    mapped = read_shared(shared)
    assert mapped.info == data.info
    for name in ("train", "validation", "test"):
        assert (getattr(mapped, name).images == getattr(data, name).images).all()
        assert (getattr(mapped, name).labels == getattr(data, name).labels).all()


def test_both_executors_give_the_same_result(data, workers):
    here = InProcess(data=data, training=TRAINING, devices=select_devices("cpu"), should_stop=lambda: False)
    epochs = []
    here.submit(0, task(3))
    expected = outcome_of(here, epochs.append)
    workers.submit(1, task(3))
    seen = []
    received = outcome_of(workers, seen.append)
    assert (received.slot, received.number, received.reason) == (1, 3, "")
    assert [event.epoch for event in seen] == [event.epoch for event in epochs] == [1, 2]
    assert received.result.curves["loss"] == pytest.approx(expected.result.curves["loss"], abs=1e-3)


def test_slots_work_at_the_same_time(workers):
    workers.submit(0, task(0))
    workers.submit(1, task(1))
    assert {outcome_of(workers).number, outcome_of(workers).number} == {0, 1}


def test_a_killed_worker_costs_only_its_trial(workers):
    workers.submit(0, task(0))
    workers.submit(1, task(1))
    victim = {"alive": True}

    def kill(event):
        if event.number == 0 and victim.pop("alive", False):
            workers._slots[0].process.kill()

    outcomes = {outcome.number: outcome for outcome in (outcome_of(workers, kill), outcome_of(workers, kill))}
    assert outcomes[0].crashed
    assert "the worker process died" in outcomes[0].reason
    assert outcomes[1].result is not None
    workers.submit(0, task(0))
    assert outcome_of(workers).result is not None


def test_an_exception_is_a_crash_with_its_traceback(workers):
    workers.submit(0, task(5, input_shape=(9, 9, 3)))
    outcome = outcome_of(workers)
    assert outcome.crashed
    assert "Traceback" in outcome.log
    assert "\n" not in outcome.reason


def test_a_hanging_trial_is_ended(workers, monkeypatch):
    workers.submit(0, task(0))
    outcome_of(workers)  # the process is warm
    monkeypatch.setattr(workers, "_timeout", 0.01)
    workers.submit(0, task(6, filters=512))
    outcome = outcome_of(workers)
    assert outcome.crashed
    assert outcome.reason == "the trial took longer than trial_timeout (0.01 s)"


def test_closing_leaves_no_process(shared, tmp_path):
    before = set(multiprocessing.active_children())
    pool = Workers(data=shared, training=TRAINING, slots=1, threads=1, logs=tmp_path)
    (process,) = set(multiprocessing.active_children()) - before
    pool.close()
    process.join(10)
    assert not process.is_alive()


@pytest.mark.parametrize(
    ("wanted", "gpus", "cores", "memory", "trials", "expected"),
    [
        ("auto", (), 4, 64 * GIB, 20, Allocation(slots=4, threads=1)),
        ("auto", (), 4, 2 * GIB, 20, Allocation(slots=2, threads=2)),
        ("auto", (), 4, 64 * GIB, 3, Allocation(slots=3, threads=1)),
        ("auto", (), 4, 0, 20, Allocation(slots=1, threads=4)),
        (2, (), 8, 64 * GIB, 20, Allocation(slots=2, threads=4)),
        (8, (), 2, 64 * GIB, 20, Allocation(slots=8, threads=1)),
        ("auto", ("0", "1"), 4, 64 * GIB, 20, Allocation(slots=2, gpus=("0", "1"))),
        (1, ("3", "5"), 4, 64 * GIB, 20, Allocation(slots=1, gpus=("3",))),
    ],
)
def test_allocation(wanted, gpus, cores, memory, trials, expected):
    assert allocate(wanted, gpus=gpus, cores=cores, free_bytes=memory, trials=trials) == expected


def test_more_workers_than_gpus_are_refused():
    with pytest.raises(NasError, match="at most 1 workers on this machine; received 2"):
        allocate(2, gpus=("0",), cores=4, free_bytes=GIB, trials=5)
