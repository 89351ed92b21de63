"""The costs that have to be measured, and how."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from nas.export.format import Source
from nas.export.savedmodel import SavedModel
from nas.files.temporary import own_temporary
from nas.objectives import LATENCY, Cost

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


_MEASURES = {LATENCY: latency_ms}


def measure(cost: Cost, architecture: Architecture) -> float:
    """A measured cost of a network, which need not be trained."""
    return _MEASURES[cost](architecture)
