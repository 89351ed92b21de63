"""Who has children in aging evolution."""

import random

from nas.strategies.aging import POPULATION
from tests.strategies.examples import Watched, made, propose, table_space, trial


def parents(history, space):
    """Numbers of the trials that had a child, over many proposals."""
    watched = Watched(space)
    strategy = made("aging", watched)
    for seed in range(60):
        propose(strategy, history, seed)
    number = {each.architecture.id: each.number for each in history}
    return [number[found.id] for found in watched.mutated]


def test_the_latest_have_children_the_better_ones_and_small_as_well_as_large_ones():
    space = table_space()
    rows = sorted(space.table.rows, key=lambda row: row.parameters)
    old, late = rows[:5], rows[5 : 5 + POPULATION]
    random.Random(0).shuffle(late)
    # The old ones are the smallest and the best; of the late ones larger is better, apart from the worst.
    sizes = sorted(row.parameters for row in late)
    worst = max(late, key=lambda row: row.parameters)
    history = [trial(number, row, 0.9) for number, row in enumerate(old)]
    for number, row in enumerate(late, start=len(old)):
        score = 0.1 if row is worst else 0.2 + 0.5 * sizes.index(row.parameters) / len(sizes)
        history.append(trial(number, row, score))
    found = parents(history, space)
    assert min(found) >= len(old)
    assert next(each.number for each in history if each.architecture is worst) not in found
    chosen = sorted(history[number].parameters for number in found)
    # The scalarization is another in each tournament: both ends of the front have children.
    assert chosen[len(chosen) // 5] < sizes[len(sizes) // 3]
    assert chosen[-len(chosen) // 5] > sizes[-len(sizes) // 3]


def test_tournaments_are_won_by_the_best():
    space = table_space()
    rows = [row for row in space.table.rows if row.genes["g2"] == "b"][:27]
    rows.sort(key=lambda row: row.parameters)
    # The smaller, the better: there is nothing to weigh.
    history = [trial(number, row, 0.9 - number / 100) for number, row in enumerate(rows)]
    found = sorted(parents(history, space))
    assert found[len(found) // 2] < len(rows) / 4
