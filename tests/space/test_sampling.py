"""Sampling: always inside the budget, without waste, spread over sizes, reproducible."""

import math
import random

import pytest

from nas.architecture import Budget, BudgetError
from nas.space import SearchSpace, parse_definition
from nas.space.share import share
from tests.space.conftest import SHAPES, made

RARE = Budget(max_parameters=1_000)


def test_a_thousand_different_networks_under_a_budget_that_one_in_a_million_meets(mixed):
    assert share(mixed.decisions, RARE).value < 1e-6
    found = list(mixed.sample_distinct(1_000, random.Random(0), RARE))
    assert len({network.id for network in found}) == len(found) == 1_000
    assert all(RARE.admits(network.count) for network in found)


def test_uniformly_drawn_paths_almost_never_meet_that_budget(mixed):
    """The share is not only a claim of our own arithmetic: a sampler without a budget is watched failing."""
    from nas.space.counting import count_paths

    paths, rng = count_paths(mixed.decisions), random.Random(1)
    smallest = math.inf
    for _ in range(3_000):
        state, parameters = mixed.decisions.start, 0
        while not mixed.decisions.is_end(state):
            steps = list(mixed.decisions.steps(state))
            step = rng.choices(steps, [paths.get(step.to, 1) for step in steps])[0]
            parameters, state = parameters + step.parameters, step.to
        smallest = min(smallest, parameters)
    assert smallest > RARE.max_parameters


def test_even_a_budget_that_only_the_smallest_network_meets(mixed):
    budget = Budget(max_parameters=mixed.fewest_parameters)
    assert mixed.sample(random.Random(0), budget).count.parameters == mixed.fewest_parameters
    assert mixed.share(budget).value < 1e-8


@pytest.mark.parametrize(
    ("budget", "sentence"),
    [
        (
            Budget(max_parameters=193),
            r"^no architecture of the space 'mixed' has at most 193 parameters: the smallest has 194; raise the "
            r"budget, or offer fewer filters in the space$",
        ),
        (Budget(max_macs=10), r"^no architecture of the space 'mixed' has at most 10 MACs: the smallest has [0-9,]+; "),
        (Budget(max_activation_bytes=9), r"has at most 9 activation bytes: the smallest has [0-9,]+; raise the budget"),
        (
            Budget(min_parameters=10**7),
            r"^no architecture of the space 'mixed' has at least 10,000,000 parameters: the largest has 597,154; lower "
            r"min_parameters, or offer more filters in the space$",
        ),
    ],
)
def test_an_impossible_budget_ends_at_once_and_says_what_is_possible(mixed, budget, sentence):
    rng = random.Random(0)
    before = rng.getstate()
    for ask in (mixed.check, lambda b: mixed.sample(rng, b), lambda b: mixed.sample_distinct(5, rng, b)):
        with pytest.raises(BudgetError, match=sentence):
            ask(budget)
    with pytest.raises(BudgetError, match=sentence):
        mixed.architectures(budget)
    assert rng.getstate() == before


def test_limits_that_can_be_met_alone_but_not_together_end_with_a_sentence():
    # Few parameters only behind a pooled map, where there are few multiply-adds; many only on the whole map.
    space = SearchSpace(
        parse_definition(
            """
            stages:
              - filters: 8
                choose:
                  - conv: {normalization: none}
                  - bottleneck: {squeeze: 32, kernel: 1, normalization: none}
                  - pool: {size: 8}
            head: flatten
            """
        ),
        input_shape=(16, 16, 4),
        classes=2,
    )
    every = list(space.architectures())
    fewest_macs = min(network.count.macs for network in every)
    most = max(network.count.parameters for network in every)
    budget = Budget(max_macs=fewest_macs, min_parameters=most)
    with pytest.raises(BudgetError, match="found in 200 attempts: each limit can be met, together they hardly can"):
        space.sample(random.Random(0), budget)
    assert list(space.architectures(budget)) == []


def test_no_sample_leaves_any_limit(mixed):
    rng = random.Random(3)
    smallest = mixed.sample(rng, quantile=0)
    for budget in (
        Budget(max_parameters=5_000),
        Budget(max_parameters=20_000, min_parameters=15_000),
        Budget(min_parameters=400_000),
        Budget(max_macs=100_000),
        Budget(max_activation_bytes=4_000),
        Budget(max_parameters=20_000, max_macs=200_000, max_activation_bytes=8_000),
        Budget(max_parameters=smallest.count.parameters + 1),
        Budget(max_flash_bytes=12_000, max_ram_bytes=8_000),
    ):
        for _ in range(60):
            network = mixed.sample(rng, budget)
            assert budget.may_admit(network), budget.excess(network.count)
            assert budget.may_admit(mixed.mutate(network, rng, budget))


def test_where_no_network_is_predicted_inside_the_nearest_is_measured(mixed):
    """A prediction never ends a search; there are smaller files than with so many parameters."""
    budget = Budget(min_parameters=2_000, max_flash_bytes=3_000)
    found = mixed.sample(random.Random(1), budget)
    assert budget.admits(found.count)
    assert budget.overrun(found) > 1.03
    samples = [mixed.sample(random.Random(seed), Budget(min_parameters=2_000)) for seed in range(40)]
    assert budget.overrun(found) <= min(map(budget.overrun, samples))


