"""The closed form against what it stands for."""

import numpy as np
import pytest

from nas.strategies.improvement import Worth, expected_improvement, stairs

LINEAR = Worth(np.array([0.1, 9.0]), np.array([0.1, 9.0]))
"""An accuracy is worth itself."""


def area(points, smallest, largest, reference):
    """Under the stairs of points, by the definition on a fine grid."""
    grid = np.linspace(smallest, largest, 20_001)[:-1]
    levels = np.full(len(grid), reference)
    for size, accuracy in points:
        levels = np.where(grid >= size, np.maximum(levels, accuracy), levels)
    return (levels - reference).mean() * (largest - smallest)


def test_the_stairs_are_the_front_by_hand():
    sizes, accuracies = np.array([2.0, 1.0, 3.0, 2.0]), np.array([0.5, 0.4, 0.45, 0.3])
    front = stairs(sizes, accuracies, smallest=0.0, largest=4.0, reference=0.1)
    assert front.edges.tolist() == [0.0, 1.0, 2.0, 4.0]
    assert front.levels.tolist() == [0.1, 0.4, 0.5]


def test_points_below_the_reference_are_worth_nothing():
    front = stairs(np.array([1.0]), np.array([0.05]), smallest=0.0, largest=4.0, reference=0.1)
    assert front.levels.tolist() == [0.1]


def test_a_certain_candidate_adds_exactly_its_area():
    front = stairs(np.array([1.0, 2.0]), np.array([0.4, 0.5]), smallest=0.0, largest=4.0, reference=0.1)
    # From size 1.5: 0.05 above 0.4 up to 2, nothing above 0.5.
    value = expected_improvement(front, np.array([1.5]), np.array([0.45]), np.array([1e-9]), LINEAR)
    assert value == pytest.approx([0.5 * 0.05])


def test_it_is_the_mean_improvement_over_many_draws():
    rng = np.random.default_rng(0)
    points = [(0.7, 0.3), (1.4, 0.5), (2.5, 0.8)]
    limits = {"smallest": 0.5, "largest": 3.0, "reference": 0.1}
    sizes, accuracies = np.array(points).T
    front = stairs(sizes, accuracies, **limits)
    before = area(points, 0.5, 3.0, 0.1)
    for size, mean, deviation in [(0.6, 0.2, 0.1), (1.0, 0.6, 0.2), (2.0, 0.3, 0.3), (2.9, 0.9, 0.05)]:
        draws = rng.normal(mean, deviation, 1_000)
        wanted = np.mean([area([*points, (size, draw)], 0.5, 3.0, 0.1) - before for draw in draws])
        value = expected_improvement(front, np.array([size]), np.array([mean]), np.array([deviation]), LINEAR)
        assert value[0] == pytest.approx(wanted, rel=0.15, abs=1e-3)


def test_of_equal_beliefs_the_smaller_network_is_worth_more():
    front = stairs(np.array([1.0]), np.array([0.4]), smallest=0.0, largest=4.0, reference=0.1)
    values = expected_improvement(front, np.array([0.5, 1.0, 2.0, 4.0]), np.full(4, 0.5), np.full(4, 0.1), LINEAR)
    assert values[0] > values[1] > values[2] > values[3] == 0


def test_improvement_is_counted_in_what_accuracies_are_worth():
    # As a model sees it that spreads the good: 0.8 to 0.9 is worth as much as 0.4 to 0.8; 1 is the highest accuracy.
    worth = Worth(np.array([0.0, 0.4, 0.8, 1.0]), np.array([0.0, 0.8, 0.9, 1.0]))
    front = stairs(np.array([1.0]), np.array([0.2]), smallest=0.0, largest=4.0, reference=0.0)

    def value(mean, deviation, size=2.0):
        return expected_improvement(front, np.array([size]), np.array([mean]), np.array([deviation]), worth)[0]

    # From size 2 to 4 above 0.2, which is worth 0.4.
    assert [value(mean, 1e-9) for mean in (0.1, 0.3, 0.4, 0.6, 1.0, 3.0)] == pytest.approx(
        [0.0, 2 * 0.2, 2 * 0.4, 2 * 0.45, 2 * 0.6, 2 * 0.6]
    )
    gained = np.interp(np.random.default_rng(0).normal(0.5, 0.3, 200_000), *worth)
    above_reference, above_point = gained.mean(), np.maximum(gained - 0.4, 0).mean()
    assert value(0.5, 0.3) == pytest.approx(2 * above_point, rel=0.01)
    assert value(0.5, 0.3, size=0.5) == pytest.approx(0.5 * above_reference + 3 * above_point, rel=0.01)
