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
    """The score that a network must exceed to improve the front, by its costs.

    Attributes:
        edges: of each cost, ascending, from minus infinity to the highest cost that counts: step i reaches from
            `edges[i]` to `edges[i + 1]`.
        levels: of each cell of the grid of steps; one axis per cost.
    """

    edges: tuple[Array, ...]
    levels: Array


def stairs(costs: Array, scores: Array, *, largest: Array, reference: float) -> Stairs:
    """The front of points as stairs.

    Args:
        costs: logarithms, one row per point, one column per cost.
        scores: of the same points.
        largest: logarithm of each cost up to which volume counts.
        reference: score that is worth nothing.
    """
    import numpy as np

    costs = np.minimum(costs, largest)
    front = [place for place in non_dominated(costs, scores) if scores[place] > reference]
    edges = [np.unique(costs[front, axis]) for axis in range(costs.shape[1])]
    levels = np.full([len(each) + 1 for each in edges], reference)
    for place in front:
        steps = zip(edges, costs[place], strict=True)
        corner = tuple(slice(np.searchsorted(each, cost) + 1, None) for each, cost in steps)
        levels[corner] = np.maximum(levels[corner], scores[place])
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


class Worth(NamedTuple):
    """What a score is worth, by the score as a model sees it: linear between knots, constant beyond the last.

    Attributes:
        knots: ascending; the first is the reference.
        values: at the knots, ascending.
    """

    knots: Array
    values: Array


def expected_improvement(front: Stairs, costs: Array, means: Array, deviations: Array, worth: Worth) -> Array:
    """By how much each candidate is expected to raise the volume under the stairs; heights are what scores are worth.

    A network of known costs raises every cell from its costs on to its score, if that is higher. Over a cell of volume
    v and level h it is expected to add v * E[max(worth(score) - worth(h), 0)]; cells of one level share the
    expectation. Each piece between two knots adds its slope times the difference of two expected excesses: of the score
    over the lower knot and over the upper one. For a normal distribution both have a closed form.

    Args:
        front: what is to be improved.
        costs: logarithms, one row per candidate, one column per cost.
        means: of their scores, which are normally distributed.
        deviations: standard deviations of the same, positive.
        worth: of a score.
    """
    import numpy as np
    from scipy.special import ndtr

    levels, level_of = np.unique(front.levels, return_inverse=True)
    level_of = level_of.reshape(front.levels.shape)
    knots = np.union1d(levels, worth.knots)
    slopes = np.diff(np.interp(knots, *worth)) / np.diff(knots)
    z = (means[:, None] - knots) / deviations[:, None]
    density = np.exp(-0.5 * z * z) / np.sqrt(2 * np.pi)
    exceeded = (z * ndtr(z) + density) * deviations[:, None]
    # Above the last knot there is no gain; above any other, that of its own piece and of all higher ones.
    pieces = slopes * (exceeded[:, :-1] - exceeded[:, 1:])
    gains = np.zeros_like(exceeded)
    gains[:, :-1] = np.cumsum(pieces[:, ::-1], axis=1)[:, ::-1]
    gains = gains[:, np.searchsorted(knots, levels)]
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
