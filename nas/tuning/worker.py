"""What runs inside a worker process. Importing it is light: TensorFlow comes when the process is set up."""

from __future__ import annotations

import os
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING

from nas.devices.child_processes import end_with_parent
from nas.devices.visible import VisibleDevices
from nas.tuning.execution import Epoch, Job, Outcome, attempt, one_line

if TYPE_CHECKING:
    from nas.devices import Devices
    from nas.tuning.execution import Forms


@dataclass(frozen=True, kw_only=True)
class WorkerSetup:
    """How a worker is set up; sent to it when it starts.

    Attributes:
        threads: for TensorFlow's operations; 0 leaves it to TensorFlow.
        devices: that it may see.
        log: file that takes what the process writes to stderr.
        temporary: folder for temporary files, removed by the parent: a process that is killed leaves its own.
    """

    slot: int
    data: Path
    threads: int
    devices: VisibleDevices
    log: Path
    temporary: Path


@dataclass
class _State:
    """Of this process."""

    setup: WorkerSetup
    data: Forms
    devices: Devices
    epochs: Connection


_state: list[_State] = []


def start(setup: WorkerSetup, epochs: Connection) -> None:
    """Set the process up; called once, before its first job. Tells True if it is ready, or why it is not."""
    try:
        _set_up(setup, epochs)
    except Exception as error:  # noqa: BLE001 - whatever it is, the parent shall know
        traceback.print_exc()
        epochs.send(f"the worker process did not start: {one_line(error)}")
        os._exit(1)  # what has half started might wait for ever
    epochs.send(True)


def _set_up(setup: WorkerSetup, epochs: Connection) -> None:
    _redirect_stderr(setup.log)
    end_with_parent()
    os.environ["TMPDIR"] = tempfile.tempdir = str(setup.temporary)
    start_tensorflow(setup.devices, setup.threads)
    from nas.devices import open_devices
    from nas.tuning.shared_data import read_shared

    devices = open_devices(setup.devices)
    _state.append(_State(setup=setup, data=read_shared(setup.data), devices=devices, epochs=epochs))


_UNUSED = {"jax", "matplotlib", "pandas", "sklearn"}
"""What TensorFlow and Keras import where it is installed, and training never needs: 3 of 7 seconds, 290 of 850 MB."""


@contextmanager
def _without(names: set[str]) -> Iterator[None]:
    """As if these were not installed; those that are imported already stay."""
    hidden = names - sys.modules.keys()
    sys.modules |= dict.fromkeys(hidden)  # type: ignore[arg-type]  # None is what Python looks for
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]


def start_tensorflow(devices: VisibleDevices, threads: int) -> None:
    """Import it, and Keras, for some devices.

    Args:
        devices: that this process may see.
        threads: for TensorFlow's operations; 0 leaves it to TensorFlow.
    """
    os.environ |= devices.environment()
    if threads:
        os.environ["OMP_NUM_THREADS"] = str(threads)
    from nas.devices import import_tensorflow

    with _without(_UNUSED - {devices.runtime}):
        import_tensorflow(devices.runtime)
    if threads:
        import tensorflow as tf

        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(threads)


def run(job: Job) -> tuple[Outcome, int]:
    """Train one architecture; its outcome, and the process' memory in bytes afterwards."""
    import psutil

    state = _state[0]
    outcome = attempt(state.setup.slot, job, state.data, state.devices, _sender(state.epochs))
    return outcome, psutil.Process().memory_info().rss


def clean_up() -> None:
    """After each job, while the parent decides about the next."""
    from nas.training import clear_session

    clear_session()


def _sender(epochs: Connection) -> Callable[[Epoch], None]:
    def send(event: Epoch) -> None:
        epochs.send(event)

    return send


def _redirect_stderr(log: Path) -> None:
    """To a file of the parent's, so that the last words of a crash are kept and none reach the terminal."""
    log.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    os.dup2(descriptor, 2)
    os.close(descriptor)
