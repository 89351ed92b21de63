"""Whose neighbors local search looks at."""

import random

from nas.results.pareto import ParetoFront
from tests.strategies.examples import Watched, made, propose, table_space, trial


def test_only_the_front_has_neighbors_and_all_of_it():
    watched = Watched(table_space())
    rows = random.Random(0).sample(watched.table.rows, 30)
    history = [trial(number, row, row.score) for number, row in enumerate(rows)]
    strategy = made("local", watched)
    for seed in range(60):
        propose(strategy, history, seed)
    assert {row.number for row in watched.mutated} == {p.architecture.number for p in ParetoFront.of(history)}
