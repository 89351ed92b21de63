"""Who survives."""

import math
import random

from nas.architecture import Budget
from nas.strategies import make_strategy
from nas.strategies.evolution import POPULATION, crowding, survivors
from tests.strategies.examples import Watched, propose, table_space, trial


class Made:
    """Stands for an architecture of a size."""

    def __init__(self, parameters):
        self.id = str(parameters)
        self.count = type("Count", (), {"parameters": parameters, "macs": 0})()


def test_crowding_by_hand():
    # Log-parameters 0, 1, 2, 4 and scores 0.1, 0.2, 0.4, 0.5.
    sizes = [math.e**power for power in (0, 1, 2, 4)]
    scores = (0.1, 0.2, 0.4, 0.5)
    front = [trial(n, Made(size), score) for n, (size, score) in enumerate(zip(sizes, scores, strict=True))]
    distances = crowding(front)
    assert distances[0] == distances[3] == math.inf
    assert round(distances[1], 6) == round(2 / 4 + 0.3 / 0.4, 6)
    assert round(distances[2], 6) == round(3 / 4 + 0.3 / 0.4, 6)


def test_the_front_survives_first_and_its_lonely_members_before_the_crowded():
    sizes_and_scores = [(100, 0.5), (200, 0.9), (210, 0.91), (220, 0.92), (400, 0.95), (500, 0.3), (90, 0.2)]
    trials = [trial(number, Made(size), score) for number, (size, score) in enumerate(sizes_and_scores)]
    assert {each.number for each in survivors(trials, 6)} == {0, 1, 2, 3, 4, 6}
    assert {each.number for each in survivors(trials, 3)} >= {4, 6}
    assert 2 not in {each.number for each in survivors(trials, 4)}


def test_survivors_have_children_the_better_ones_more_and_half_have_two_parents():
    watched = Watched(table_space())
    rows = random.Random(0).sample(watched.table.rows, 45)
    history = [trial(number, row, row.score) for number, row in enumerate(rows)]
    order = [each.architecture.number for each in survivors(history, POPULATION)]
    strategy, proposals = make_strategy("evolution", watched, Budget()), 200
    for seed in range(proposals):
        propose(strategy, history, seed)
    crossed = [order.index(row.number) for pair in watched.crossed for row in pair]
    # `index` has found each of them: no other has children. The last one needs to be drawn twice in one tournament.
    assert {*crossed} >= {*range(POPULATION - 4)}
    # Of two that are drawn the better one wins: the first half of the population three times in four.
    assert 0.65 < sum(place < POPULATION // 2 for place in crossed) / len(crossed) < 0.85
    assert 0.4 < len(watched.crossed) / len(watched.mutated) < 0.6
