"""Whether early scores tell the end, sizes being equal."""

import numpy as np
import pytest
from scipy.stats import spearmanr

from nas.strategies.rank_correlation import rank_correlation


def test_without_a_third_it_is_spearmans():
    rng = np.random.default_rng(0)
    # Few values, so that many are equal.
    first, second = rng.integers(0, 6, (2, 30))
    assert rank_correlation(first, second, given=[7] * 30) == pytest.approx(spearmanr(first, second).statistic)


def test_what_the_third_explains_is_taken_away_from_both():
    rng = np.random.default_rng(1)
    sizes = rng.random(40)
    first, second = sizes + 0.3 * rng.random(40), sizes + 0.3 * rng.random(40)
    one, two, between = (spearmanr(*pair).statistic for pair in ((first, sizes), (second, sizes), (first, second)))
    partial = (between - one * two) / np.sqrt((1 - one**2) * (1 - two**2))
    assert rank_correlation(first, second, given=sizes) == pytest.approx(partial)
    assert abs(partial) < 0.3 < 0.8 < between


def test_where_nothing_is_left_there_is_no_correlation():
    assert rank_correlation([1, 2, 3, 4], [5, 6, 8, 9], given=[10, 20, 30, 40]) == 0
    assert rank_correlation([1, 1, 1, 1], [1, 2, 3, 4], given=[1, 2, 1, 2]) == 0
