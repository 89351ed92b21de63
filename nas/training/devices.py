"""Where one trial runs: the CPU, one GPU, or several GPUs through a MirroredStrategy."""

from __future__ import annotations

import functools
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

from nas.errors import NasError
from nas.training.quiet import import_tensorflow

_log = logging.getLogger(__name__)

TPU_REFUSAL = "Device 'tpu' is not supported by this version of nas yet; use 'gpu', 'cpu' or 'auto'."


@dataclass(frozen=True, kw_only=True)
class Devices:
    """The devices of one trial.

    Attributes:
        kind: what they are.
        names: TensorFlow's names of them, such as "GPU:0".
        strategy: a `tf.distribute.MirroredStrategy` over them if they are several, else None.
    """

    kind: Literal["cpu", "gpu"]
    names: tuple[str, ...]
    strategy: Any | None = None

    @property
    def replicas(self) -> int:
        """Copies of the network that each train on their share of a batch."""
        return len(self.names)

    @contextmanager
    def scope(self) -> Iterator[None]:
        """Build, compile and fit inside."""
        import tensorflow as tf

        with self.strategy.scope() if self.strategy is not None else tf.device(self.names[0]):
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


def select_devices(wanted: str = "auto") -> Devices:
    """Picks the devices of this process' trials; the GPUs it leaves out stay free for others.

    Args:
        wanted: "cpu", "gpu", or "auto": all GPUs that TensorFlow sees, else the CPU.

    Raises:
        NasError: the device does not exist here, is unknown, or is not supported yet.
    """
    if wanted == "tpu":
        raise NasError(TPU_REFUSAL)
    if wanted not in ("auto", "cpu", "gpu"):
        raise NasError(f"Unknown device {wanted!r}; use 'auto', 'cpu' or 'gpu'.")
    import_tensorflow()
    import tensorflow as tf

    gpus = tf.config.list_physical_devices("GPU")
    if wanted == "gpu" and not gpus:
        raise NasError(
            "Device 'gpu' needs a GPU that TensorFlow can use, and it finds none; "
            "`nas doctor` says why, and 'cpu' works everywhere."
        )
    if wanted == "cpu" or not gpus:
        _before_start(lambda: tf.config.set_visible_devices([], "GPU"))
        return over("cpu", ("CPU:0",))
    for gpu in gpus:
        # Otherwise the first process to start takes the whole card.
        _before_start(lambda gpu=gpu: tf.config.experimental.set_memory_growth(gpu, True))
    return over("gpu", tuple(f"GPU:{index}" for index in range(len(gpus))))


def _before_start(setting: Any) -> None:
    """Applies a setting that TensorFlow accepts only before its first operation."""
    try:
        setting()
    except RuntimeError as error:
        _log.debug("TensorFlow has already started: %s", error)
