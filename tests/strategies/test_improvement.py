"""The closed form against what it stands for."""

import numpy as np
import pytest

from nas.objectives import ACTIVATION_BYTES, MACS, PARAMETERS
from nas.results.pareto import hypervolume
from nas.strategies import improvement
from nas.strategies.improvement import Worth, expected_improvement, stairs

LINEAR = Worth(np.array([0.0, 9.0]), np.array([0.0, 9.0]))
"""A score is worth itself."""


def area(points, smallest, largest, reference):
    """Under the stairs of points, by the definition on a fine grid."""
    grid = np.linspace(smallest, largest, 20_001)[:-1]
    levels = np.full(len(grid), reference)
    for size, score in points:
        levels = np.where(grid >= size, np.maximum(levels, score), levels)
    return (levels - reference).mean() * (largest - smallest)


def column(*sizes):
    """Log-costs of networks with a single cost."""
    return np.array(sizes, dtype=float)[:, None]


LARGEST = np.array([4.0])


def test_the_stairs_are_the_front_by_hand():
    sizes, scores = column(2, 1, 3, 2), np.array([0.5, 0.4, 0.45, 0.3])
    front = stairs(sizes, scores, largest=LARGEST, reference=0.1)
    assert [edges.tolist() for edges in front.edges] == [[-np.inf, 1.0, 2.0, 4.0]]
    assert front.levels.tolist() == [0.1, 0.4, 0.5]


def test_two_costs_make_a_grid_by_hand():
    costs = np.array([[1.0, 3.0], [2.0, 1.0], [2.0, 3.0], [3.0, 3.0]])
    front = stairs(costs, np.array([0.4, 0.3, 0.35, 0.6]), largest=np.array([4.0, 4.0]), reference=0.1)
    assert [edges.tolist() for edges in front.edges] == [[-np.inf, 1.0, 2.0, 3.0, 4.0], [-np.inf, 1.0, 3.0, 4.0]]
    # Rows: below 1, 1 to 2, 2 to 3, from 3; columns: below 1, 1 to 3, from 3.
    assert front.levels.tolist() == [[0.1, 0.1, 0.1], [0.1, 0.1, 0.4], [0.1, 0.3, 0.4], [0.1, 0.3, 0.6]]


def test_points_below_the_reference_are_worth_nothing():
    front = stairs(column(1), np.array([0.05]), largest=LARGEST, reference=0.1)
    assert front.levels.tolist() == [0.1]


def test_a_certain_candidate_adds_exactly_its_area():
    front = stairs(column(1, 2), np.array([0.4, 0.5]), largest=LARGEST, reference=0.1)
    # From size 1.5: 0.05 above 0.4 up to 2, nothing above 0.5.
    value = expected_improvement(front, column(1.5), np.array([0.45]), np.array([1e-9]), LINEAR)
    assert value == pytest.approx([0.5 * 0.05])


def test_a_certain_candidate_adds_exactly_its_volume():
    front = stairs(
        np.array([[1.0, 3.0], [2.0, 1.0]]), np.array([0.4, 0.3]), largest=np.array([4.0, 4.0]), reference=0.1
    )
    # From (1.5, 2): 0.5 x 1 of 0.25 above the reference, then 2 x 1 of 0.05 above 0.3, nothing above 0.4.
    value = expected_improvement(front, np.array([[1.5, 2.0]]), np.array([0.35]), np.array([1e-9]), LINEAR)
    assert value == pytest.approx([0.5 * 0.25 + 2 * 0.05])


def test_it_is_the_mean_improvement_over_many_draws():
    rng = np.random.default_rng(0)
    points = [(0.7, 0.3), (1.4, 0.5), (2.5, 0.8)]
    sizes, scores = np.array(points).T
    front = stairs(sizes[:, None], scores, largest=np.array([3.0]), reference=0.1)
    before = area(points, 0.5, 3.0, 0.1)
    for size, mean, deviation in [(0.6, 0.2, 0.1), (1.0, 0.6, 0.2), (2.0, 0.3, 0.3), (2.9, 0.9, 0.05)]:
        draws = rng.normal(mean, deviation, 1_000)
        wanted = np.mean([area([*points, (size, draw)], 0.5, 3.0, 0.1) - before for draw in draws])
        value = expected_improvement(front, column(size), np.array([mean]), np.array([deviation]), LINEAR)
        assert value[0] == pytest.approx(wanted, rel=0.15, abs=1e-3)


