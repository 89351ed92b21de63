"""How far two orders agree."""

from __future__ import annotations

from collections.abc import Sequence


def rank_correlation(first: Sequence[float], second: Sequence[float], *, given: Sequence[float]) -> float:
    """Spearman's rank correlation of two values, given a third: the partial correlation of their ranks, in [-1, 1].

    0 where the third leaves nothing to explain, or a value is the same everywhere.

    >>> rank_correlation([1, 2, 3, 4], [2, 1, 4, 3], given=[1, 1, 1, 1])
    0.6

    Args:
        first: one value a network.
        second: the same, to compare with the first.
        given: held equal, such as sizes.
    """
    import numpy as np
    from scipy.stats import rankdata

    ranks = np.array([rankdata(values) for values in (first, second, given)])
    centered = ranks - ranks.mean(axis=1, keepdims=True)
    products = centered @ centered.T
    if products[2, 2] > 0:
        centered = centered - np.outer(products[:, 2] / products[2, 2], centered[2])
    one, two = centered[:2]
    scale = float(np.sqrt((one @ one) * (two @ two)))
    return round(float(one @ two) / scale, 12) if scale > 1e-9 else 0.0
