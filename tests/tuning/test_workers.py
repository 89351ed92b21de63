"""Workers that do not start, die idle, or are used up; most of them without TensorFlow, which takes seconds."""

import os
import threading
import time
from contextlib import contextmanager

import psutil
import pytest

from nas.config import TrainingConfig
from nas.devices.visible import VisibleDevices
from nas.tuning import worker, workers
from nas.tuning.execution import Crashed, Job, Trained
from nas.tuning.workers import Workers

JOB = Job(number=3, architecture="", training=TrainingConfig(), seed=0, epochs=1)


def light_start(setup, epochs):
    """Instead of TensorFlow; the pipe is kept open."""
    worker._state.append((setup, epochs))
    epochs.send(True)


def start_and_hang(setup, epochs):
    print("looking for a disk that does not answer", file=setup.log.open("w"))
    time.sleep(600)


def say_who(job):
    """Instead of training."""
    return Trained(slot=0, number=job.number, result=os.getpid()), psutil.Process().memory_info().rss


def nothing():
    pass


@pytest.fixture
def light(monkeypatch):
    """Processes import this module's functions by their names."""
    monkeypatch.setattr(worker, "start", light_start)
    monkeypatch.setattr(worker, "run", say_who)
    monkeypatch.setattr(worker, "clean_up", nothing)


@contextmanager
def opened(tmp_path, *, slots=1, logs="logs"):
    made = Workers(
        data=tmp_path / "data",
        devices=(VisibleDevices(kind="cpu"),) * slots,
        threads=1,
        logs=tmp_path / logs,
        temporary=tmp_path,
    )
    try:
        yield made
    finally:
        made.close()


def outcome_of(executor, seconds=60):
    outcome = executor.next_outcome(seconds, lambda epoch: None)
    assert outcome is not None, f"nothing ended in {seconds} s"
    return outcome


def trained_by(executor, slot=0):
    """The process of a trial that goes well."""
    executor.submit(slot, JOB)
    outcome = outcome_of(executor)
    assert isinstance(outcome, Trained)
    assert outcome.number == 3
    return outcome.result


def end(process):
    """Kill a process and wait until everybody has seen it."""
    process.kill()
    process.join()
    time.sleep(0.2)


def seconds_of_waiting(executor):
    """Processor time of this thread that two seconds without an outcome take."""
    before = time.thread_time()
    assert executor.next_outcome(2, lambda epoch: None) is None
    return time.thread_time() - before


def test_a_process_is_replaced_after_so_many_trials_and_before_the_next_is_there(light, tmp_path, monkeypatch):
    monkeypatch.setattr(workers, "TRIALS_A_PROCESS", 2)
    with opened(tmp_path) as executor:
        first = trained_by(executor)
        assert trained_by(executor) == first
        waiting = executor._slots[0].process
        assert waiting.is_alive()
        assert waiting.pid != first
        assert trained_by(executor) == trained_by(executor) == waiting.pid
        assert not psutil.pid_exists(first)


def test_a_process_that_grew_is_replaced(light, tmp_path):
    with opened(tmp_path) as executor:
        first = trained_by(executor)
        assert trained_by(executor) == first
        executor._slots[0].first_bytes -= workers.MEMORY_BYTES + 2**30
        assert trained_by(executor) == first  # it is known after the trial
        assert trained_by(executor) != first


def test_a_process_that_dies_idle_is_replaced_and_wakes_nobody(light, tmp_path):
    with opened(tmp_path, slots=2) as executor:
        first = trained_by(executor)
        end(executor._slots[0].process)
        assert executor.next_outcome(1, lambda epoch: None) is None  # another slot is waited for
        assert seconds_of_waiting(executor) < 0.5
        assert trained_by(executor) != first


