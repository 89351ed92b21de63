"""The costs that have to be measured, and how."""

from __future__ import annotations

import time
from collections.abc import Iterable
from functools import lru_cache
from importlib.util import find_spec
from typing import TYPE_CHECKING

import numpy as np

from nas.export.format import ExportError, Source
from nas.export.litert_file import convert
from nas.export.micro import EXTRA, PACKAGES, arena_bytes
from nas.export.savedmodel import SavedModel
from nas.files.temporary import own_temporary
from nas.objectives import FLASH_BYTES, LATENCY, RAM_BYTES, Cost

if TYPE_CHECKING:
    from nas.architecture import Architecture

WARM_UP = 10
"""Calls before the clock starts; the first ones trace and allocate."""

ROUND_SECONDS = 0.002
"""Shorter than what an operating system gives a process at a time, so that some rounds are not interrupted."""

SECONDS, LEAST_ROUNDS = 0.3, 5
"""For all rounds."""


def latency_ms(architecture: Architecture) -> float:
    """Milliseconds for one uint8 image, through the signature of a SavedModel on this machine's CPU.

    The network is exported with random weights, on which its speed does not depend, read back and called. Of many short
    rounds the fastest counts: what else the machine does can only slow a round down. The process' own limits on threads
    hold.

    Returns:
        The mean of the fastest round's calls.
    """
    import tensorflow as tf

    with own_temporary() as folder, tf.device("/CPU:0"):
        SavedModel().write(Source(architecture=architecture, model=architecture.build()), folder)
        loaded = tf.saved_model.load(str(folder))
        serve = loaded.signatures["serving_default"]
        image = tf.zeros((1, *architecture.input_shape), tf.uint8)

        def seconds(calls: int) -> float:
            begin = time.perf_counter()
            for _ in range(calls):
                next(iter(serve(image=image).values())).numpy()
            return (time.perf_counter() - begin) / calls

        seconds(WARM_UP)
        calls = max(1, int(ROUND_SECONDS / seconds(1)))
        rounds = max(LEAST_ROUNDS, int(SECONDS / (calls * seconds(calls))))
        return 1_000 * min(seconds(calls) for _ in range(rounds))


def flash_bytes(architecture: Architecture) -> int:
    """Size of the int8 LiteRT file, which stays the same whatever the weights are."""
    return len(_quantized(architecture))


def ram_bytes(architecture: Architecture) -> int:
    """TFLM's arena for the int8 file, on a machine with 64-bit addresses.

    Raises:
        ExportError: TFLM cannot run the network.
    """
    return arena_bytes(_quantized(architecture))


@lru_cache(maxsize=1)
def _quantized(architecture: Architecture) -> bytes:
    """With random weights, calibrated on noise. Made once for whatever is measured of it."""
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, (4, *architecture.input_shape), np.uint8)
    model = architecture.build()
    # Biases too, as in a trained network: the converter stores equal arrays once, such as all that are zero.
    model.set_weights(
        [rng.uniform(0.5, 1.5, weights.shape) if weights.ndim == 1 else weights for weights in model.get_weights()]
    )
    return convert(architecture, model, calibration=noise)


_MEASURES = {LATENCY: latency_ms, RAM_BYTES: ram_bytes, FLASH_BYTES: flash_bytes}
"""How each measured cost is measured."""

_PACKAGES = {RAM_BYTES: (PACKAGES, EXTRA)}
"""What a measure needs that nas does not install by itself, and the extra of keras-nas that does."""


def check_measurable(costs: Iterable[Cost]) -> None:
    """Refuse costs that cannot be measured here.

    Raises:
        ExportError: with what to install.
    """
    for cost in costs:
        if missing := _missing(cost):
            _, extra = _PACKAGES[cost]
            raise ExportError(
                f"{cost.name} is measured with {', '.join(missing)}; install with: pip install 'keras-nas[{extra}]'"
            )


def is_measurable(cost: Cost) -> bool:
    """Whether what measures it is installed."""
    return not _missing(cost)


def _missing(cost: Cost) -> list[str]:
    packages, _ = _PACKAGES.get(cost, ((), ""))
    return [package for package in packages if find_spec(package) is None]


def measure(cost: Cost, architecture: Architecture) -> float:
    """A measured cost of a network, which need not be trained."""
    return _MEASURES[cost](architecture)
