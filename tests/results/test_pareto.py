from __future__ import annotations

import math
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nas.errors import NasError
from nas.objectives import MACS, PARAMETERS
from nas.results.pareto import ParetoFront, hypervolume, pareto_rank


@dataclass(frozen=True)
class Trial:
    number: int
    parameters: int
    score: float
    macs: int = 0
    completed: bool = True

    def cost(self, cost):
        return getattr(self, cost.name)


def trials(*pairs):
    return [Trial(number, parameters, score) for number, (parameters, score) in enumerate(pairs)]


# Few different values, so that ties in one or both objectives are common.
random_trials = st.lists(
    st.tuples(
        st.integers(1, 12),
        st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0, math.nan]),
        st.integers(0, 2),
        st.booleans(),
    ),
    max_size=25,
).map(lambda rows: [Trial(n, 10 * p, a, m, c) for n, (p, a, m, c) in enumerate(rows)])


def beats(a, b):
    """The definition, with the tie rule: a makes b unnecessary."""
    key_a, key_b = (a.parameters, -a.score), (b.parameters, -b.score)
    if key_a == key_b:
        return (a.macs, a.number) < (b.macs, b.number)
    return key_a[0] <= key_b[0] and key_a[1] <= key_b[1]


def peel(records, beats=beats):
    left = [r for r in records if r.completed and not math.isnan(r.score)]
    ranks, rank = {}, 0
    while left:
        layer = [r for r in left if not any(beats(other, r) for other in left)]
        ranks |= {r.number: rank for r in layer}
        left = [r for r in left if r not in layer]
        rank += 1
    return ranks


@given(random_trials)
def test_ranks_are_the_definition_peeled(records):
    assert pareto_rank(records) == peel(records)


@given(random_trials, st.randoms())
def test_front_is_rank_zero_in_order_whatever_the_input_order(records, rng):
    front = ParetoFront.of(records)
    shuffled = list(records)
    rng.shuffle(shuffled)
    assert ParetoFront.of(shuffled) == front
    assert {p.number for p in front} == {n for n, rank in peel(records).items() if rank == 0}
    for left, right in zip(front.points, front.points[1:], strict=False):
        assert left.parameters < right.parameters
        assert left.score < right.score


COSTS = (PARAMETERS, MACS)


def beats_in_both(a, b):
    """The definition with two costs: at least as good in everything; of equals the earlier one."""
    if (a.parameters, a.macs, a.score) == (b.parameters, b.macs, b.score):
        return a.number < b.number
    return a.parameters <= b.parameters and a.macs <= b.macs and a.score >= b.score


@given(random_trials)
def test_ranks_with_two_costs_are_the_definition_peeled(records):
    ranks = peel(records, beats_in_both)
    assert pareto_rank(records, COSTS) == ranks
    front = ParetoFront.of(records, COSTS)
    assert {p.number for p in front} == {n for n, rank in ranks.items() if rank == 0}
    assert [p.parameters for p in front] == sorted(p.parameters for p in front)


@given(random_trials)
def test_adding_one_by_one_is_the_front_of_all(records):
    front = ParetoFront(costs=COSTS)
    for record in records:
        front = front.adding(record)
    assert front == ParetoFront.of(records, COSTS)


def test_hypervolume_with_two_costs_by_hand():
    limits = {PARAMETERS: (1, 100), MACS: (1, 100)}
    small, fast = Trial(0, 1, 0.5, macs=10), Trial(1, 10, 0.8, macs=1)
    # Shares of the box's sides: `small` from (0, 1/2) on, `fast` from (1/2, 0) on; they share a quarter.
    assert hypervolume([small], limits) == pytest.approx(1 * 0.5 * 0.5)
    assert hypervolume([small, fast], limits) == pytest.approx(0.5 * 1 * 0.8 + 0.5 * 0.5 * 0.5)
    # A cost of which every network has the same is no axis.
    assert hypervolume([small], limits | {MACS: (10, 10)}) == pytest.approx(0.5)


@given(random_trials)
def test_hypervolume_with_a_constant_cost_is_the_one_without_it(records):
    plain = {PARAMETERS: (10, 120)}
    same = [Trial(r.number, r.parameters, r.score, 1, r.completed) for r in records]
    assert hypervolume(same, plain | {MACS: (1, 100)}) == pytest.approx(hypervolume(same, plain))


