"""Expected hypervolume improvement when all objectives but one are known exactly.

In general it is a sum over cells with a closed form in each (Emmerich, Deutz and Klinkenberg, 2011: Hypervolume-based
expected improvement); with known costs each cell is an expected improvement of one variable.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, np.dtype[np.float64]]

CELLS = 2_000_000
"""Candidates times cells that are computed at once: 16 MB of numbers."""


class Stairs(NamedTuple):
    """What a network must be worth at least to improve the front, by its costs.

    Attributes:
        edges: of each cost, ascending, from minus infinity to the highest cost that counts: step i reaches from
            `edges[i]` to `edges[i + 1]`.
        levels: of each cell of the grid of steps; one axis per cost.
    """

    edges: tuple[Array, ...]
    levels: Array


def stairs(costs: Array, worths: Array, *, largest: Array) -> Stairs:
    """The front of points as stairs.

    Args:
        costs: logarithms, one row per point, one column per cost.
        worths: of the same points; up to 0 they are no part of the front.
        largest: logarithm of each cost up to which volume counts.
    """
    import numpy as np

    costs = np.minimum(costs, largest)
    front = [place for place in non_dominated(costs, worths) if worths[place] > 0]
    edges = [np.unique(costs[front, axis]) for axis in range(costs.shape[1])]
    levels = np.zeros([len(each) + 1 for each in edges])
    for place in front:
        steps = zip(edges, costs[place], strict=True)
        corner = tuple(slice(np.searchsorted(each, cost) + 1, None) for each, cost in steps)
        levels[corner] = np.maximum(levels[corner], worths[place])
    ends = zip(edges, largest, strict=True)
    return Stairs(tuple(np.concatenate([[-np.inf], each, [end]]) for each, end in ends), levels)


def non_dominated(costs: Array, scores: Array) -> list[int]:
    """Places of the points that no other beats, by costs; of equal points the first.

    Args:
        costs: one row per point, one column per cost.
        scores: of the same points.
    """
    import numpy as np

    front: list[int] = []
    for place in np.lexsort((-scores, *costs.T[::-1])):
        rivals = front if costs.shape[1] > 1 else front[-1:]
        beaten = (costs[rivals] <= costs[place]).all(axis=1) & (scores[rivals] >= scores[place])
        if not beaten.any():
            front.append(int(place))
    return front


def expected_improvement(front: Stairs, costs: Array, means: Array, deviations: Array) -> Array:
    """By how much each candidate is expected to raise the volume under the stairs.

    A network of known costs raises every cell from its costs on to its worth, if that is higher. Over a cell of volume
    v and level h it is expected to add v * E[max(worth - h, 0)], for a normal distribution a closed form; cells of one
    level share the expectation.

    Args:
        front: what is to be improved.
        costs: logarithms, one row per candidate, one column per cost.
        means: of what their scores are worth, which is normally distributed.
        deviations: standard deviations of the same, positive.
    """
    import numpy as np
    from scipy.special import ndtr

    levels, level_of = np.unique(front.levels, return_inverse=True)
    level_of = level_of.reshape(front.levels.shape)
    z = (means[:, None] - levels) / deviations[:, None]
    density = np.exp(-0.5 * z * z) / np.sqrt(2 * np.pi)
    gains = (z * ndtr(z) + density) * deviations[:, None]
    result = np.zeros(len(means))
    step = max(1, CELLS // level_of.size)
    for start in range(0, len(means), step):
        part = slice(start, start + step)
        volumes = gains[part][:, level_of]
        for edges, cost in zip(reversed(front.edges), reversed(costs[part].T), strict=True):
            widths = np.maximum(edges[1:] - np.maximum(edges[:-1], cost[:, None]), 0.0)
            volumes = np.einsum("n...w,nw->n...", volumes, widths)
        result[part] = volumes
    return result