@pytest.mark.parametrize("limit", [20_011, 100_003, 1_000_003])
def test_large_budgets_are_kept_although_large_sums_are_known_roughly(limit):
    space, budget, rng = made("mixed", (28, 28, 1)), Budget(max_parameters=limit), random.Random(11)
    found = [space.sample(rng, budget, quantile=1).count.parameters for _ in range(100)]
    assert max(found) <= limit
    assert min(found) > limit / 1.25


def test_samples_are_spread_over_log_parameters_wherever_the_space_has_networks(space):
    low = space.fewest_parameters
    # A budget of another size for each input, so that the scales of sums are all met.
    limit = {8: 5_000, 28: 20_000, 32: 100_000, 37: 10**9}[space.input_shape[0]]
    limit = min(max(limit, 2 * low), space.most_parameters)
    budget, rng, samples, strata = Budget(max_parameters=limit), random.Random(5), 640, 8
    counts = [0] * strata
    for _ in range(samples):
        position = math.log(space.sample(rng, budget).count.parameters / low) / math.log(limit / low)
        counts[min(int(position * strata), strata - 1)] += 1
    edges = [low * (limit / low) ** (index / strata) for index in range(strata + 1)]
    poor = [index for index, count in enumerate(counts) if count < samples / strata / 2]
    for index in poor:
        inside = Budget(min_parameters=math.ceil(edges[index]), max_parameters=int(edges[index + 1]))
        assert space.share(inside).value == 0, (counts, index)


def test_a_plain_walk_is_heaped_at_the_top():
    """What the spread is for: without it nine of ten samples would be in the upper half of the sizes."""
    space = made("inception", (28, 28, 1))
    upper = Budget(min_parameters=10_000)

    def walk(state):
        """A group, then a step of it, each with equal chance."""
        groups = space.decisions.groups(state)
        sizes = {group[0].step.group: len(group) for group in groups}
        return [1 / len(groups) / sizes[step.group] for step in space.decisions.steps(state)]

    assert share(space.decisions, upper, walk).value > 0.5
    rng = random.Random(0)
    assert sum(space.sample(rng).count.parameters >= 10_000 for _ in range(200)) < 120


@pytest.mark.parametrize("quantile", [0.0, 0.25, 0.5, 0.75, 1.0])
def test_a_quantile_is_the_place_in_the_logarithmic_range(mixed, quantile):
    budget, rng = Budget(max_parameters=20_000), random.Random(2)
    target = math.exp(math.log(194) + quantile * (math.log(20_000) - math.log(194)))
    for _ in range(20):
        assert target / 1.15 <= mixed.sample(rng, budget, quantile=quantile).count.parameters <= math.ceil(target)


def test_sampling_is_reproducible_by_seed_and_trials_do_not_depend_on_each_other(mixed):
    budget = Budget(max_parameters=20_000)
    one = [mixed.sample(random.Random(f"0/{trial}"), budget).id for trial in range(20)]
    other = [mixed.sample(random.Random(f"0/{trial}"), budget).id for trial in reversed(range(20))]
    assert one == other[::-1]
    assert len(set(one)) > 15
    fresh = SearchSpace(mixed.definition, input_shape=(8, 8, 1), classes=10)
    assert [fresh.sample(random.Random(f"0/{trial}"), budget).id for trial in range(20)] == one


def test_distinct_networks_are_distinct_by_id_and_end_when_there_are_no_more():
    space = SearchSpace(
        parse_definition(
            """
            stages:
              - {repeat: [1, 2], filters: [2, 3], choose: [conv: {kernel: [1, 3, 5], stacked: [false, true]}]}
            head: global_pool
            """
        ),
        input_shape=(6, 6, 1),
        classes=2,
    )
    found = list(space.sample_distinct(10_000, random.Random(0)))
    assert len(found) == len({network.id for network in found}) == space.size().architectures
    assert {network.id for network in found} == {network.id for network in space.architectures()}
    assert len(list(space.sample_distinct(7, random.Random(0)))) == 7


def test_listing_is_every_architecture_inside_the_budget_and_nothing_else():
    space = made("tiny", (8, 8, 1))
    budget = Budget(max_parameters=120, min_parameters=90, max_macs=4_000)
    listed = list(space.architectures(budget))
    everything = [
        network for network in space.architectures(Budget(max_parameters=120)) if budget.admits(network.count)
    ]
    assert [network.id for network in listed] == [network.id for network in everything]
    assert len(listed) > 20


def test_very_long_networks_need_no_recursion():
    space = SearchSpace(
        parse_definition("stages: [{repeat: [1, 1000], filters: 2, choose: conv}]\nhead: global_pool"),
        input_shape=(4, 4, 1),
        classes=2,
    )
    assert space.size().architectures == 2
    assert sorted(len(network.blocks) for network in space.architectures()) == [2, 1_001]
    assert space.most_parameters == (18 + 8) + 999 * (36 + 8) + 6
    assert space.share(Budget(max_parameters=1_000)).value == 0.5


def test_shapes_of_the_test_are_those_of_the_spaces():
    assert any(height % 2 and width % 2 and height != width for height, width, _ in SHAPES)