@given(random_trials)
def test_hypervolume_is_the_area_by_summing_thin_strips(records):
    smallest, largest = 20, 100
    done = [r for r in records if r.completed and not math.isnan(r.score)]
    # The best score changes only at multiples of 10 parameters: these strips are exact.
    sizes = range(smallest, largest, 10)
    strips = sum(
        math.log10((size + 10) / size) * max((r.score for r in done if r.parameters <= size), default=0.0)
        for size in sizes
    )
    assert hypervolume(records, {PARAMETERS: (smallest, largest)}) == pytest.approx(strips / math.log10(5))


@given(random_trials, st.integers(1, 12), st.floats(0, 1))
def test_hypervolume_never_falls_when_a_trial_is_added(records, size, score):
    before = hypervolume(records, {PARAMETERS: (10, 120)})
    after = hypervolume([*records, Trial(99, 10 * size, score)], {PARAMETERS: (10, 120)})
    assert 0 <= before <= after + 1e-12
    assert after <= 1 + 1e-12


def test_front_by_hand():
    a, b, c, d, e = records = trials((100, 0.5), (200, 0.5), (200, 0.8), (1000, 0.7), (5000, 0.9))
    front = ParetoFront.of(records)
    assert front.points == (a, c, e)
    assert len(front) == 3
    # Peeled: without a, c and e, the least accurate b and the larger, more accurate d do not beat each other.
    assert pareto_rank(records) == {a.number: 0, b.number: 1, c.number: 0, d.number: 1, e.number: 0}


def test_ties_go_to_fewer_macs_then_to_the_earlier_trial():
    slow = Trial(0, 100, 0.5, macs=9)
    fast, later = Trial(1, 100, 0.5, macs=3), Trial(2, 100, 0.5, macs=3)
    assert ParetoFront.of([slow, later, fast]).points == (fast,)
    assert pareto_rank([slow, later, fast]) == {1: 0, 2: 1, 0: 2}


def test_failed_trials_are_never_asked_for_a_score():
    class Failed:
        number, completed, parameters, macs = 7, False, 10, 10

        @property
        def score(self):
            raise KeyError("val_score")

    assert len(ParetoFront.of([Failed()])) == 0
    assert hypervolume([Failed()], {PARAMETERS: (1, 100)}) == 0.0


def test_hypervolume_by_hand():
    # 1k..100k is two decades. 0.5 from 1k to 10k, then 0.9 from 10k to 100k: (0.5 + 0.9) / 2.
    assert hypervolume(trials((1_000, 0.5), (10_000, 0.9)), {PARAMETERS: (1_000, 100_000)}) == pytest.approx(0.7)
    assert hypervolume(trials((1_000, 1.0)), {PARAMETERS: (1_000, 100_000)}) == pytest.approx(1.0)
    # Below the smallest counts as the smallest; above the largest counts nothing.
    assert hypervolume(trials((10, 0.6)), {PARAMETERS: (1_000, 100_000)}) == pytest.approx(0.6)
    assert hypervolume(trials((100_001, 0.6)), {PARAMETERS: (1_000, 100_000)}) == 0.0
    assert hypervolume(trials((500, 0.6)), {PARAMETERS: (500, 500)}) == 0.6


def test_best_is_the_most_accurate_that_fits():
    front = ParetoFront.of(trials((1_000, 0.5), (10_000, 0.9), (20_000, 0.95)))
    assert front.best().number == 2
    assert front.best(10_000).number == 1
    assert front.best(9_999).number == 0
    with pytest.raises(NasError, match=r"at most 999 parameters; the smallest, trial 0, has 1,000\. Allow"):
        front.best(999)


def test_knee_is_where_accuracy_becomes_dear():
    front = ParetoFront.of(trials((100, 0.5), (1_000, 0.9), (10_000, 0.92), (100_000, 1.0)))
    assert front.knee().number == 1
    straight = ParetoFront.of(trials((100, 0.5), (1_000, 0.6), (10_000, 0.7)))
    assert straight.knee().number == 0
    assert ParetoFront.of(trials((100, 0.5))).knee().number == 0


@pytest.mark.parametrize("choose", [ParetoFront.best, ParetoFront.knee])
def test_an_empty_front_has_nothing_to_choose(choose):
    with pytest.raises(NasError, match="empty because no trial has completed"):
        choose(ParetoFront())
