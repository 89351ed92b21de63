import pickle

import pytest

from nas.architecture import Budget, BudgetError, Count
from nas.objectives import LATENCY

COUNT = Count(trainable=900, non_trainable=100, macs=5_000, activation_bytes=2_048)


@pytest.mark.parametrize(
    ("budget", "admitted", "excess"),
    [
        (Budget(), True, ""),
        (Budget(max_parameters=1_000, min_parameters=1_000, max_macs=5_000, max_activation_bytes=2_048), True, ""),
        (Budget(max_parameters=999), False, "1 parameters over 999"),
        (Budget(max_macs=3_000), False, "2,000 MACs over 3,000"),
        (Budget(max_activation_bytes=2_000), False, "48 activation bytes over 2,000"),
        (Budget(min_parameters=2_500), False, "1,500 parameters under 2,500"),
        (Budget(max_parameters=1, max_macs=4_999), False, "999 parameters over 1, 1 MACs over 4,999"),
    ],
    ids=str,
)
def test_limits_are_inclusive_and_say_by_how_much_they_are_missed(budget, admitted, excess):
    assert budget.admits(COUNT) is admitted
    assert budget.excess(COUNT) == excess


def test_non_trainable_weights_count():
    assert not Budget(max_parameters=950).admits(COUNT)


def test_a_budget_that_contradicts_itself():
    with pytest.raises(BudgetError, match=r"^max_parameters must be at least 1; received -1$"):
        Budget(max_parameters=-1)
    with pytest.raises(BudgetError, match=r"^min_parameters must not exceed max_parameters; received 2,000 > 1,000$"):
        Budget(min_parameters=2_000, max_parameters=1_000)


@pytest.mark.parametrize("limit", ["max_parameters", "min_parameters", "max_macs", "max_activation_bytes"])
def test_counts_are_whole_numbers_or_text(limit):
    assert Budget(**{limit: "20k"}) == Budget(**{limit: 20_000})
    with pytest.raises(BudgetError) as told:
        Budget(**{limit: 1.5})
    assert str(told.value) == f"{limit} must be a whole number, such as 20_000 or 20k; received 1.5"
    with pytest.raises(BudgetError, match=rf"^{limit} must be a whole number such as 20000, .*; received 'many'$"):
        Budget(**{limit: "many"})


def test_a_limit_of_a_cost_that_there_is_not():
    with pytest.raises(
        BudgetError, match=r"^max_parms is no limit \(did you mean 'max_parameters'\?\); use one of max_param"
    ):
        Budget(max_parms=3)


def test_a_range_of_interest_is_numbers_or_text():
    assert Budget(interest="500..2k") == Budget(interest=(500, 2_000)) == Budget(interest=[500, 2000.0])
    assert Budget(interest="500..2k").interest == (500, 2_000)
    assert Budget(interest=(7, 7)).interest == (7, 7)
    assert Budget().interest is None
    # Milliseconds are no whole numbers; files have the range as text.
    fractions = Budget(interest=(0.25, 2))
    assert Budget(interest="0.25..2") == Budget(**fractions.to_dict()) == fractions


@pytest.mark.parametrize(
    "given", ["2k..500", "500", "1..2..3", "0..9", "few..9", 500, (5, None), (5,), (1, float("inf"))]
)
def test_a_range_of_interest_that_is_none(given):
    with pytest.raises(BudgetError) as told:
        Budget(interest=given)
    sentence = "interest must be two numbers, the lower one first, such as 500..2k; received "
    assert str(told.value) == sentence + repr(given)


def test_a_lower_limit_is_only_raised():
    budget = Budget(max_parameters=900, min_parameters=50, interest=(60, 700), max_macs=5)
    assert budget.at_least(60) == Budget(max_parameters=900, min_parameters=60, interest=(60, 700), max_macs=5)
    assert budget.at_least(40) == budget


def test_equal_budgets_are_equal_everywhere():
    budget = Budget(max_parameters=20_000, max_latency_ms=2, interest="500..2k")
    again = pickle.loads(pickle.dumps(budget))
    assert (again, hash(again)) == (budget, hash(budget))
    assert again.most(LATENCY) == 2
    assert Budget(**budget.to_dict()) == budget


def test_a_budget_in_words():
    assert str(Budget()) == "no limit"
    assert str(Budget(max_parameters=20_000, min_parameters=5, max_macs=7, max_activation_bytes=1_024)) == (
        "at least 5 parameters, at most 20,000 parameters, at most 7 MACs, at most 1,024 activation bytes"
    )
