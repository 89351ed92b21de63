"""What every executor does: the same trial, the same result; a trial that goes wrong costs itself alone."""

import ctypes
import time
from contextlib import ExitStack
from dataclasses import replace

import psutil
import pytest

from nas.architecture import Architecture
from nas.architecture.blocks import Conv, GlobalPoolHead
from nas.config import DatasetConfig, TrainingConfig
from nas.datasets import in_forms, load
from nas.devices import select_devices
from nas.devices.visible import VisibleDevices
from nas.training.own import Own
from nas.tuning.execution import Crashed, Failed, InProcess, Job, Trained
from nas.tuning.shared_data import write_shared
from nas.tuning.workers import Workers
from tests.tuning.ray_nodes import nodes, on

TRAINING = TrainingConfig(epochs=2, batch_size=64)
PROCESSES = ("workers", pytest.param("ray", marks=pytest.mark.slow))
ALL = ("in_process", *PROCESSES)


def job(number, *, input_shape=(8, 8, 1), filters=8, training=TRAINING):
    blocks = (Conv(filters=filters), GlobalPoolHead(classes=10))
    architecture = Architecture(input_shape=input_shape, blocks=blocks).to_json()
    return Job(number=number, architecture=architecture, training=training, seed=7, epochs=2)


def outcome_of(executor, on_epoch=lambda epoch: None, *, seconds=120):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        outcome = executor.next_outcome(0.5, on_epoch)
        if outcome is not None:
            return outcome
    raise AssertionError(f"nothing ended in {seconds} s")


def processes(executor):
    """Those that are training, by the number of their trial."""
    if isinstance(executor, Workers):
        return {slot.job.number: psutil.Process(slot.process.pid) for slot in executor._slots if slot.job is not None}
    return {number: process for node in executor.cluster.list_all_nodes() for number, process in on(node).items()}


@pytest.fixture(scope="module")
def data():
    return in_forms(load(DatasetConfig(name="digits")), [(8, 8, 1), (6, 6, 1)])


@pytest.fixture(scope="module")
def cluster():
    """Two nodes of one core on this machine, which ask for a token."""
    with nodes(2, "token") as made:
        from nas.tuning.ray_cluster import connected

        with connected(made.address, cores=1):
            yield made


@pytest.fixture(scope="module")
def make(data, tmp_path_factory, request):
    """Makes the executor of a name, with two slots if it can have two."""
    with ExitStack() as stack:

        def made(name, *, timeout_seconds=60, slots=2):
            if name == "in_process":
                executor = InProcess(data=data, devices=select_devices("cpu"), should_stop=lambda: False)
            elif name == "workers":
                shared = tmp_path_factory.mktemp("shared")
                write_shared(data, shared)
                executor = Workers(
                    data=shared,
                    devices=(VisibleDevices(kind="cpu"),) * slots,
                    threads=1,
                    timeout_seconds=timeout_seconds,
                    logs=tmp_path_factory.mktemp("logs"),
                    temporary=tmp_path_factory.mktemp("temporary"),
                )
            else:
                cluster = request.getfixturevalue("cluster")
                from nas.tuning.ray_engine import RayTasks

                executor = RayTasks(data=data, need={"CPU": 1}, slots=slots, timeout_seconds=timeout_seconds)
                executor.cluster = cluster
            stack.callback(executor.close)
            return executor

        yield made


@pytest.fixture(scope="module")
def executors(make):
    """One of each for all tests: starting TensorFlow takes longer than what they do."""
    made = {}

    def executor(name):
        if name not in made:
            made[name] = make(name)
        return made[name]

    return executor


@pytest.mark.parametrize("name", ALL)
def test_the_same_trial_has_the_same_result_and_tells_of_its_epochs(name, executors):
    here, executor = executors("in_process"), executors(name)
    here.submit(0, job(3))
    expected = outcome_of(here)
    slot = executor.slots - 1
    executor.submit(slot, job(3))
    told = []
    received = outcome_of(executor, told.append)
    assert isinstance(received, Trained)
    assert (received.slot, received.number) == (slot, 3)
    assert [(event.number, event.epoch) for event in told] == [(3, 1), (3, 2)]
    assert [event.metrics["loss"] for event in told] == list(received.result.curves["loss"])
    assert received.result.curves["loss"] == pytest.approx(expected.result.curves["loss"], abs=1e-3)
    assert [array.shape for array in received.result.weights] == [array.shape for array in expected.result.weights]


@pytest.mark.parametrize("name", ALL)
def test_what_a_program_brings_reaches_the_training_or_says_why_not(name, executors):
    def sure(targets, outputs):
        from keras import ops

        return ops.max(outputs, axis=1)

    executor = executors(name)
    own = Own.of(metrics=[sure])
    executor.submit(0, replace(job(4), own=own if name == "in_process" else own.packed()))
    received = outcome_of(executor)
    assert isinstance(received, Trained), received
    assert 0.1 < received.result.metrics["val_sure"] < 1
    executor.submit(0, replace(job(4), own=b"cnowhere\nthing\n."))
    received = outcome_of(executor)
    assert isinstance(received, Failed)
    assert "(ModuleNotFoundError: No module named 'nowhere'); install their modules there" in received.reason


