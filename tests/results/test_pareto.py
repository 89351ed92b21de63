from __future__ import annotations

import math
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nas.errors import NasError
from nas.objectives import MACS, PARAMETERS, Objectives
from nas.results.pareto import ParetoFront, hypervolume, is_of_interest, pareto_rank
from nas.tasks import DEFAULT_TASK


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


HALF = 10 / 11
"""A score that is worth 1/2 here: its error with `finest` is a tenth of that of 0, and ten times that of 1."""


def wanting(parameters, *, macs=None):
    """Objectives over these ranges of interest; the error of 0 is a hundred times that of 1."""
    interest = {PARAMETERS: parameters} | ({MACS: macs} if macs else {})
    return Objectives(score=DEFAULT_TASK.score, interest=interest, finest=1 / 99)


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
    both = wanting((1, 100), macs=(1, 100))
    small, fast = Trial(0, 1, HALF, macs=10), Trial(1, 10, 1.0, macs=1)
    # Each side is 2.2 decades long. `small` fills the upper 1.2 of the MACs, `fast` those of the parameters.
    assert hypervolume([small], both) == pytest.approx(2.2 * 1.2 * 0.5 / 2.2**2)
    assert hypervolume([small, fast], both) == pytest.approx((1.2 * 2.2 * 1.0 + 1.0 * 1.2 * 0.5) / 2.2**2)
    # What is too dear in one cost counts in none.
    assert hypervolume([small, Trial(1, 10, 1.0, macs=101)], both) == hypervolume([small], both)
    # A range without a width is no axis, and still a limit.
    assert hypervolume([small], wanting((1, 100), macs=(10, 10))) == pytest.approx(0.5)
    assert hypervolume([small], wanting((1, 100), macs=(9, 9))) == 0


@given(random_trials)
def test_hypervolume_with_a_constant_cost_is_the_one_without_it(records):
    same = [Trial(r.number, r.parameters, r.score, 1, r.completed) for r in records]
    both = hypervolume(same, wanting((10, 120), macs=(1, 100)))
    assert both == pytest.approx(hypervolume(same, wanting((10, 120))))


@given(random_trials)
def test_hypervolume_is_the_area_by_summing_thin_strips(records):
    smallest, largest = 20, 100
    objectives = wanting((smallest, largest))
    done = [r for r in records if r.completed and not math.isnan(r.score)]
    # The best score changes only at multiples of 10 parameters: these strips are exact.
    widths = {size: math.log((size + 10) / size) for size in range(smallest, largest, 10)}
    widths[largest] = 0.1 * math.log(largest / smallest)
    strips = sum(
        width * max((objectives.worth(r.score) for r in done if r.parameters <= size), default=0.0)
        for size, width in widths.items()
    )
    assert hypervolume(records, objectives) == pytest.approx(strips / sum(widths.values()))


@given(random_trials, st.integers(1, 12), st.floats(0, 1))
def test_hypervolume_never_falls_when_a_trial_is_added(records, size, score):
    before = hypervolume(records, wanting((10, 100)))
    after = hypervolume([*records, Trial(99, 10 * size, score)], wanting((10, 100)))
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
    assert hypervolume([Failed()], wanting((1, 100))) == 0.0


def test_hypervolume_by_hand():
    # 1k..100k is two decades, and a tenth of that counts for 100k itself: 2.2 in all.
    two = wanting((1_000, 100_000))
    assert hypervolume(trials((1_000, HALF), (10_000, 1.0)), two) == pytest.approx((1 * 0.5 + 1.2 * 1.0) / 2.2)
    assert hypervolume(trials((1_000, 1.0)), two) == pytest.approx(1.0)
    assert hypervolume(trials((100_000, 1.0)), two) == pytest.approx(0.2 / 2.2)
    # Below the range counts as its lower end; above it counts nothing.
    assert hypervolume(trials((10, HALF)), two) == pytest.approx(0.5)
    assert hypervolume(trials((100_001, 1.0)), two) == 0.0
    # A range without a width is a limit, within which the best score counts.
    assert hypervolume(trials((400, HALF), (500, 1.0), (501, 1.0)), wanting((500, 500))) == 1.0


def test_a_network_below_the_floor_is_worth_nothing():
    objectives = Objectives(score=DEFAULT_TASK.score, interest={PARAMETERS: (1_000, 100_000)}, floor=0.5)
    assert hypervolume(trials((1_000, 0.4), (10_000, 0.5)), objectives) == 0
    # It hides no better one, and takes nothing away from it.
    assert hypervolume(trials((1_000, 0.4), (10_000, 1.0)), objectives) == pytest.approx(1.2 / 2.2)


def test_of_interest_is_what_lies_inside_all_ranges_and_above_the_floor():
    interest = {PARAMETERS: (100, 200), MACS: (5, 10)}
    objectives = Objectives(score=DEFAULT_TASK.score, interest=interest, floor=0.1)
    inside = [Trial(0, 100, 0.2, macs=10), Trial(0, 200, 0.2, macs=5)]
    outside = [
        Trial(0, 99, 0.2, macs=5), Trial(0, 201, 0.2, macs=5), Trial(0, 100, 0.2, macs=4), Trial(0, 100, 0.2, macs=11),
        Trial(0, 100, 0.1, macs=5),
    ]  # fmt: skip
    assert all(is_of_interest(each, objectives) for each in inside)
    assert not any(is_of_interest(each, objectives) for each in outside)


def test_best_is_the_most_accurate_that_fits():
    front = ParetoFront.of(trials((1_000, 0.5), (10_000, 0.9), (20_000, 0.95)))
    assert front.best().number == 2
    assert front.best(10_000).number == 1
    assert front.best(9_999).number == 0
    with pytest.raises(NasError, match=r"at most 999 parameters; the smallest, trial 0, has 1,000; allow"):
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
