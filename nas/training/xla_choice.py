"""Chooses between plain TensorFlow and XLA by timing real training steps."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from typing import Any, final

import numpy as np
import numpy.typing as npt

from nas.architecture.keras_types import Tensor

logger = logging.getLogger(__name__)

LONG_SECONDS = 120.0
"""Of work that is left, below which nothing is tried: a network takes XLA some ten seconds to compile."""

Array = npt.NDArray[Any]
Way = Callable[[Tensor, Tensor], Sequence[Tensor]]
"""(positions `(n, batch)`, seeds `(n, 2)`) -> (summed loss, evidence); does `n` steps."""


@final
class XlaChoice:
    """The plain way; in a long training, the other way is tried, and the faster one stays.

    Both change the same variables, so nothing is done twice.

    Args:
        plain: the way that needs no preparation.
        other: makes the other way, whose first call takes long; None where it is never the faster one.
        failure: what a machine that cannot go the other way raises.
        clock: in seconds.
    """

    def __init__(
        self,
        plain: Way,
        other: Callable[[], Way] | None,
        *,
        failure: type[Exception],
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._plain, self._make, self._failure, self._clock = plain, other, failure, clock
        self._other: Way | None = None
        self._calls = 0
        self._seconds = 0.0
        self._chosen: Way | None = plain if other is None else None

    def __call__(self, positions: Tensor, seeds: Tensor, *, left: int) -> tuple[Array, ...]:
        """Some steps; what the way returns.

        Args:
            positions: of the images.
            seeds: of the augmentation.
            left: steps to the end of the training, these included.
        """
        if self._chosen is not None or self._make is None:
            return self._measured(self._chosen or self._plain, positions, seeds)[0]
        if self._other is None:
            result, seconds = self._measured(self._plain, positions, seeds)
            self._calls += 1
            # The first calls prepare the graph.
            if self._calls > 2 and seconds * left > LONG_SECONDS:
                self._seconds, self._other = seconds, self._make()
                self._calls = 0
            return result
        try:
            result, seconds = self._measured(self._other, positions, seeds)
        except self._failure as error:
            logger.warning("XLA does not work here, training continues without it: %s", str(error).splitlines()[0])
            self._chosen = self._plain
            return self._measured(self._plain, positions, seeds)[0]
        self._calls += 1
        if self._calls > 1:
            self._chosen = self._other if seconds < self._seconds else self._plain
            logger.info("a step takes %.2g s, with XLA %.2g s", self._seconds, seconds)
        return result

    def _measured(self, way: Way, positions: Tensor, seeds: Tensor) -> tuple[tuple[Array, ...], float]:
        """What the way returns, and the seconds a step."""
        started = self._clock()
        result = tuple(map(np.asarray, way(positions, seeds)))  # waits for the device
        return result, (self._clock() - started) / len(positions)