@pytest.mark.parametrize("costs", [1, 2, 3])
def test_it_is_what_the_hypervolume_gains(costs):
    """A certain candidate's value, by the reports' hypervolume, which is computed another way."""
    rng = np.random.default_rng(costs)
    axes = (PARAMETERS, MACS, ACTIVATION_BYTES)[:costs]
    limits = dict.fromkeys(axes, (1.0, 10.0))
    width = np.log(10.0) ** costs

    class Point:
        completed = True

        def __init__(self, number, logs, score):
            self.number, self.logs, self.score = number, dict(zip(axes, logs, strict=True)), score

        def cost(self, cost):
            return np.exp(self.logs.get(cost, 0.0))

    for _ in range(20):
        logs, scores = rng.uniform(0, np.log(10.0), (9, costs)), rng.uniform(0, 1, 9)
        points = [Point(number, *pair) for number, pair in enumerate(zip(logs, scores, strict=True))]
        front = stairs(logs[:8], scores[:8], largest=np.log(np.full(costs, 10.0)), reference=0.0)
        value = expected_improvement(front, logs[8:], scores[8:], np.array([1e-9]), LINEAR)
        gain = hypervolume(points, limits) - hypervolume(points[:8], limits)
        assert value[0] == pytest.approx(gain * width, abs=1e-7)


def test_of_equal_beliefs_the_smaller_network_is_worth_more():
    front = stairs(column(1), np.array([0.4]), largest=LARGEST, reference=0.1)
    values = expected_improvement(front, column(0.5, 1, 2, 4), np.full(4, 0.5), np.full(4, 0.1), LINEAR)
    assert values[0] > values[1] > values[2] > values[3] == 0


def test_improvement_is_counted_in_what_scores_are_worth():
    # As a model sees it that spreads the good: 0.8 to 0.9 is worth as much as 0.4 to 0.8; 1 is the highest score.
    worth = Worth(np.array([0.0, 0.4, 0.8, 1.0]), np.array([0.0, 0.8, 0.9, 1.0]))
    front = stairs(column(1), np.array([0.2]), largest=LARGEST, reference=0.0)

    def value(mean, deviation, size=2.0):
        return expected_improvement(front, column(size), np.array([mean]), np.array([deviation]), worth)[0]

    # From size 2 to 4 above 0.2, which is worth 0.4.
    assert [value(mean, 1e-9) for mean in (0.1, 0.3, 0.4, 0.6, 1.0, 3.0)] == pytest.approx(
        [0.0, 2 * 0.2, 2 * 0.4, 2 * 0.45, 2 * 0.6, 2 * 0.6]
    )
    gained = np.interp(np.random.default_rng(0).normal(0.5, 0.3, 200_000), *worth)
    above_reference, above_point = gained.mean(), np.maximum(gained - 0.4, 0).mean()
    assert value(0.5, 0.3) == pytest.approx(2 * above_point, rel=0.01)
    assert value(0.5, 0.3, size=0.5) == pytest.approx(0.5 * above_reference + 3 * above_point, rel=0.01)


def test_a_point_beyond_the_highest_cost_adds_no_room():
    # The second costs more than what counts: it stands at the edge, where nothing is to the right of it.
    front = stairs(column(1, 5), np.array([0.4, 0.9]), largest=LARGEST, reference=0.1)
    value = expected_improvement(front, column(2, 6), np.array([0.5, 1.0]), np.full(2, 1e-9), LINEAR)
    assert value == pytest.approx([2 * 0.1, 0.0])


@pytest.mark.parametrize("costs", [1, 2])
def test_many_candidates_are_looked_at_in_parts(costs, monkeypatch):
    rng = np.random.default_rng(0)
    front = stairs(rng.uniform(0, 4, (6, costs)), rng.uniform(0.2, 1, 6), largest=np.full(costs, 4.0), reference=0.1)
    candidates = rng.uniform(0, 4, (50, costs)), rng.uniform(0, 1, 50), rng.uniform(0.01, 0.3, 50)
    at_once = expected_improvement(front, *candidates, LINEAR)
    # 7 candidates at a time, the last of them alone.
    monkeypatch.setattr(improvement, "CELLS", 7 * front.levels.size)
    assert expected_improvement(front, *candidates, LINEAR) == pytest.approx(at_once)
    assert (at_once > 0).sum() > 40
