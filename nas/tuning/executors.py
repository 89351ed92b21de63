"""Makes a search's executor: how many trials it runs at once, on which devices, with which data."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from nas.config import ExperimentConfig
from nas.devices.accelerators import check, deal, find_accelerators, virtual
from nas.devices.machine import free_bytes, usable_cpus
from nas.devices.visible import VisibleDevices
from nas.errors import NasError
from nas.files.temporary import own_temporary
from nas.quantity import counted
from nas.tuning.execution import Executor, InProcess
from nas.tuning.folder import SearchFolder
from nas.tuning.shared_data import write_shared
from nas.tuning.workers import Workers

if TYPE_CHECKING:
    from nas.datasets import DatasetSpec, InMemory
    from nas.tuning.execution import Forms

WORKER_BYTES = 2**30
"""Memory that a worker on the CPU is given, beside its copy of the data."""

_SHARED = ("cpu", "jax-cpu")
"""Kinds of devices that take any number of workers."""


@dataclass(frozen=True, kw_only=True)
class Allocation:
    """What trains.

    Attributes:
        devices: what each worker process may see.
        threads: of TensorFlow in each worker; 0 leaves it to TensorFlow.
    """

    devices: tuple[VisibleDevices, ...]
    threads: int = 0


def allocate(
    workers: int | Literal["auto"],
    *,
    dealt: tuple[VisibleDevices, ...],
    cores: int,
    free_bytes: int,
    data_bytes: int,
    trials: int,
    measures: bool,
) -> Allocation:
    """One worker for each of the devices dealt, and at most one a trial.

    On the CPU there is one worker a physical core, with one thread, as memory allows: two processes of one thread train
    small networks 1.6 times as fast as one process of two threads.

    Args:
        workers: as the user wants it, at least 1, and no more than `check_workers` lets through.
        dealt: by `accelerators.deal`.
        cores: physical ones that this process may use.
        free_bytes: of memory.
        data_bytes: that each worker copies.
        trials: of the search.
        measures: whether costs are measured, with as many threads as the worker has; then these must not depend on
            today's memory and trials.
    """
    if dealt[0].kind in _SHARED:
        fit = free_bytes // (WORKER_BYTES + data_bytes)
        slots = max(1, min(cores, fit, trials)) if workers == "auto" else workers
        threads = 1 if measures and workers == "auto" else max(1, cores // slots)
        return Allocation(devices=dealt * min(slots, trials), threads=threads)
    return Allocation(devices=dealt[: min(len(dealt) if workers == "auto" else workers, trials)])


def check_workers(workers: int | Literal["auto"], dealt: tuple[VisibleDevices, ...]) -> None:
    """Called before the data are read, which may take long.

    Raises:
        NasError: there are more workers than devices to deal.
    """
    if dealt[0].kind not in _SHARED and workers != "auto" and workers > len(dealt):
        kind = dealt[0].kind.upper()
        raise NasError(
            f"each worker has {kind}s, or a share of one, to itself: at most {len(dealt)} workers on this machine "
            f"(gpus_per_trial, trials_per_gpu); received {workers}"
        )


@contextmanager
def make_executor(
    experiment: ExperimentConfig,
    folder: SearchFolder,
    *,
    should_stop: Callable[[], bool],
    data: InMemory | None = None,
    stage: Callable[[str], None] = lambda text: None,
) -> Iterator[Executor]:
    """The executor of a search, with its data; both are removed afterwards.

    Args:
        experiment: of the search.
        folder: of the search.
        should_stop: asked while a trial runs in this process.
        data: the images, if the program has them.
        stage: told what takes a while.

    Raises:
        NasError: the data or the device is not there.
    """
    from nas.devices import select_devices

    if experiment.engine == "ray":
        with _ray_tasks(experiment, folder, data, stage) as executor:
            yield executor
        return
    if experiment.workers == 0:
        # Devices first: reading the data starts TensorFlow, and then they are fixed.
        devices = select_devices(experiment.device, most=experiment.gpus_per_trial)
        stage("reading the data")
        loaded = _load(experiment, folder, data)
        stage("building the first network")
        yield InProcess(
            data=loaded,
            devices=devices,
            should_stop=should_stop,
            timeout_seconds=experiment.trial_timeout,
        )
        return
    found = find_accelerators(experiment)
    check(experiment, found.kind)
    dealt = deal(found, per_trial=experiment.gpus_per_trial, trials_per_gpu=experiment.trials_per_gpu)
    check_workers(experiment.workers, dealt)
    stage("reading the data")
    loaded = _load(experiment, folder, data)
    allocation = allocate(
        experiment.workers,
        dealt=dealt,
        cores=_cores(),
        free_bytes=free_bytes(),
        data_bytes=sum(_copied_bytes(form, dealt[0]) for form in loaded.values()),
        trials=experiment.trials,
        measures=any(cost.is_time for cost in experiment.measured),
    )
    # Always the same, under the search's lock: a killed search leaves one copy of the data at most.
    shared = folder.data
    try:
        write_shared(loaded, shared)
        del loaded  # the workers have them
        stage(f"starting {counted(len(allocation.devices), 'worker')} and building the first networks")
        with own_temporary() as temporary:
            executor = Workers(
                data=shared,
                devices=allocation.devices,
                threads=allocation.threads,
                timeout_seconds=experiment.trial_timeout,
                logs=folder.path / "logs",
                temporary=temporary,
            )
            try:
                yield executor
            finally:
                executor.close()
    finally:
        shutil.rmtree(shared, ignore_errors=True)


@contextmanager
def _ray_tasks(
    experiment: ExperimentConfig, folder: SearchFolder, data: InMemory | None, stage: Callable[[str], None]
) -> Iterator[Executor]:
    """On a Ray cluster; whether it can run a trial at all is known before the data are read."""
    from nas.devices import select_devices
    from nas.tuning.ray_cluster import connected, nodes, share
    from nas.tuning.ray_engine import RayTasks

    select_devices("cpu")  # this process lets go of GPUs
    stage("joining the Ray cluster" if experiment.ray_address else "starting Ray")
    with connected(experiment.ray_address, _cores()):
        need, slots = share(
            nodes(),
            device=experiment.device,
            workers=experiment.workers,
            trials=experiment.trials,
            gpus_per_trial=experiment.gpus_per_trial,
            trials_per_gpu=experiment.trials_per_gpu,
        )
        devices = VisibleDevices(kind="cpu")
        if experiment.device == "jax-cpu":
            devices = virtual(experiment.gpus_per_trial)
        elif "TPU" in need:
            devices = VisibleDevices(kind="tpu", runtime=experiment.tpu_runtime)
        elif "GPU" in need:
            devices = VisibleDevices(kind="gpu")
        check(experiment, devices.kind)
        stage("reading the data")
        loaded = _load(experiment, folder, data)
        stage(f"training on the cluster, {counted(slots, 'network')} at once")
        executor = RayTasks(
            data=loaded,
            need=need,
            slots=slots,
            devices=devices,
            trials_per_gpu=experiment.trials_per_gpu,
            timeout_seconds=experiment.trial_timeout,
        )
        try:
            yield executor
        finally:
            executor.close()


def _load(experiment: ExperimentConfig, folder: SearchFolder, given: InMemory | None) -> Forms:
    """The data in each form, if they are those that the search was started with; what stands out in them is told."""
    from nas.datasets import forms, in_forms, load, tell, whole

    data = load(whole(experiment)) if given is None else given.load()
    folder.check_data(data)
    folder.keep_data(data)
    tell(data)
    return in_forms(data, forms(experiment, data.info.input_shape))


def _cores() -> int:
    """Physical cores that this process may use."""
    import psutil

    usable = usable_cpus()
    return min(usable, psutil.cpu_count(logical=False) or usable)


def _copied_bytes(data: DatasetSpec, devices: VisibleDevices) -> int:
    """What each worker on a CPU keeps of the data as tensors, beside the files that all workers share."""
    from nas.training.compiled import LARGEST_DATA_BYTES

    size = data.train.nbytes + data.validation.nbytes
    # A stream of batches has a copy of the tensors it is made of: measured, tf.data's optimizer makes it.
    streamed = devices.kind != "cpu" or size > LARGEST_DATA_BYTES
    return 2 * size if streamed else size
