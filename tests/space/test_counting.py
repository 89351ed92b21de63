"""The size of a space and the share inside a budget, against brute force."""

import itertools
from collections import Counter

import pytest

from nas.architecture import Budget
from nas.space import SearchSpace, counting, parse_definition
from nas.space.counting import count_architectures, count_paths
from nas.space.share import share
from tests.space.conftest import made


def small(text, shape=(6, 6, 4)):
    return SearchSpace(parse_definition(text), input_shape=shape, classes=2)


SMALL = {
    "maps that go to the head or not": small(
        """
        defaults: {kernel: 1, activation: linear, normalization: none}
        stages:
          - {repeat: [0, 1], filters: [2, 3], skip: [false, true], choose: conv}
          - {repeat: [1, 2], filters: 2, downsample: [none, max_pool], skip: [true, false], choose: conv}
          - {skip: true, choose: pool}
        head: {fcn: {units: [[], 2]}}
        """
    ),
    "one network": small("head: flatten"),
    "a plain choice": small("stages: [{choose: [conv: {filters: [1, 2, 3]}], repeat: [1, 2]}]\nhead: global_pool"),
    "stacked or two blocks": small(
        """
        stages: [{repeat: [1, 2, 3], filters: [2, 3], choose: [conv: {kernel: [3, 5], stacked: [false, true]}]}]
        head: global_pool
        """
    ),
    "pooling by stage or by block": small(
        """
        stages:
          - {repeat: [0, 1, 2], downsample: [none, max_pool], choose: [pool, conv: {filters: 2}]}
          - {repeat: [0, 1], downsample: [none, max_pool, average_pool], choose: [conv: {filters: 2}]}
        head: [global_pool, flatten]
        """
    ),
    "a bottleneck or its three convolutions": small(
        """
        stages:
          - repeat: [1, 2, 3, 4]
            filters: [2, 4]
            choose:
              - bottleneck: {squeeze: [1/2, 2]}
              - conv: {kernel: [1, 3]}
        head: global_pool
        """
    ),
    "valid is same where no zeros are needed": small(
        """
        stages:
          - repeat: [1, 2]
            choose:
              - conv: {filters: 3, kernel: [1, 2, 3], stride: [1, 2], padding: [same, valid]}
              - pool: {size: [1, 2], stride: [1, 2], padding: [same, valid], pool: [max, average]}
        head: [{global_pool: {pool: [average, max]}}, flatten]
        """
    ),
    "blocks that begin with what others end with": small(
        """
        stages:
          - repeat: [1, 2]
            filters: 2
            choose:
              - conv: {normalization: [none, batch], bias: false, activation: [linear, relu]}
              - activation: {normalization: [none, batch], activation: [linear, relu]}
              - dense_block: {growth: 1, layers: 1, transition: false}
        head: global_pool
        """
    ),
    "branches of one are chains": small(
        """
        stages:
          - repeat: [1, 2]
            filters: 2
            choose:
              - inception: {branch1x1: [0, 2], branch3x3: [0, 2], reduce3x3: [0, 1], branch5x5: 0, branch_pool: [0, 1]}
              - conv: {filters: [1, 2], kernel: [1, 3]}
              - residual: {form: [basic, bottleneck], squeeze: [1, 2], convolutions: [1, 2]}
        head: global_pool
        """
    ),
    "a stage's sequence": small(
        """
        stem: [conv: {filters: [2, 3]}, [pool, conv: {filters: 2, stride: 2}]]
        stages:
          - {repeat: [0, 2], filters: [2, 3], downsample: [none, stride], sequence: [conv, [conv, pool]]}
        head: [global_pool, spp]
        """
    ),
}


@pytest.mark.parametrize("what", SMALL)
def test_size_is_the_number_of_different_networks(what):
    listed = list(SMALL[what].architectures())
    size = SMALL[what].size()
    assert size.exact
    assert size.architectures == len({network.id for network in listed})
    assert count_paths(SMALL[what].decisions)[SMALL[what].decisions.start] == len(listed)


def test_the_small_spaces_do_have_networks_with_several_spellings():
    spelled_twice = [
        what for what, space in SMALL.items() if len(list(space.architectures())) > space.size().architectures
    ]
    assert len(spelled_twice) >= 5


