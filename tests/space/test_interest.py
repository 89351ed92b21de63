"""Which range of costs a search is about."""

import pytest

from nas.architecture import Budget, BudgetError
from nas.benchmark import TableSpace, parse_table
from nas.objectives import LATENCY, MACS, PARAMETERS
from nas.space.interest import objectives_of
from nas.tasks import DEFAULT_TASK

SPACE = TableSpace(
    parse_table("g,parameters,macs,accuracy\na,10,7,0.1\nb,100,70,0.5\nc,1000,700,0.9\nd,9000,50,0.8\n", "four")
)


def interest(costs=(PARAMETERS,), **limits):
    return dict(objectives_of(SPACE, Budget(**limits), score=DEFAULT_TASK.score, costs=costs).interest)


@pytest.mark.parametrize(
    ("limits", "wanted"),
    [
        # Without a limit all that there is; with one, from its twentieth on, but no more than there is.
        ({}, (10, 9_000)),
        ({"max_parameters": 8_000}, (400, 8_000)),
        ({"max_parameters": 20_000}, (1_000, 9_000)),
        ({"max_parameters": 100}, (10, 100)),
        ({"max_parameters": 8_000, "min_parameters": 500}, (500, 8_000)),
        # What is asked for, as far as there is any.
        ({"interest": "50..2k"}, (50, 2_000)),
        ({"interest": (1, 10**6)}, (10, 9_000)),
        ({"interest": (50, 2_000), "max_parameters": 1_500, "min_parameters": 60}, (60, 1_500)),
    ],
)
def test_the_range_of_interest_by_hand(limits, wanted):
    assert interest(**limits) == {PARAMETERS: wanted}


def test_each_cost_has_a_range_and_only_the_first_the_one_that_is_asked_for():
    found = interest((MACS, LATENCY, PARAMETERS), interest=(20, 80), max_latency_ms=4)
    assert found == {MACS: (20, 80), LATENCY: (0.2, 4), PARAMETERS: (10, 9_000)}
    assert list(found) == [MACS, LATENCY, PARAMETERS]


def test_what_else_is_wanted_is_passed_on():
    found = objectives_of(SPACE, Budget(max_macs=60), score=DEFAULT_TASK.score, costs=(MACS,), floor=0.2, finest=0.01)
    assert (found.score, found.floor, found.finest, found.budget) == (DEFAULT_TASK.score, 0.2, 0.01, 60)


def test_a_range_without_a_network_is_refused():
    with pytest.raises(BudgetError) as told:
        interest(interest="20k..30k", max_parameters=8_000)
    assert str(told.value) == (
        "interest must overlap the networks that may be proposed, with 10 to 8,000 parameters; received 20,000..30,000"
    )
