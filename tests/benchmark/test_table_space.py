"""A table as a search space."""

import random

import pytest

from nas.architecture import Budget, BudgetError
from nas.benchmark import TableError, TableSpace, parse_table
from nas.benchmark.table import Row, Table
from nas.objectives import MACS, PARAMETERS

TABLE = """kind,kernel,width,parameters,accuracy
conv,3,8,1000,0.8
conv,5,8,2000,0.85
conv,3,16,4000,0.9
pool,,8,100,0.5
pool,,16,120,0.55
"""


@pytest.fixture
def space():
    return TableSpace(parse_table(TABLE, "small"))


def numbers(rows):
    return {row.number for row in rows}


def many(make):
    return numbers(make(random.Random(seed)) for seed in range(40))


def test_samples_are_near_the_quantile_of_the_log_parameters(space):
    for quantile, wanted in [(0.0, {3}), (0.05, {4}), (0.6, {0}), (0.8, {1}), (1.0, {2})]:
        assert many(lambda rng, q=quantile: space.sample(rng, quantile=q)) == wanted


def test_the_budget_holds_everywhere(space):
    budget = Budget(max_parameters=1_500, min_parameters=110)
    rows = space.table.rows
    assert numbers(space.architectures(budget)) == {0, 4}
    assert many(lambda rng: space.sample(rng, budget)) == {0, 4}
    assert many(lambda rng: space.mutate(rows[2], rng, budget)) == {0}
    assert many(lambda rng: space.cross(rows[1], rows[2], rng, budget)) == {0, 4}


def test_a_mutation_is_a_row_with_the_fewest_changes(space):
    rows = space.table.rows
    # Another kernel or width is one change; a pooling row is two: its kind, and that it has no kernel.
    assert many(lambda rng: space.mutate(rows[0], rng)) == {1, 2}
    assert many(lambda rng: space.mutate(rows[3], rng)) == {4}


def test_a_mutation_in_a_complete_table_changes_one_gene():
    text = "a,b,parameters,accuracy\n" + "".join(f"{a},{b},{10 + a * 3 + b},0.5\n" for a in range(3) for b in range(3))
    space = TableSpace(parse_table(text, "complete"))
    assert many(lambda rng: space.mutate(space.table.rows[0], rng)) == {1, 2, 3, 6}
    assert many(lambda rng: space.mutate(space.table.rows[0], rng, Budget(max_parameters=12))) == {1, 2}


def test_a_cross_is_the_row_nearest_to_the_mixture(space):
    rows = space.table.rows
    assert many(lambda rng: space.cross(rows[1], rows[2], rng)) >= {0, 1, 2}
    assert many(lambda rng: space.cross(rows[3], rows[3], rng)) == {3}


def test_genes_list_values_and_absence(space):
    assert space.genes() == {"kind": ("conv", "pool"), "kernel": ("", "3", "5"), "width": ("16", "8")}
    assert space.encode(space.table.rows[3]) == {"kind": "pool", "width": "8"}
    assert space.build({"kind": "pool", "width": "16"}, random.Random(0)).number == 4


def test_limits_are_known(space):
    assert space.counts(PARAMETERS) == (100, 4000)
    assert TableSpace(parse_table("g,parameters,macs,accuracy\na,9,5,0.5\nb,8,6,0.5\n", "two")).counts(MACS) == (5, 6)
    with pytest.raises(BudgetError, match="no row of the table 'small' is inside at most 50 parameters: they have 100"):
        space.check(Budget(max_parameters=50))


def test_a_table_of_one_row_gives_it_again():
    space = TableSpace(parse_table("g,parameters,accuracy\na,1,0.5\n", "one"))
    only = space.table.rows[0]
    assert space.mutate(only, random.Random(0)) is space.sample(random.Random(0)) is only
    assert space.counts(PARAMETERS) == (1, 1)


def test_rows_with_equal_genes_are_refused():
    rows = tuple(Row(number=n, genes={"g": "a"}, parameters=1, score=0.5, observations=(0.5,)) for n in range(2))
    with pytest.raises(TableError, match="the table 't' has the same genes in rows 1 and 2; keep one row a network"):
        Table(name="t", rows=rows)
