"""How many trials run at once, and on what."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from nas.config import ExperimentConfig
from nas.errors import NasError
from nas.tuning.execution import Executor, InProcess
from nas.tuning.folder import SearchFolder
from nas.tuning.shared_data import write_shared
from nas.tuning.workers import Workers

WORKER_BYTES = 2**30
"""Memory that a worker on the CPU is given."""


@dataclass(frozen=True, kw_only=True)
class Allocation:
    """Who trains.

    Attributes:
        slots: worker processes.
        threads: of TensorFlow in each worker; 0 leaves it to TensorFlow.
        gpus: one a slot, as CUDA_VISIBLE_DEVICES calls them; none for CPU.
    """

    slots: int
    threads: int = 0
    gpus: tuple[str, ...] = ()


def allocate(
    workers: int | Literal["auto"], *, gpus: tuple[str, ...], cores: int, free_bytes: int, trials: int
) -> Allocation:
    """One worker a GPU; on the CPU one a physical core, with one thread, as far as the memory goes.

    Two processes of one thread train small networks 1.6 times as fast as one of two threads.

    Args:
        workers: as the user wants it, at least 1.
        gpus: that may be used.
        cores: physical ones that this process may use.
        free_bytes: of memory.
        trials: that are still to come.

    Raises:
        NasError: more workers than GPUs.
    """
    if gpus:
        slots = min(len(gpus), trials) if workers == "auto" else workers
        if slots > len(gpus):
            raise NasError(
                f"each worker has a GPU of its own: at most {len(gpus)} workers on this machine; received {slots}"
            )
        return Allocation(slots=slots, gpus=gpus[:slots])
    slots = max(1, min(cores, free_bytes // WORKER_BYTES, trials)) if workers == "auto" else workers
    return Allocation(slots=slots, threads=max(1, cores // slots))


@contextmanager
def make_executor(
    experiment: ExperimentConfig,
    folder: SearchFolder,
    *,
    should_stop: Callable[[], bool],
) -> Iterator[Executor]:
    """The executor of a search, with its data; both are gone afterwards.

    Raises:
        NasError: the data or the device is not there.
    """
    from nas.datasets import load
    from nas.training import select_devices

    if experiment.engine == "ray":
        with _ray_tasks(experiment) as executor:
            yield executor
        return
    if experiment.workers == 0:
        # Devices first: reading the data starts TensorFlow, and then they are fixed.
        devices = select_devices(experiment.device)
        data = load(experiment.dataset)
        yield InProcess(data=data, training=experiment.training, devices=devices, should_stop=should_stop)
        return
    allocation = allocate(
        experiment.workers,
        gpus=_hidden_gpus(experiment.device),
        cores=_cores(),
        free_bytes=_free_bytes(),
        trials=experiment.trials,
    )
    with tempfile.TemporaryDirectory(prefix=".data-", dir=folder.path) as shared:
        write_shared(load(experiment.dataset), Path(shared))
        executor = Workers(
            data=Path(shared),
            training=experiment.training,
            slots=allocation.slots,
            threads=allocation.threads,
            gpus=allocation.gpus,
            timeout_seconds=experiment.trial_timeout,
            logs=folder.path / "logs",
        )
        try:
            yield executor
        finally:
            executor.close()


@contextmanager
def _ray_tasks(experiment: ExperimentConfig) -> Iterator[Executor]:
    """On a Ray cluster; whether it can run a trial at all is known before the data are read."""
    from nas.datasets import load
    from nas.training import select_devices
    from nas.tuning.ray_cluster import connected, nodes, share
    from nas.tuning.ray_engine import RayTasks

    select_devices("cpu")  # this process lets go of GPUs
    with connected(experiment.ray_address, _cores()):
        need, slots = share(nodes(), device=experiment.device, workers=experiment.workers, trials=experiment.trials)
        executor = RayTasks(
            data=load(experiment.dataset),
            training=experiment.training,
            need=need,
            slots=slots,
            timeout_seconds=experiment.trial_timeout,
        )
        try:
            yield executor
        finally:
            executor.close()


def _hidden_gpus(device: str) -> tuple[str, ...]:
    """The GPUs that workers may use; this process lets go of them, so that it takes no memory of theirs."""
    import os

    import tensorflow as tf

    gpus = tf.config.list_physical_devices("GPU")
    if device == "gpu" and not gpus:
        from nas.training import select_devices

        select_devices("gpu")  # says why there is none
    tf.config.set_visible_devices([], "GPU")
    if device == "cpu":
        return ()
    named = [name for name in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if name]
    return tuple(named[number] if named else str(number) for number in range(len(gpus)))


def _cores() -> int:
    """Physical cores that this process may use."""
    import psutil

    usable = len(psutil.Process().cpu_affinity())
    return max(1, min(usable, psutil.cpu_count(logical=False) or usable))


def _free_bytes() -> int:
    import psutil

    return int(psutil.virtual_memory().available)
