"""Trials in worker processes: isolated, in parallel, replaced when they die, hang or grow."""

from __future__ import annotations

import logging
import multiprocessing
import os
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from types import ModuleType
from typing import final

from nas.devices.child_processes import interrupts_for_parent_only
from nas.devices.visible import VisibleDevices
from nas.tuning import worker
from nas.tuning.execution import (
    LOOK_SECONDS,
    START_SECONDS,
    Crashed,
    Epoch,
    Executor,
    Job,
    Outcome,
    not_started,
    too_long,
)
from nas.tuning.worker import WorkerSetup

logger = logging.getLogger(__name__)

TRIALS_A_PROCESS = 100
"""A process is replaced after that many: Keras and TensorFlow keep some memory of every model they built."""

MEMORY_BYTES = 2 * 2**30
"""And earlier if it has grown by this since its first trial; the libraries of a GPU alone may take more."""


@dataclass
class _Slot:
    """A process of its own, so that its death ends no other trial."""

    setup: WorkerSetup
    pool: ProcessPoolExecutor | None = None
    epochs: Connection | None = None
    process: BaseProcess | None = None
    ready: bool = False
    future: Future[tuple[Outcome, int]] | None = None
    job: Job | None = None
    started: float = 0.0
    trials: int = 0
    first_bytes: int = 0
    """Its memory after its first trial."""
    reason: str = ""
    """Why it could not start, or why we killed it, if that is known."""


