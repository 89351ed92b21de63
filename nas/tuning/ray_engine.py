"""Trials as tasks of a Ray cluster, on any of its nodes that has room."""

from __future__ import annotations

import contextlib
import functools
import logging
import math
import os
import queue
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, final

from nas import __version__
from nas.devices.accelerators import share_bytes
from nas.devices.visible import VisibleDevices
from nas.errors import NasError
from nas.files.temporary import own_temporary
from nas.tuning.execution import (
    LOOK_SECONDS,
    START_SECONDS,
    Crashed,
    Epoch,
    Executor,
    Job,
    Outcome,
    attempt,
    failure,
    not_started,
    too_long,
)
from nas.tuning.ray_cluster import Resources, nodes, room, trials_a_process
from nas.tuning.worker import start_tensorflow

if TYPE_CHECKING:
    from nas.devices import Devices
    from nas.tuning.execution import Forms

logger = logging.getLogger(__name__)

NODE_LOSSES = 5
"""Nodes that may be lost under one trial, through no fault of its own, before it counts as one that crashes."""


_CPU = VisibleDevices(kind="cpu")

_TEMPORARY = contextlib.ExitStack()
"""In a process on a node, the folder for temporary files: to the end of the process, which Ray kills."""


@dataclass(frozen=True, kw_only=True)
class NodeSetup:
    """How a process on a node is set up.

    Attributes:
        devices: kind and runtime of the devices; Ray says which of its node's they are.
        trials_per_gpu: how many share a GPU.
        threads: for TensorFlow's operations; 0 leaves it to TensorFlow.
        version: of the nas that searches.
    """

    devices: VisibleDevices
    trials_per_gpu: int
    threads: int
    version: str = __version__


@dataclass
class _Running:
    """A job in a slot.

    Attributes:
        deadline: of what it does now, in `time.monotonic()`; waiting for a node has none.
        reason: of a trial that is ended then.
        lost: how many of the nodes that it was on are gone.
    """

    slot: int
    job: Job
    deadline: float = math.inf
    reason: str = ""
    lost: int = 0


