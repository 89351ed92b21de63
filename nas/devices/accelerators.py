"""Which accelerators a search may use, and how they are dealt to its worker processes."""

from __future__ import annotations

import os
from dataclasses import dataclass
from importlib.util import find_spec

from nas.config import ExperimentConfig
from nas.devices.visible import Kind, Runtime, VisibleDevices
from nas.errors import NasError

_CONTEXT_BYTES = 768 * 2**20
"""That each process takes of a GPU beside what TensorFlow allocates: the driver's context, kernels, cuDNN."""

_LEAST_BYTES = 512 * 2**20
"""That a trial is given of a GPU."""


@dataclass(frozen=True, kw_only=True)
class Accelerators:
    """What this machine has of the kind that the search uses.

    Attributes:
        kind: of device.
        names: GPUs as CUDA_VISIBLE_DEVICES calls them, TPU chips as TPU_VISIBLE_CHIPS does; () on the CPU.
        memory_bytes: of the smallest GPU; None if the driver does not say.
        runtime: the Keras backend that trains on them.
    """

    kind: Kind
    names: tuple[str, ...] = ()
    memory_bytes: int | None = None
    runtime: Runtime = "tensorflow"


def find_accelerators(experiment: ExperimentConfig) -> Accelerators:
    """Looks at the machine; "auto" is a GPU, else a TPU, else the CPU. This process takes no memory of theirs.

    Raises:
        NasError: the device that the experiment names is not there.
    """
    import tensorflow as tf

    from nas.devices import nvidia, select_devices
    from nas.devices.probe_process import ask_tpu, has_tpu_library

    gpus = tf.config.list_physical_devices("GPU")
    if experiment.device == "gpu" and not gpus:
        select_devices("gpu")  # says why there is none
    tf.config.set_visible_devices([], "GPU")
    if experiment.device in ("auto", "gpu") and gpus:
        named = [name for name in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if name]
        names = tuple(named[number] if named else str(number) for number in range(len(gpus)))
        return Accelerators(kind="gpu", names=names, memory_bytes=nvidia.memory_bytes())
    if experiment.device == "tpu" or (experiment.device == "auto" and has_tpu_library()):
        found, reason = ask_tpu(experiment.tpu_runtime)
        if not reason:
            names = tuple(map(str, range(found["chips"])))
            return Accelerators(kind="tpu", names=names, runtime=experiment.tpu_runtime)
        if experiment.device == "tpu":
            raise NasError(f"device 'tpu' needs a TPU, and none is visible: {reason}; `nas doctor` says more")
    if experiment.device == "jax-cpu":
        return Accelerators(kind="jax-cpu", runtime="jax")
    return Accelerators(kind="cpu")


def deal(found: Accelerators, *, per_trial: int, trials_per_gpu: int) -> tuple[VisibleDevices, ...]:
    """What each trial of those that run at the same time may use; on the CPU one item, for any number of trials.

    Args:
        found: what there is.
        per_trial: GPUs or chips that one trial takes.
        trials_per_gpu: how many share a GPU.

    Raises:
        NasError: there are fewer than one trial needs, or shares that are too small.
    """
    if found.kind == "cpu":
        return (VisibleDevices(kind="cpu"),)
    if found.kind == "jax-cpu":
        return (virtual(per_trial),)
    if found.kind == "tpu" and found.runtime == "tensorflow":
        return (VisibleDevices(kind="tpu"),)  # TPUStrategy takes all of it
    count = len(found.names)
    word = "GPUs" if found.kind == "gpu" else "TPU chips"
    if per_trial > count:
        raise NasError(
            f"gpus_per_trial must be at most the {count} {word} of this machine; received {per_trial}; use {count}"
        )
    if found.kind == "tpu" and per_trial not in (1, 2, count):
        raise NasError(
            f"gpus_per_trial must be 1, 2 or all {count} {word} of this machine; received {per_trial}; use 2"
        )
    groups = [found.names[start : start + per_trial] for start in range(0, count - per_trial + 1, per_trial)]
    if found.kind == "tpu":
        # A process that has the whole TPU needs no word about its shape.
        return tuple(
            VisibleDevices(kind="tpu", visible=() if per_trial == count else group, runtime="jax") for group in groups
        )
    share = share_bytes(found.memory_bytes, trials_per_gpu)
    each = tuple(VisibleDevices(kind="gpu", visible=group, memory_bytes=share) for group in groups)
    return each * trials_per_gpu  # the first workers have a GPU each


def virtual(devices: int) -> VisibleDevices:
    """Virtual devices on the CPU, in place of TPU chips."""
    return VisibleDevices(kind="jax-cpu", visible=tuple(map(str, range(devices))), runtime="jax")


def share_bytes(memory_bytes: int | None, trials: int) -> int | None:
    """Of a GPU's memory, for TensorFlow in each process; None for a process that has the GPU to itself.

    Raises:
        NasError: the memory is not known, or it is too little.
    """
    if trials == 1:
        return None
    if memory_bytes is None:
        raise NasError(
            f"trials_per_gpu must be 1 where nvidia-smi does not tell the GPU's memory; received {trials}; use 1"
        )
    share = memory_bytes // trials - _CONTEXT_BYTES
    if share < _LEAST_BYTES:
        raise NasError(
            f"trials_per_gpu must be at most {memory_bytes // (_CONTEXT_BYTES + _LEAST_BYTES)} on a GPU of "
            f"{memory_bytes >> 20:,} MiB, as each trial needs {(_CONTEXT_BYTES + _LEAST_BYTES) >> 20:,} MiB; "
            f"received {trials}; let fewer trials share it"
        )
    return share


def check(experiment: ExperimentConfig, kind: str) -> None:
    """Refuses what cannot work on a kind of device, before anything is started.

    Args:
        experiment: resolved.
        kind: of device; "auto" if that is not known yet.

    Raises:
        NasError: the first thing that cannot work.
    """
    jax = kind == "jax-cpu" or (kind == "tpu" and experiment.tpu_runtime == "jax")
    if kind in ("gpu", "tpu", "jax-cpu"):
        check_shares(experiment.training.batch_size, experiment.gpus_per_trial)
    if kind == "tpu" and experiment.training.precision == "mixed_float16":
        raise NasError(
            "training.precision: a TPU multiplies bfloat16, not float16; received mixed_float16; use mixed_bfloat16"
        )
    if jax and experiment.measured:
        raise NasError(
            f"{experiment.measured[0].name}: it is measured on the exported model, which workers on JAX do not "
            f"have; received device {kind!r}; use cpu or gpu, or limit macs instead"
        )
    if jax and experiment.score.trained is not None:
        raise NasError(
            f"{experiment.score.objective}: it is measured on the exported model, which workers on JAX do not have; "
            f"received device {kind!r}; use cpu or gpu, or {experiment.score.trained.objective} instead"
        )
    if jax and experiment.workers == 0:
        raise NasError(
            f"workers: device {kind!r} trains in worker processes, since Keras runs on JAX there and on TensorFlow "
            "here; received 0; use 1 or auto"
        )
    if jax and experiment.engine == "local" and find_spec("jax") is None:
        raise NasError(f"device: {kind!r} needs JAX, which is not installed; pip install 'keras-nas[tpu]'")


def check_shares(batch_size: int, replicas: int) -> None:
    """Refuses batches that devices cannot share evenly.

    Raises:
        NasError: with the next size that they can.
    """
    if batch_size % replicas:
        raise NasError(
            f"training.batch_size must be a multiple of the {replicas} devices of a trial, which have equal shares of "
            f"a batch; received {batch_size}; use {batch_size + -batch_size % replicas}"
        )
