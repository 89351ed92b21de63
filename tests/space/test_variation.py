"""Children of architectures stay inside the space and the budget, and resemble their parents."""

import random
from itertools import pairwise
from statistics import fmean

import pytest

from nas.architecture import Architecture, Budget
from nas.space import SearchSpace, parse_definition

BUDGETS = [
    Budget(),
    Budget(max_parameters=20_000),
    Budget(max_parameters=20_000, min_parameters=5_000),
    Budget(max_parameters=20_000, max_macs=300_000, max_activation_bytes=8_000),
]


def differences(first, second):
    return sum(first.get(name) != second.get(name) for name in {*first, *second})


@pytest.mark.parametrize("budget", BUDGETS, ids=str)
def test_children_are_inside_and_can_be_built(mixed, budget):
    rng = random.Random(0)
    parents = [mixed.sample(rng, budget) for _ in range(40)]
    children = [mixed.mutate(parent, rng, budget) for parent in parents]
    children += [mixed.cross(first, second, rng, budget) for first, second in pairwise(parents)]
    for child in children:
        assert budget.admits(child.count)
        # What a block checks when it is made has been kept to, and the space knows the path.
        assert Architecture.from_json(child.to_json()).id == child.id
        assert mixed.encode(child)


def test_a_parent_outside_the_budget_has_children_inside(mixed):
    rng, budget = random.Random(0), Budget(max_parameters=3_000)
    parents = [mixed.sample(rng, quantile=0.9) for _ in range(20)]
    assert not any(budget.admits(parent.count) for parent in parents)
    assert all(budget.admits(mixed.cross(*parents[i : i + 2], rng, budget).count) for i in range(19))
    assert all(budget.admits(mixed.mutate(parent, rng, budget).count) for parent in parents)


def test_a_mutation_changes_little(mixed):
    rng = random.Random(0)
    parents = [mixed.sample(rng) for _ in range(80)]
    children = [mixed.mutate(parent, rng) for parent in parents]
    assert fmean(child.id != parent.id for child, parent in zip(children, parents, strict=True)) > 0.95
    to_child = fmean(differences(mixed.encode(c), mixed.encode(p)) for c, p in zip(children, parents, strict=True))
    to_other = fmean(differences(mixed.encode(c), mixed.encode(p)) for c, p in zip(parents[1:], parents, strict=False))
    assert to_child < 0.4 * to_other


def test_a_mutation_changes_one_decision_of_those_that_are_made_at_once():
    text = """
input: 8x8x1
classes: 2
stages:
  - {repeat: [1, 2], filters: [4, 8, 12], downsample: [none, max_pool], choose: {conv: {kernel: [1, 3]}}}
head: global_pool
"""
    space = SearchSpace(parse_definition(text))
    rng = random.Random(0)
    parent = space.sample(rng)
    before, found = space.encode(parent), set()
    for _ in range(100):
        after = space.encode(space.mutate(parent, rng))
        changed = [name for name in before.keys() & after.keys() if before[name] != after[name]]
        assert len(changed) == 1
        # A pass through the stage has a name by how many are left: one more brings decisions of its own.
        assert before.keys() == after.keys() or changed == ["stage1.repeat"]
        found.add((changed[0], after[changed[0]]))
    values = space.genes()
    assert found == {(name, value) for name, was in before.items() for value in values[name] if value not in (was, "")}


def test_later_decisions_are_kept_when_an_early_one_changes():
    text = """
input: 8x8x1
classes: 2
stages:
  - {filters: [4, 8], choose: {conv: {kernel: [1, 3, 5]}}}
  - {filters: [4, 8], choose: {bottleneck: {squeeze: [1/4, 1/2], kernel: [3, 5]}}}
head: global_pool
"""
    space = SearchSpace(parse_definition(text))
    rng = random.Random(0)
    parent = space.sample(rng)
    for _ in range(30):
        assert differences(space.encode(space.mutate(parent, rng)), space.encode(parent)) <= 2


def test_a_cross_takes_every_decision_from_a_parent_where_all_fit():
    text = """
input: 8x8x1
classes: 2
stages:
  - {filters: 4, repeat: 4, choose: {conv: {kernel: [1, 3, 5]}}}
head: {global_pool: {pool: [average, max]}}
"""
    space = SearchSpace(parse_definition(text))
    rng = random.Random(3)
    seen = set()
    for _ in range(40):
        first, second = space.sample(rng), space.sample(rng)
        child = space.cross(first, second, rng)
        one, other, genes = (space.encode(each) for each in (first, second, child))
        assert all(value in (one[name], other[name]) for name, value in genes.items())
        seen.add(child.id in (first.id, second.id))
    assert False in seen


def test_a_space_of_one_architecture_gives_it_again():
    space = SearchSpace(parse_definition("input: 8x8x1\nclasses: 2\nhead: global_pool\n"))
    only = space.sample(random.Random(0))
    assert space.mutate(only, random.Random(0)).id == space.cross(only, only, random.Random(0)).id == only.id


def test_the_same_random_numbers_give_the_same_child(mixed):
    first, second = mixed.sample(random.Random(0)), mixed.sample(random.Random(1))
    assert mixed.mutate(first, random.Random(5)).id == mixed.mutate(first, random.Random(5)).id
    assert mixed.cross(first, second, random.Random(5)).id == mixed.cross(first, second, random.Random(5)).id


def test_wishes_that_do_not_exist_are_ignored(mixed):
    built = mixed.build({"stage1.repeat": "2", "stage9.kind": "none", "stem.1.0.conv.filters": "999"}, random.Random(0))
    assert mixed.encode(built)["stage1.repeat"] == "2"