def test_shipped_sizes_are_exact(space):
    size = space.size()
    assert size.exact
    paths = count_paths(space.decisions)[space.decisions.start]
    assert paths / 3 < size.architectures <= paths
    assert str(size).endswith(" (exact)")


def test_a_size_that_is_given_up_says_that_it_is_an_estimate_and_is_no_smaller(monkeypatch, mixed):
    exact = mixed.size().architectures
    monkeypatch.setattr(counting, "LIMIT", 1_000)
    size = count_architectures(mixed.decisions)
    assert not size.exact
    assert size.architectures >= exact
    assert str(size).startswith("at most 1.34e+11 (estimate: networks that can be spelled twice count twice)")


BUDGETS = [
    Budget(),
    Budget(max_parameters=80),
    Budget(max_parameters=150),
    Budget(min_parameters=100),
    Budget(min_parameters=60, max_parameters=120),
    Budget(min_parameters=10**6),
    Budget(max_activation_bytes=1_200),
    Budget(max_activation_bytes=1_200, max_parameters=120, min_parameters=40),
]


@pytest.mark.parametrize("budget", BUDGETS, ids=str)
@pytest.mark.parametrize("what", SMALL)
def test_share_is_the_share_of_all_paths(what, budget):
    listed = list(SMALL[what].architectures())
    expected = sum(budget.admits(network.count) for network in listed) / len(listed)
    found = SMALL[what].share(budget)
    assert found.exact
    assert found.value == pytest.approx(expected, abs=1e-12)


def brute_force_histogram(space):
    """How many paths have each parameter count, with Python's whole numbers."""
    histograms = {}
    for state in space.decisions.states():
        total = Counter()
        for step in space.decisions.steps(state):
            for parameters, ways in histograms.get(step.to, {0: 1}).items():
                total[parameters + step.parameters] += ways
        histograms[state] = total
    return histograms[space.decisions.start]


def test_share_of_a_real_space_is_exact_at_every_size():
    space = made("tiny", (8, 8, 1))
    histogram = brute_force_histogram(space)
    for limit in (70, 75, 100, 300, 1_000, 5_000, 16_000):
        inside = sum(ways for parameters, ways in histogram.items() if parameters <= limit)
        found = space.share(Budget(max_parameters=limit))
        assert found.exact
        assert found.value == pytest.approx(inside / sum(histogram.values()), rel=1e-9)


def test_an_estimate_says_so_and_is_close(monkeypatch):
    from nas.space import share as module

    space = made("tiny", (28, 28, 1))
    exact = {limit: space.share(Budget(max_parameters=limit)).value for limit in (500, 2_000, 10_000, 60_000)}
    monkeypatch.setattr(module, "CELLS", 1)
    monkeypatch.setattr(module, "FEWEST_BINS", 256)
    for limit, value in exact.items():
        found = space.share(Budget(max_parameters=limit))
        assert not found.exact
        assert found.value == pytest.approx(value, rel=0.02)
        assert str(found).endswith("(estimate)")


def test_shares_of_one_in_a_billion_are_seen_from_both_ends(mixed):
    smallest = mixed.share(Budget(max_parameters=mixed.fewest_parameters))
    largest = mixed.share(Budget(min_parameters=mixed.most_parameters))
    for found in (smallest, largest):
        assert found.exact
        assert 0 < found.value < 1e-8
    assert str(smallest).startswith("1 in ")


def test_disjoint_shares_add_up_to_one(mixed):
    edges = [0, 500, 3_000, 9_000, 20_000, 10**9]
    budgets = [Budget(min_parameters=low + 1, max_parameters=high) for low, high in itertools.pairwise(edges)]
    assert sum(mixed.share(budget).value for budget in budgets) == pytest.approx(1, abs=1e-3)


def test_a_limit_on_macs_is_left_out_and_the_share_says_so(mixed):
    found = mixed.share(Budget(max_parameters=20_000, max_macs=1_000_000))
    assert found.without_macs
    assert found.value == mixed.share(Budget(max_parameters=20_000)).value
    assert str(found).endswith("% (upper bound; the limit on MACs is ignored)")


def test_words_of_a_share(mixed):
    assert str(mixed.share(Budget())) == "100.000% (exact)"
    assert str(mixed.share(Budget(max_parameters=20_000))) == "29.286% (exact)"
    assert str(share(mixed.decisions, Budget(max_parameters=5))) == "0.000% (exact)"