@final
class RayTasks(Executor):
    """Each trial is a task: Ray finds it a node, and sends each epoch when it ends. Use it inside `connected`.

    Tasks instead of actors: after the loss of a node a pool of actors waits for ever. Ray's own retries are off, for a
    trial that crashes is tried again in one place, the tuner, whatever the executor, and Ray repeats one that is out
    of memory without end. A trial whose node is lost is sent again from here, at no cost to it.

    Args:
        data: by the shape of images; put into Ray's object store, once; processes on a node map it.
        need: resources of one trial, of `ray_cluster.share`.
        slots: trials at once.
        devices: what trains, without names.
        trials_per_gpu: how many share a GPU.
        timeout_seconds: a trial that takes longer is ended; None for no limit.
    """

    def __init__(
        self,
        *,
        data: Forms,
        need: Resources,
        slots: int,
        devices: VisibleDevices = _CPU,
        trials_per_gpu: int = 1,
        timeout_seconds: float | None = None,
    ) -> None:
        import ray

        self.slots = slots
        self._timeout = math.inf if timeout_seconds is None else timeout_seconds
        self._need = need
        self._setup = NodeSetup(
            devices=devices,
            trials_per_gpu=trials_per_gpu,
            threads=int(need["CPU"]) if devices.kind == "cpu" else 0,
        )
        self._data = ray.put(dict(data))
        self._running: dict[Any, _Running] = {}
        self._remote = ray.remote(
            num_returns="streaming",
            num_cpus=need["CPU"],
            num_gpus=need.get("GPU", 0),
            resources={name: amount for name, amount in need.items() if name not in ("CPU", "GPU")},
            max_retries=0,
            max_calls=trials_a_process(need),
            scheduling_strategy="SPREAD",
        )(train_here)

    def submit(self, slot: int, job: Job) -> None:
        self._start(_Running(slot, job))

    def next_outcome(self, timeout_seconds: float, on_epoch: Callable[[Epoch], None]) -> Outcome | None:
        import ray

        deadline = time.monotonic() + timeout_seconds
        while self._running and (left := deadline - time.monotonic()) > 0:
            told, _ = ray.wait(list(self._running), num_returns=1, timeout=min(left, LOOK_SECONDS))
            outcome = self._receive(told[0], on_epoch) if told else self._late()
            if outcome is not None:
                return outcome
        return None

    def close(self) -> None:
        import ray

        for stream in self._running:
            ray.cancel(stream, force=True)
        self._running.clear()

    def _start(self, running: _Running) -> None:
        running.deadline = math.inf
        remote = self._remote.options(name=f"trial {running.job.number}")
        stream = remote.remote(self._setup, self._data, running.slot, running.job)
        self._running[stream] = running

    def _receive(self, stream: Any, on_epoch: Callable[[Epoch], None]) -> Outcome | None:
        """What a trial tells: that its process starts or is ready, an epoch, or its end."""
        import ray

        running = self._running[stream]
        try:
            event = ray.get(next(stream))
        except (ray.exceptions.NodeDiedError, ray.exceptions.ObjectLostError) as error:
            del self._running[stream]
            return self._on_lost_node(running, error)
        except (ray.exceptions.RayError, StopIteration) as error:
            del self._running[stream]
            return _crash(running, error)
        if isinstance(event, Outcome):
            del self._running[stream]
            return event
        if isinstance(event, Epoch):
            on_epoch(event)
        else:
            # Waiting for a node and the start of a process are not the trial's time.
            limit, reason = (self._timeout, too_long) if event else (START_SECONDS, not_started)
            running.deadline, running.reason = time.monotonic() + limit, reason(limit)
        return self._late()

    def _on_lost_node(self, running: _Running, error: Exception) -> Outcome | None:
        running.lost += 1
        if running.lost > NODE_LOSSES:
            return _crash(running, error)
        logger.warning("trial %d runs again on another node: its own is lost", running.job.number)
        if not room(nodes(), self._need):
            logger.warning("no node is left that can run a trial; waiting for one to join the cluster")
        self._start(running)
        return None

    def _late(self) -> Outcome | None:
        """End a trial that takes too long. Its node may be frozen, so no answer is waited for."""
        import ray

        now = time.monotonic()
        for stream, running in self._running.items():
            if running.deadline < now:
                ray.cancel(stream, force=True)
                del self._running[stream]
                return Crashed(slot=running.slot, number=running.job.number, reason=running.reason)
        return None


def _crash(running: _Running, error: Exception) -> Outcome:
    """What Ray says of a task that did not end by itself."""
    from ray.exceptions import RayTaskError

    slot, number = running.slot, running.job.number
    if isinstance(error, RayTaskError):
        return failure(slot, number, error.cause)
    reason = f"the worker process died ({type(error).__name__}), killed by the system (out of memory?) or by a crash"
    return Crashed(slot=slot, number=number, reason=reason, log=str(error))


def train_here(setup: NodeSetup, data: Forms, slot: int, job: Job) -> Iterator[Epoch | Outcome | bool]:
    """Do a job in a process on a node; tells whether it is ready, each epoch, and how it ended."""
    yield False  # before what may hang: TensorFlow's start, the opening of a GPU
    devices = _prepare(setup)
    from nas.training import clear_session

    yield True
    events: queue.SimpleQueue[Epoch | Outcome | None] = queue.SimpleQueue()

    def work() -> None:
        try:
            events.put(attempt(slot, job, data, devices, events.put))
            clear_session()
        finally:
            events.put(None)

    threading.Thread(target=work, name="nas-trial").start()
    while (event := events.get()) is not None:
        yield event


@functools.cache
def _prepare(setup: NodeSetup) -> Devices:
    """Once a process."""
    if setup.version != __version__:
        raise NasError(
            f"all nodes need the version of keras-nas that searches, {setup.version}; a node has {__version__}"
        )
    from nas.devices import nvidia, open_devices

    os.environ["TMPDIR"] = tempfile.tempdir = str(_TEMPORARY.enter_context(own_temporary()))
    visible = setup.devices
    if visible.kind == "gpu":
        visible = replace(
            visible,
            visible=tuple(os.environ["CUDA_VISIBLE_DEVICES"].split(",")),
            memory_bytes=share_bytes(nvidia.memory_bytes(), setup.trials_per_gpu),
        )
    start_tensorflow(visible, setup.threads)
    return open_devices(visible)
