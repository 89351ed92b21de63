"""A search that begins with given networks."""

import random

import pytest

from nas.architecture import Budget
from nas.objectives import PARAMETERS
from nas.space import load_space
from nas.strategies import History
from nas.strategies.starting import Known, StartingWith, recommended
from tests.strategies.examples import decisions_space, made, trial, wanted

BUDGET = Budget(max_parameters=200)


@pytest.fixture(scope="module")
def space():
    return decisions_space()


def some(space, count, seed=0, budget=BUDGET):
    return list(space.sample_distinct(count, random.Random(seed), budget))


def test_given_networks_come_first_in_their_order_and_none_twice(space):
    first = some(space, 3)
    strategy = StartingWith(made("random", space, BUDGET), first)
    trials = []
    for number in range(5):
        found = strategy.propose(History.of(trials), random.Random(number))
        trials.append(trial(number, found, 0.5))
    assert [each.architecture for each in trials[:3]] == first
    assert len({each.architecture.id for each in trials}) == 5
    # Behind them the strategy goes on as it would have.
    alone = made("random", space, BUDGET).propose(History.of(trials[:4]), random.Random(4))
    assert trials[4].architecture == alone


def test_a_given_network_outside_the_budget_is_passed_over(space):
    large = max(some(space, 50, budget=Budget()), key=lambda found: found.count.parameters)
    assert not BUDGET.admits(large.count)
    strategy = StartingWith(made("random", space, BUDGET), [large])
    assert strategy.propose(History.of([]), random.Random(0)) != large


def test_a_strategy_is_not_told_of_networks_that_are_not_of_its_space(space):
    from nas.architecture import Architecture
    from nas.architecture.blocks import Conv, GlobalPoolHead

    foreign = Architecture(input_shape=(8, 8, 1), blocks=(Conv(filters=3, kernel=5), GlobalPoolHead(classes=3)))
    strategy = StartingWith(made("ehvi", space, BUDGET), [foreign], [foreign.id])
    assert strategy.propose(History.of([]), random.Random(0)) == foreign
    own = [trial(number + 1, found, 0.4 + 0.01 * number) for number, found in enumerate(some(space, 12))]
    found = strategy.propose(History.of([trial(0, foreign, 0.9), *own]), random.Random(0))
    assert found == made("ehvi", space, BUDGET).propose(History.of(own), random.Random(0))
    gain = strategy.expected_gain(History.of([trial(0, foreign, 0.9), *own]), random.Random(0))
    assert gain == made("ehvi", space, BUDGET).expected_gain(History.of(own), random.Random(0)) > 0


def test_earlier_searches_choose_of_each_size_what_was_good_there(space):
    """In the earlier search one decision decided everything: the head's pooling."""
    networks = some(space, 60, seed=3)
    genes = [space.encode(found) for found in networks]
    gene = "head.1.0.global_pool.pool"
    earlier = Known(wanted(space), genes, [0.9 if each[gene] == "max" else 0.5 for each in genes])
    strategy = made("random", space, BUDGET)

    chosen = recommended(strategy, [earlier], 8, random.Random(0))
    assert len({found.id for found in chosen}) == len(chosen) == 8
    # Of the smallest size there are two networks, and no other is proposed there.
    assert [space.encode(found)[gene] for found in chosen].count("max") >= 7
    sizes = sorted(found.count.parameters for found in chosen)
    low, high = strategy.objectives.interest[PARAMETERS]
    assert sizes[0] < (low * high) ** 0.5 < sizes[-1] <= 200

    # Scores are compared within a search only: a better one says nothing about its networks.
    other = Known(wanted(space), genes, [0.99 if each[gene] == "average" else 0.98 for each in genes])
    mixed = recommended(strategy, [earlier, earlier, other], 8, random.Random(0))
    assert [space.encode(found)[gene] for found in mixed].count("max") >= 7


def test_it_climbs_to_networks_that_a_draw_hardly_finds(monkeypatch):
    """Every gene that agrees with those of one network counts; of 40 draws none has many."""
    space, budget = load_space("tiny"), Budget(max_parameters=2_000)
    networks = some(space, 150, budget=budget)
    best = space.encode(max(networks, key=lambda found: found.count.parameters))

    def score(found):
        genes = space.encode(found)
        return sum(genes.get(name, "") == value for name, value in best.items()) / len(best)

    known = Known(wanted(space), [space.encode(found) for found in networks], [score(found) for found in networks])
    strategy = made("random", space, budget)
    climbed = recommended(strategy, [known], 4, random.Random(0))
    assert all(budget.admits(found.count) for found in climbed)
    monkeypatch.setattr("nas.strategies.starting.ROUNDS", 0)
    drawn = recommended(strategy, [known], 4, random.Random(0))
    assert sum(map(score, climbed)) > sum(map(score, drawn)) + 0.3
