"""What Optuna's samplers are told."""

import random

import pytest

from nas.benchmark import TableSpace
from tests.strategies.examples import made, make_table, propose, trial


@pytest.mark.parametrize("name", ["optuna-tpe", "optuna-nsga2"])
def test_they_propose_more_of_what_was_good(name):
    pytest.importorskip("optuna", reason="needs the extra `peers`")
    space = TableSpace(make_table(genes=5))
    rows = random.Random(0).sample(space.table.rows, 24)
    strategy = made(name, space)

    def proposed(good):
        """Of 20 proposals, how many have each value of the gene, if one value of it is good and the others are not."""
        history = [trial(n, row, 0.9 if row.genes["g1"] == good else 0.2) for n, row in enumerate(rows)]
        found = [propose(strategy, history, seed).genes["g1"] for seed in range(20)]
        return {value: found.count(value) for value in "abc"}

    first, last = proposed("a"), proposed("c")
    assert first["a"] - last["a"] + last["c"] - first["c"] >= 5