@final
class Workers(Executor):
    """Worker processes, one a slot.

    Args:
        data: folder of `shared_data.write_shared`.
        devices: what each process may see.
        threads: TensorFlow's in each; 0 leaves it to TensorFlow.
        timeout_seconds: a trial that takes longer is ended; None for no limit.
        logs: folder for what the processes write to stderr.
        temporary: folder for their temporary files.
    """

    def __init__(
        self,
        *,
        data: Path,
        devices: Sequence[VisibleDevices],
        threads: int,
        timeout_seconds: float | None = None,
        logs: Path,
        temporary: Path,
    ) -> None:
        self.slots = len(devices)
        self._timeout = timeout_seconds
        self._outcomes: deque[Outcome] = deque()
        self._woken, self._wake_up = multiprocessing.Pipe(duplex=False)
        self._slots: list[_Slot] = []
        for number, seen in enumerate(devices):
            log = logs / f"worker-{number}.log"
            setup = WorkerSetup(
                slot=number,
                data=data,
                threads=threads,
                devices=seen,
                log=log,
                temporary=temporary,
            )
            self._slots.append(_Slot(setup))
        try:
            for slot in self._slots:
                self._start(slot)
        except BaseException:
            self.close()
            raise

    def submit(self, slot: int, job: Job) -> None:
        free = self._slots[slot]
        free.job, free.started = job, time.monotonic()
        free.trials += 1
        self._send(free, job)

    def next_outcome(self, timeout_seconds: float, on_epoch: Callable[[Epoch], None]) -> Outcome | None:
        deadline = time.monotonic() + timeout_seconds
        while not self._outcomes:
            left = deadline - time.monotonic()
            if left <= 0:
                return None
            pipes = [slot.epochs for slot in self._slots if slot.epochs is not None]
            wait([*pipes, self._woken], timeout=min(left, LOOK_SECONDS))
            while self._woken.poll():
                self._woken.recv_bytes()
            for slot in self._slots:
                self._receive(slot, on_epoch)
                self._check(slot, on_epoch)
        return self._outcomes.popleft()

    def close(self) -> None:
        for slot in self._slots:
            if slot.process is not None:
                slot.process.kill()
        for slot in self._slots:
            # The executor's thread has to end first: were Python to end with it, both would close one pipe.
            self._stop(slot, wait=True)
        self._woken.close()
        self._wake_up.close()

    def _start(self, slot: _Slot) -> None:
        """Start a process and let it import TensorFlow, before there is a job for it."""
        context = multiprocessing.get_context("spawn")
        receive, send = context.Pipe(duplex=False)
        slot.pool = ProcessPoolExecutor(1, mp_context=context, initializer=worker.start, initargs=(slot.setup, send))
        slot.epochs, slot.ready, slot.trials, slot.first_bytes, slot.reason = receive, False, 0, 0, ""
        before = set(multiprocessing.active_children())
        with _without_main(), interrupts_for_parent_only():
            slot.pool.submit(os.getpid)  # an executor starts its process with its first task
            (slot.process,) = set(multiprocessing.active_children()) - before
        send.close()

    def _send(self, slot: _Slot, job: Job) -> None:
        if slot.pool is None:
            raise RuntimeError(f"worker {slot.setup.slot} has been closed")
        try:
            slot.future = slot.pool.submit(worker.run, job)
            slot.pool.submit(worker.clean_up)
        except BrokenProcessPool as error:
            slot.future = Future()
            slot.future.set_exception(error)
        slot.future.add_done_callback(self._wake)

    def _wake(self, future: Future[tuple[Outcome, int]]) -> None:
        """Called in the executor's thread."""
        del future
        with suppress(OSError):
            self._wake_up.send_bytes(b".")

    def _receive(self, slot: _Slot, on_epoch: Callable[[Epoch], None]) -> None:
        """Epochs of a slot, and that its process is ready, cannot start, or is dead."""
        while slot.epochs is not None:
            try:
                if not slot.epochs.poll():
                    return
                event = slot.epochs.recv()
            except (EOFError, OSError):
                # The pipe of a dead process would wake us all the time.
                slot.epochs.close()
                slot.epochs = None
                if slot.job is None and slot.ready:
                    self._replace(slot)
                return
            if isinstance(event, Epoch):
                on_epoch(event)
            elif isinstance(event, str):
                slot.reason = event
            else:
                # Its start-up is not the trial's time.
                slot.ready, slot.started = True, time.monotonic()

    def _check(self, slot: _Slot, on_epoch: Callable[[Epoch], None]) -> None:
        """Whether the slot's trial has ended, by itself or with its process, or must be ended."""
        if slot.future is None or slot.job is None:
            return
        if not slot.future.done():
            self._end_if_late(slot)
            return
        self._receive(slot, on_epoch)
        job, future = slot.job, slot.future
        slot.future = slot.job = None
        error = future.exception()
        if error is not None:
            reason = slot.reason or "the worker process died, killed by the system (out of memory?) or by a crash"
            log = _tail(slot.setup.log)
            self._outcomes.append(Crashed(slot=slot.setup.slot, number=job.number, reason=reason, log=log))
            self._replace(slot)
            return
        outcome, memory_bytes = future.result()
        self._outcomes.append(outcome)
        slot.first_bytes = slot.first_bytes or memory_bytes
        used_up = slot.trials >= TRIALS_A_PROCESS or memory_bytes - slot.first_bytes > MEMORY_BYTES
        # It may also have been killed for being late, or died of itself, just when it was done.
        if used_up or slot.reason or slot.epochs is None:
            self._replace(slot)

    def _end_if_late(self, slot: _Slot) -> None:
        limit = self._timeout if slot.ready else START_SECONDS
        if limit is None or slot.reason or slot.process is None or time.monotonic() - slot.started <= limit:
            return
        slot.reason = too_long(limit) if slot.ready else not_started(limit)
        slot.process.kill()

    def _replace(self, slot: _Slot) -> None:
        """At once, so that it starts while the parent decides about the next trial."""
        logger.debug("worker %d is replaced after %d trials", slot.setup.slot, slot.trials)
        self._stop(slot)
        self._start(slot)

    def _stop(self, slot: _Slot, *, wait: bool = False) -> None:
        if slot.process is not None:
            slot.process.kill()
        if slot.pool is not None:
            slot.pool.shutdown(wait=wait, cancel_futures=True)
        if slot.epochs is not None:
            slot.epochs.close()
        slot.pool = slot.epochs = slot.process = slot.future = slot.job = None


@contextmanager
def _without_main() -> Iterator[None]:
    """Keep a new process from running the user's script again, which spawning does to find what it needs there.

    A worker needs nothing from it, and a script without `if __name__ == "__main__":` would start another search.
    """
    main = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


def _tail(log: Path, characters: int = 4_000) -> str:
    """The last words of a process."""
    with suppress(OSError):
        return log.read_text(encoding="utf-8", errors="replace")[-characters:]
    return ""