def test_a_trial_for_a_dead_process_has_crashed_and_the_next_one_has_a_fresh_one(light, tmp_path):
    with opened(tmp_path) as executor:
        first = trained_by(executor)
        end(executor._slots[0].process)
        executor.submit(0, JOB)
        outcome = outcome_of(executor)
        assert isinstance(outcome, Crashed)
        assert outcome.number == 3
        assert outcome.reason.startswith("the worker process died")
        assert trained_by(executor) != first


@pytest.mark.parametrize("late", [True, False], ids=["late", "dead"])
def test_a_trial_that_ends_just_before_its_process_counts_and_the_next_one_has_a_fresh_one(light, tmp_path, late):
    with opened(tmp_path) as executor:
        first = trained_by(executor)
        (slot,) = executor._slots
        executor.submit(0, JOB)
        slot.future.result(timeout=60)
        if late:
            slot.reason = "the trial took longer than trial_timeout (60 s)"  # and it is about to be killed
        else:
            end(slot.process)
        assert isinstance(outcome_of(executor), Trained)
        assert trained_by(executor) != first


def test_a_process_that_hangs_while_it_starts_is_ended(light, tmp_path, monkeypatch):
    monkeypatch.setattr(worker, "start", start_and_hang)
    monkeypatch.setattr(workers, "START_SECONDS", 3.0)
    (tmp_path / "logs").mkdir()
    with opened(tmp_path) as executor:
        hanging = executor._slots[0].process.pid
        ends = time.monotonic() + 60
        while not any(log.stat().st_size for log in (tmp_path / "logs").iterdir()) and time.monotonic() < ends:
            time.sleep(0.05)
        executor.submit(0, JOB)
        monkeypatch.setattr(worker, "start", light_start)  # for the next process
        outcome = outcome_of(executor)
        assert outcome == Crashed(
            slot=0,
            number=3,
            reason="the worker process did not start within 3 s",
            log="looking for a disk that does not answer\n",
        )
        assert trained_by(executor) != hanging


def test_a_process_that_cannot_start_says_why(tmp_path):
    """With TensorFlow, as it really is: the data are not there."""
    with opened(tmp_path) as executor:
        executor.submit(0, JOB)
        outcome = outcome_of(executor)
    assert isinstance(outcome, Crashed)
    assert outcome.number == 3
    missing = tmp_path / "data"
    assert outcome.reason == (
        f"the worker process did not start: FileNotFoundError: [Errno 2] No such file or directory: '{missing}'"
    )
    assert "Traceback" in outcome.log


def test_a_reason_that_came_before_the_trial_is_told_with_it(tmp_path):
    (tmp_path / "logs").write_text("in the way")
    with opened(tmp_path) as executor:
        end_of_start = time.monotonic() + 60
        while executor._slots[0].process.is_alive() and time.monotonic() < end_of_start:
            assert executor.next_outcome(0.1, lambda epoch: None) is None
        assert seconds_of_waiting(executor) < 0.5
        executor.submit(0, JOB)
        assert "did not start: FileExistsError" in outcome_of(executor).reason


def test_closed_workers_leave_neither_processes_nor_threads(light, tmp_path):
    """Python ends before its executors' threads do, and both would close one pipe."""
    with opened(tmp_path, slots=2) as executor:
        processes = [slot.process for slot in executor._slots]
        assert any("ExecutorManager" in type(thread).__name__ for thread in threading.enumerate())
    assert not any("ExecutorManager" in type(thread).__name__ for thread in threading.enumerate())
    assert not any(process.is_alive() for process in processes)


def test_an_observer_that_fails_is_heard(light, tmp_path):
    def full(epoch):
        raise OSError("no space left on device")

    with opened(tmp_path) as executor:
        (slot,) = executor._slots
        receive, send = workers.multiprocessing.Pipe(duplex=False)
        send.send(workers.Epoch(number=3, epoch=1, metrics={}))
        slot.epochs, kept = receive, slot.epochs
        with pytest.raises(OSError, match="no space left"):
            executor.next_outcome(5, full)
        kept.close()
        send.close()
