"""What tasks share whose answers are a probability a class."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nas.tasks.base import Agreement

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[Any]


def compare(expected: Array, received: Array, *, tolerance: float, of: str) -> Agreement:
    """Class probabilities `(n, classes)` of the trained network and of its export, each of an image or of a pixel.

    Rounding of a logit grows with the logits, and moves a probability by at most as much as the logit. How large they
    are is seen from how far the logarithms of a row's probabilities lie apart.

    Args:
        expected: of the trained network.
        received: of its export.
        tolerance: largest difference that passes, for logits up to 1.
        of: what a row is for, for the message.
    """
    import numpy as np

    logarithms = np.log(np.maximum(expected, np.finfo(np.float32).tiny))
    allowed = tolerance * np.maximum(1, np.ptp(logarithms, axis=1))
    differences = np.abs(received - expected).max(axis=1)
    difference = float(differences.max())
    first, second = np.sort(expected, axis=1)[:, :-3:-1].T
    # Where two probabilities are as near, rounding may exchange their order.
    changed = (received.argmax(axis=1) != expected.argmax(axis=1)) & (first - second > 2 * allowed)
    # Written so that a difference that is not a number fails too.
    if (differences <= allowed).all() and not changed.any():
        return Agreement(largest_difference=difference)
    worst = int(np.argmax(differences / allowed))
    problem = (
        f"probabilities differ by up to {differences[worst]:.2g} (allowed for that {of}: {allowed[worst]:.2g}), "
        f"and {int(changed.sum()):,} of {len(expected):,} {of}s change their class"
    )
    return Agreement(largest_difference=difference, problem=problem)
