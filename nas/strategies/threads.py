"""Linear algebra on one thread."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from contextlib import AbstractContextManager


def one_thread() -> AbstractContextManager[Any]:
    """While it is open, BLAS uses one thread.

    Our matrices are small: threads that wait for each other cost more than they save, many times more on a machine that
    also trains networks. And sums are taken in the same order on every machine.
    """
    controller = _controller()
    limit: AbstractContextManager[Any] = controller.limit(limits=1, user_api="blas")
    return limit


@cache
def _controller() -> Any:
    # Each has a BLAS of its own, which must be loaded to be found.
    import numpy  # noqa: F401
    import scipy.linalg  # noqa: F401
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()