@pytest.mark.parametrize("name", ALL)
def test_an_exception_is_a_crash_with_its_traceback(name, executors):
    executor = executors(name)
    executor.submit(0, job(5, input_shape=(9, 9, 3)))
    outcome = outcome_of(executor)
    assert isinstance(outcome, Crashed)
    assert (outcome.slot, outcome.number) == (0, 5)
    assert "Traceback" in outcome.log
    assert "\n" not in outcome.reason


@pytest.mark.parametrize("name", PROCESSES)
def test_slots_work_at_the_same_time(name, executors):
    executor = executors(name)
    executor.submit(0, job(0))
    executor.submit(1, job(1))
    together = []

    def look(event):
        together.append(len({process.pid for process in processes(executor).values()}))

    assert {outcome_of(executor, look).number, outcome_of(executor, look).number} == {0, 1}
    assert max(together) == 2


def test_a_worker_imports_what_training_needs_and_not_what_happens_to_be_installed(executors):
    executor = executors("workers")
    executor.submit(0, job(0))
    assert isinstance(outcome_of(executor), Trained)
    process = psutil.Process(executor._slots[0].process.pid)
    loaded = {part for library in process.memory_maps() for part in library.path.split("/")}
    assert "tensorflow" in loaded
    assert not {"sklearn", "pandas", "matplotlib", "jaxlib"} & loaded


@pytest.mark.parametrize("name", PROCESSES)
def test_a_killed_process_costs_only_its_trial(name, executors):
    executor = executors(name)
    victims = [0]

    def kill(event):
        if event.number in victims:
            victims.remove(event.number)
            processes(executor)[event.number].kill()

    executor.submit(0, job(0))
    executor.submit(1, job(1))
    outcomes = {outcome.number: outcome for outcome in (outcome_of(executor, kill), outcome_of(executor, kill))}
    assert isinstance(outcomes[0], Crashed)
    assert outcomes[0].slot == 0
    assert outcomes[0].reason.startswith("the worker process died")
    assert isinstance(outcomes[1], Trained)
    executor.submit(0, job(0))
    assert isinstance(outcome_of(executor), Trained)


@pytest.mark.slow
def test_a_process_on_a_node_that_hangs_while_it_starts_is_ended(executors, monkeypatch):
    """Three trials for two nodes: waiting for one is no start. See test_workers.py for the local processes."""

    class Hanging(VisibleDevices):
        def environment(self):
            ctypes.PyDLL(None).sleep(600)  # and no other thread of Python's runs meanwhile

    executor = executors("ray")
    numbers, outcomes, seen = {7, 8, 9}, {}, {}
    with monkeypatch.context() as patch:
        patch.setattr("nas.tuning.ray_engine.START_SECONDS", 2.0)
        patch.setattr(executor, "_setup", replace(executor._setup, devices=Hanging(kind="cpu")))
        for number in numbers:
            executor.submit(0, job(number))
        deadline = time.monotonic() + 120
        while len(outcomes) < 3 and time.monotonic() < deadline:
            # That of an earlier trial may be cleaning up.
            seen |= {number: process for number, process in processes(executor).items() if number in numbers}
            outcome = executor.next_outcome(0.1, lambda epoch: None)
            outcomes |= {outcome.number: outcome} if outcome else {}
    assert set(outcomes) == set(seen) == numbers
    for outcome in outcomes.values():
        assert outcome == Crashed(
            slot=0, number=outcome.number, reason="the worker process did not start within 2 s", log=outcome.log
        )
    ended, alive = psutil.wait_procs(seen.values(), timeout=10)
    assert len(ended) == 3
    assert not alive


@pytest.mark.parametrize("name", ALL)
def test_a_network_is_given_images_of_its_own_size_and_its_own_training(name, executors):
    executor = executors(name)
    executor.submit(0, job(9, input_shape=(6, 6, 1), training=TRAINING.model_copy(update={"learning_rate": 1e-9})))
    outcome = outcome_of(executor)
    assert isinstance(outcome, Trained), outcome
    first, last = outcome.result.curves["loss"]
    assert first == pytest.approx(last, abs=0.02)  # at that rate nothing is learned


@pytest.mark.parametrize("name", ALL)
def test_a_hanging_trial_is_ended(name, executors, monkeypatch):
    executor = executors(name)
    monkeypatch.setattr(executor, "_timeout", 0.01)
    executor.submit(0, job(6, filters=512))
    outcome = outcome_of(executor)
    assert isinstance(outcome, Crashed)
    assert outcome.reason == "the trial took longer than trial_timeout (0.01 s)"


@pytest.mark.parametrize("name", PROCESSES)
def test_closing_ends_what_runs(name, executors):
    """The last one: the executors are closed afterwards. On the slot whose process still lives: starting takes long."""
    executor = executors(name)
    executor.submit(1, job(0, filters=4096))  # for longer than is waited below
    deadline = time.monotonic() + 120
    while not processes(executor) and time.monotonic() < deadline:
        assert executor.next_outcome(0.1, lambda event: None) is None
    running = processes(executor)
    executor.close()
    executor.close()  # as often as one likes
    ended, alive = psutil.wait_procs(running.values(), timeout=3)
    assert len(ended) == 1
    assert not alive
