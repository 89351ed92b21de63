"""Expected hypervolume improvement when one of the two objectives is known exactly."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import numpy as np

    Vector = np.ndarray[Any, np.dtype[np.float64]]


class Stairs(NamedTuple):
    """The accuracy that a network must exceed to improve the front, by its log-parameters.

    Attributes:
        edges: ascending; step i reaches from `edges[i]` to `edges[i + 1]`, the last edge is the largest size.
        levels: of each step, ascending; the first is the reference.
    """

    edges: Vector
    levels: Vector


def stairs(sizes: Vector, accuracies: Vector, *, smallest: float, largest: float, reference: float) -> Stairs:
    """The front of points as stairs.

    Args:
        sizes: log-parameters of the points in any order.
        accuracies: of the same points.
        smallest: log-parameters from which area counts.
        largest: log-parameters up to which area counts.
        reference: accuracy that is worth nothing.
    """
    import numpy as np

    edges, levels = [smallest], [reference]
    for place in np.lexsort((-accuracies, sizes)):
        if accuracies[place] > levels[-1]:
            edges.append(min(max(float(sizes[place]), smallest), largest))
            levels.append(float(accuracies[place]))
    return Stairs(np.array([*edges, largest]), np.array(levels))


class Worth(NamedTuple):
    """What is gained by an accuracy as a model sees it: linear between knots, and nothing more beyond the last.

    Attributes:
        knots: ascending; the first is the reference.
        values: at the knots, ascending.
    """

    knots: Vector
    values: Vector


def expected_improvement(front: Stairs, sizes: Vector, means: Vector, deviations: Vector, worth: Worth) -> Vector:
    """By how much each candidate is expected to raise the area under the stairs, which are as high as they are worth.

    A network of known size raises every step from its size on to its accuracy, if that is higher. Over a step of width
    w and level h it is expected to add w * E[max(worth(accuracy) - worth(h), 0)]. Between two knots this grows by the
    slope there times what the accuracy is expected to exceed the lower by, less that for the upper, which a normal
    distribution gives in closed form.

    Args:
        front: what is to be improved.
        sizes: log-parameters of the candidates.
        means: of their accuracies, which are normally distributed.
        deviations: standard deviations of the same, positive.
        worth: of an accuracy.
    """
    import numpy as np
    from scipy.special import ndtr

    left = np.maximum(front.edges[:-1], sizes[:, None])
    widths = np.maximum(front.edges[1:] - left, 0.0)
    knots = np.union1d(front.levels, worth.knots)
    slopes = np.diff(np.interp(knots, *worth)) / np.diff(knots)
    z = (means[:, None] - knots) / deviations[:, None]
    density = np.exp(-0.5 * z * z) / np.sqrt(2 * np.pi)
    exceeded = (z * ndtr(z) + density) * deviations[:, None]
    # Nothing above the last knot; above each other what its own piece and all higher ones add.
    gains = np.zeros_like(exceeded)
    gains[:, :-1] = np.cumsum((slopes * (exceeded[:, :-1] - exceeded[:, 1:]))[:, ::-1], axis=1)[:, ::-1]
    result: Vector = (widths * gains[:, np.searchsorted(knots, front.levels)]).sum(axis=1)
    return result
