"""Who survives."""

import math
import random

from nas.objectives import PARAMETERS, Objectives
from nas.strategies.evolution import POPULATION, crowding, survivors
from nas.tasks import DEFAULT_TASK
from tests.strategies.examples import Watched, made, propose, table_space, trial


def wanting(low, high, **options):
    return Objectives(score=DEFAULT_TASK.score, interest={PARAMETERS: (low, high)}, **options)


class Made:
    """Stands for an architecture of a size."""

    def __init__(self, parameters):
        self.id = str(parameters)
        self.count = type("Count", (), {"parameters": parameters, "macs": 0})()


def test_crowding_by_hand():
    # Log-parameters 0, 1, 2, 4. Errors halve four times from 0.32 to 0.02: the scores are worth 0, 1/4, 3/4 and 1.
    sizes = [math.e**power for power in (0, 1, 2, 4)]
    scores = (0.7, 0.86, 0.98, 1.0)
    front = [trial(n, Made(size), score) for n, (size, score) in enumerate(zip(sizes, scores, strict=True))]
    distances = crowding(front, wanting(1, 60, floor=0.7, finest=0.02))
    assert distances[0] == distances[3] == math.inf
    assert round(distances[1], 6) == round(2 / 4 + 3 / 4, 6)
    assert round(distances[2], 6) == round(3 / 4 + 3 / 4, 6)


def test_the_front_survives_first_and_its_lonely_members_before_the_crowded():
    sizes_and_scores = [(100, 0.5), (200, 0.9), (210, 0.91), (220, 0.92), (400, 0.95), (500, 0.3), (90, 0.2)]
    trials = [trial(number, Made(size), score) for number, (size, score) in enumerate(sizes_and_scores)]
    objectives = wanting(50, 1_000)
    assert {each.number for each in survivors(trials, 6, objectives)} == {0, 1, 2, 3, 4, 6}
    assert {each.number for each in survivors(trials, 3, objectives)} >= {4, 6}
    assert 2 not in {each.number for each in survivors(trials, 4, objectives)}


def test_what_is_not_of_interest_survives_only_where_it_is_better_there():
    def first(count, objectives, *sizes_and_scores):
        trials = [trial(number, Made(size), score) for number, (size, score) in enumerate(sizes_and_scores)]
        return {each.number for each in survivors(trials, count, objectives)}

    # Each is on the front; those below 100 parameters count as if they had 100, where the last of them is the best.
    sizes_and_scores = [(50, 0.5), (60, 0.6), (70, 0.8), (100, 0.7), (200, 0.9)]
    assert first(2, wanting(100, 1_000), *sizes_and_scores) == {2, 4}
    # Two that are no better than guessing are alike, so that the larger one brings nothing.
    sizes_and_scores = [(100, 0.01), (200, 0.1), (300, 0.3)]
    assert first(2, wanting(100, 1_000, floor=0.2), *sizes_and_scores) == {0, 2}


def test_survivors_have_children_the_better_ones_more_and_half_have_two_parents():
    watched = Watched(table_space())
    rows = random.Random(0).sample(watched.table.rows, 45)
    history = [trial(number, row, row.score) for number, row in enumerate(rows)]
    strategy, proposals = made("evolution", watched), 200
    order = [each.architecture.number for each in survivors(history, POPULATION, strategy.objectives)]
    for seed in range(proposals):
        propose(strategy, history, seed)
    crossed = [order.index(row.number) for pair in watched.crossed for row in pair]
    # `index` has found each of them: no other has children. The last one needs to be drawn twice in one tournament.
    assert {*crossed} >= {*range(POPULATION - 4)}
    # Of two that are drawn the better one wins: the first half of the population three times in four.
    assert 0.65 < sum(place < POPULATION // 2 for place in crossed) / len(crossed) < 0.85
    assert 0.4 < len(watched.crossed) / len(watched.mutated) < 0.6
