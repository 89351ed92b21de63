"""The closed form against what it stands for."""

import numpy as np
import pytest

from nas.objectives import ACTIVATION_BYTES, MACS, PARAMETERS, Objectives
from nas.results.pareto import BEYOND, hypervolume
from nas.strategies import improvement
from nas.strategies.improvement import expected_improvement, stairs
from nas.tasks import DEFAULT_TASK


def area(points, smallest, largest):
    """Under the stairs of points, by the definition on a fine grid."""
    grid = np.linspace(smallest, largest, 20_001)[:-1]
    levels = np.zeros(len(grid))
    for size, worth in points:
        levels = np.where(grid >= size, np.maximum(levels, worth), levels)
    return levels.mean() * (largest - smallest)


def column(*sizes):
    """Log-costs of networks with a single cost."""
    return np.array(sizes, dtype=float)[:, None]


LARGEST = np.array([4.0])


def test_the_stairs_are_the_front_by_hand():
    sizes, worths = column(2, 1, 3, 2), np.array([0.5, 0.4, 0.45, 0.3])
    front = stairs(sizes, worths, largest=LARGEST)
    assert [edges.tolist() for edges in front.edges] == [[-np.inf, 1.0, 2.0, 4.0]]
    assert front.levels.tolist() == [0.0, 0.4, 0.5]


def test_two_costs_make_a_grid_by_hand():
    costs = np.array([[1.0, 3.0], [2.0, 1.0], [2.0, 3.0], [3.0, 3.0]])
    front = stairs(costs, np.array([0.4, 0.3, 0.35, 0.6]), largest=np.array([4.0, 4.0]))
    assert [edges.tolist() for edges in front.edges] == [[-np.inf, 1.0, 2.0, 3.0, 4.0], [-np.inf, 1.0, 3.0, 4.0]]
    # Rows: below 1, 1 to 2, 2 to 3, from 3; columns: below 1, 1 to 3, from 3.
    assert front.levels.tolist() == [[0.0, 0.0, 0.0], [0.0, 0.0, 0.4], [0.0, 0.3, 0.4], [0.0, 0.3, 0.6]]


def test_what_is_worth_nothing_is_no_step():
    front = stairs(column(1, 2), np.array([-0.1, 0.0]), largest=LARGEST)
    assert ([edges.tolist() for edges in front.edges], front.levels.tolist()) == ([[-np.inf, 4.0]], [0.0])


def test_a_certain_candidate_adds_exactly_its_area():
    front = stairs(column(1, 2), np.array([0.4, 0.5]), largest=LARGEST)
    # From size 1.5: 0.05 above 0.4 up to 2, nothing above 0.5.
    value = expected_improvement(front, column(1.5), np.array([0.45]), np.array([1e-9]))
    assert value == pytest.approx([0.5 * 0.05])


def test_a_certain_candidate_adds_exactly_its_volume():
    front = stairs(np.array([[1.0, 3.0], [2.0, 1.0]]), np.array([0.4, 0.3]), largest=np.array([4.0, 4.0]))
    # From (1.5, 2): 0.5 x 1 of 0.35 above nothing, then 2 x 1 of 0.05 above 0.3, nothing above 0.4.
    value = expected_improvement(front, np.array([[1.5, 2.0]]), np.array([0.35]), np.array([1e-9]))
    assert value == pytest.approx([0.5 * 0.35 + 2 * 0.05])


def test_it_is_the_mean_improvement_over_many_draws():
    rng = np.random.default_rng(0)
    points = [(0.7, 0.3), (1.4, 0.5), (2.5, 0.8)]
    sizes, worths = np.array(points).T
    front = stairs(sizes[:, None], worths, largest=np.array([3.0]))
    before = area(points, 0.5, 3.0)
    for size, mean, deviation in [(0.6, 0.2, 0.1), (1.0, 0.6, 0.2), (2.0, 0.3, 0.3), (2.9, 0.9, 0.05)]:
        draws = rng.normal(mean, deviation, 1_000)
        wanted = np.mean([area([*points, (size, draw)], 0.5, 3.0) - before for draw in draws])
        value = expected_improvement(front, column(size), np.array([mean]), np.array([deviation]))
        assert value[0] == pytest.approx(wanted, rel=0.15, abs=1e-3)


@pytest.mark.parametrize("costs", [1, 2, 3])
def test_it_is_what_the_hypervolume_gains(costs):
    """A certain candidate's value, by the reports' hypervolume, which is computed another way."""
    rng = np.random.default_rng(costs)
    axes = (PARAMETERS, MACS, ACTIVATION_BYTES)[:costs]
    objectives = Objectives(score=DEFAULT_TASK.score, interest=dict.fromkeys(axes, (1.0, 10.0)), floor=0.1)
    largest = np.full(costs, (1 + BEYOND) * np.log(10.0))

    class Point:
        completed = True

        def __init__(self, number, logs, score):
            self.number, self.logs, self.score = number, dict(zip(axes, logs, strict=True)), score

        def cost(self, cost):
            return np.exp(self.logs.get(cost, 0.0))

    for _ in range(20):
        logs, scores = rng.uniform(0, np.log(10.0), (9, costs)), rng.uniform(0, 1, 9)
        points = [Point(number, *pair) for number, pair in enumerate(zip(logs, scores, strict=True))]
        worths = np.array([objectives.worth(score) for score in scores])
        front = stairs(logs[:8], worths[:8], largest=largest)
        value = expected_improvement(front, logs[8:], worths[8:], np.array([1e-9]))
        gain = hypervolume(points, objectives) - hypervolume(points[:8], objectives)
        assert value[0] == pytest.approx(gain * largest.prod(), abs=1e-7)


def test_of_equal_beliefs_the_smaller_network_is_worth_more():
    front = stairs(column(1), np.array([0.4]), largest=LARGEST)
    values = expected_improvement(front, column(0.5, 1, 2, 4), np.full(4, 0.5), np.full(4, 0.1))
    assert values[0] > values[1] > values[2] > values[3] == 0


def test_a_point_beyond_the_highest_cost_adds_no_room():
    # The second costs more than what counts: it stands at the edge, where nothing is to the right of it.
    front = stairs(column(1, 5), np.array([0.4, 0.9]), largest=LARGEST)
    value = expected_improvement(front, column(2, 6), np.array([0.5, 1.0]), np.full(2, 1e-9))
    assert value == pytest.approx([2 * 0.1, 0.0])


@pytest.mark.parametrize("costs", [1, 2])
def test_many_candidates_are_looked_at_in_parts(costs, monkeypatch):
    rng = np.random.default_rng(0)
    front = stairs(rng.uniform(0, 4, (6, costs)), rng.uniform(0.2, 1, 6), largest=np.full(costs, 4.0))
    candidates = rng.uniform(0, 4, (50, costs)), rng.uniform(0, 1, 50), rng.uniform(0.01, 0.3, 50)
    at_once = expected_improvement(front, *candidates)
    # 7 candidates at a time, the last of them alone.
    monkeypatch.setattr(improvement, "CELLS", 7 * front.levels.size)
    assert expected_improvement(front, *candidates) == pytest.approx(at_once)
    assert (at_once > 0).sum() > 40
