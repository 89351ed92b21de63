"""Where one trial runs: on one device, or on several that share each batch."""

from __future__ import annotations

import functools
import logging
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any, Literal

from nas.devices.nvidia import why_no_gpu
from nas.devices.tensorflow_import import import_tensorflow
from nas.devices.visible import Kind, Runtime, VisibleDevices
from nas.errors import NasError

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Devices:
    """The devices of one trial.

    Attributes:
        kind: what they are.
        names: the runtime's names of them, such as "GPU:0".
        strategy: what shares a batch among them, or None if there is one: a `tf.distribute` strategy, or with JAX a
            `keras.distribution.DataParallel`.
        runtime: the Keras backend that knows these names.
    """

    kind: Kind
    names: tuple[str, ...]
    strategy: Any | None = None
    runtime: Runtime = "tensorflow"

    @property
    def replicas(self) -> int:
        """Parts of a batch, each of which a device trains on."""
        return len(self.names)

    @property
    def tensorflow_replicas(self) -> int:
        """Parts of a batch that a `tf.distribute` strategy gives to as many copies of a step; JAX has one step."""
        return self.replicas if self.runtime == "tensorflow" else 1

    @contextmanager
    def scope(self) -> Iterator[None]:
        """Build, compile and fit inside."""
        if self.strategy is not None:
            inside = self.strategy.scope()
        elif self.runtime == "jax":
            inside = nullcontext()  # the process sees no other device
        else:
            import tensorflow as tf

            inside = tf.device(self.names[0])
        with inside:
            yield


@functools.cache
def over(kind: Literal["cpu", "gpu"], names: tuple[str, ...]) -> Devices:
    """These devices, mirrored if they are several.

    One strategy a process: a second one numbers its collective operations from the start again, and TensorFlow aborts
    with a shape mismatch when the second network has other sizes than the first.
    """
    import tensorflow as tf

    strategy = tf.distribute.MirroredStrategy(devices=list(names)) if len(names) > 1 else None
    return Devices(kind=kind, names=names, strategy=strategy)


def select_devices(wanted: str = "auto", *, most: int | None = None, memory_bytes: int | None = None) -> Devices:
    """Picks the devices of this process' trials; the GPUs it leaves out stay free for others.

    Args:
        wanted: "cpu", "gpu", or "auto": the GPUs that TensorFlow sees, else the CPU.
        most: of the GPUs; None for all.
        memory_bytes: to take of each GPU; None for what is needed.

    Raises:
        NasError: the device does not exist here, is unknown, or needs a process of its own.
    """
    if wanted in ("tpu", "jax-cpu"):
        raise NasError(
            f"device {wanted!r} trains in worker processes, since Keras runs on JAX there and on TensorFlow here; "
            f"search with workers: 1 or more"
        )
    if wanted not in ("auto", "cpu", "gpu"):
        raise NasError(f"unknown device {wanted!r}; use 'auto', 'cpu', 'gpu', 'tpu' or 'jax-cpu'")
    import_tensorflow()
    import tensorflow as tf

    gpus = tf.config.list_physical_devices("GPU")
    if wanted == "gpu" and not gpus:
        raise NasError(
            "device 'gpu' needs a GPU that TensorFlow can use, and it finds none: "
            f"{why_no_gpu(built_with_cuda=tf.test.is_built_with_cuda())}; `nas doctor` says more, and 'cpu' works "
            "everywhere"
        )
    gpus = gpus[:most]
    if wanted == "cpu" or not gpus:
        _before_start(lambda: tf.config.set_visible_devices([], "GPU"))
        return over("cpu", ("CPU:0",))
    _before_start(lambda: tf.config.set_visible_devices(gpus, "GPU"))
    for gpu in gpus:
        if memory_bytes is not None:
            limit = tf.config.LogicalDeviceConfiguration(memory_limit=memory_bytes >> 20)
            _before_start(lambda gpu=gpu, limit=limit: tf.config.set_logical_device_configuration(gpu, [limit]))
        else:
            # Otherwise the first process to start takes the whole card.
            _before_start(lambda gpu=gpu: tf.config.experimental.set_memory_growth(gpu, True))
    return over("gpu", tuple(f"GPU:{index}" for index in range(len(gpus))))


def open_devices(visible: VisibleDevices) -> Devices:
    """The devices of a process that was started with the environment of `visible`.

    Raises:
        NasError: they are not there.
    """
    import_tensorflow(visible.runtime)
    if visible.runtime == "jax":
        return _open_jax(visible)
    if visible.kind == "tpu":
        return _open_tpu_strategy()
    return select_devices(visible.kind, memory_bytes=visible.memory_bytes)


def _open_jax(visible: VisibleDevices) -> Devices:
    import keras

    try:
        names = tuple(keras.distribution.list_devices())
    except RuntimeError as error:
        raise NasError(f"JAX finds no {visible.kind.upper()}: {error}") from None
    several = len(names) > 1
    strategy = keras.distribution.DataParallel(devices=list(names), auto_shard_dataset=False) if several else None
    return Devices(kind=visible.kind, names=names, strategy=strategy, runtime="jax")


def _open_tpu_strategy() -> Devices:
    """All cores of this machine's TPU, by TensorFlow."""
    import tensorflow as tf

    resolver = tf.distribute.cluster_resolver.TPUClusterResolver(tpu="local")
    tf.config.experimental_connect_to_cluster(resolver)
    tf.tpu.experimental.initialize_tpu_system(resolver)
    names = tuple(device.name for device in tf.config.list_logical_devices("TPU"))
    return Devices(kind="tpu", names=names, strategy=tf.distribute.TPUStrategy(resolver))


def _before_start(setting: Any) -> None:
    """Applies a setting that TensorFlow accepts only before its first operation."""
    try:
        setting()
    except RuntimeError as error:
        _log.debug("TensorFlow has already started: %s", error)
