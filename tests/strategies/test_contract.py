"""What every registered strategy promises, on a graph of decisions, alone and with recipes, and on a table."""

import random
from dataclasses import replace
from functools import cache
from importlib.util import find_spec

import pytest

from nas.architecture import Budget, BudgetError
from nas.objectives import ACTIVATION_BYTES, LATENCY, MACS
from nas.results.trial import TrialStatus
from nas.strategies import STRATEGIES, StrategyError
from tests.strategies.examples import (
    decisions_space,
    made,
    make_table,
    pretend,
    propose,
    recipes_space,
    table_space,
    trial,
)

SPACES = {
    "decisions": (decisions_space(), Budget(max_parameters=150)),
    "recipes": (recipes_space(), Budget(max_parameters=150)),
    "table": (table_space(), Budget(max_parameters=450)),
}


@pytest.fixture(params=sorted(STRATEGIES))
def name(request):
    if request.param.startswith("optuna") and find_spec("optuna") is None:
        pytest.skip("needs the extra `peers`")
    return request.param


@pytest.fixture(params=sorted(SPACES))
def place(request):
    return request.param


def searched(strategy, trials, seed=0):
    """A history of that many trials; every seventh fails."""
    history = []
    for number in range(trials):
        found = propose(strategy, history, f"{seed}/{number}")
        if found is None:
            break
        history.append(trial(number, found, None if number % 7 == 6 else pretend(found)))
    return history


@cache
def known_history(name, place):
    """26 trials, made once for each strategy and space."""
    return tuple(searched(made(name, *SPACES[place]), 26))


def several(strategy, history, count, seed=0):
    """That many proposals, each of which runs while the next is made."""
    running = []
    for number in range(len(history), len(history) + count):
        found = propose(strategy, [*history, *running], f"{seed}/{number}")
        running.append(trial(number, found, status=TrialStatus.RUNNING))
    return running


def ids(trials):
    return {each.architecture.id for each in trials}


def test_every_proposal_is_new_and_inside_the_budget(name, place):
    budget = SPACES[place][1]
    history = known_history(name, place)
    assert len(history) == 26
    assert all(budget.admits(each.architecture.count) for each in history)
    assert len(ids(history)) == 26


def test_proposals_can_be_repeated_by_another_instance(name, place):
    history = known_history(name, place)
    used, again = made(name, *SPACES[place]), made(name, *SPACES[place])
    propose(used, history[:21], 9)
    assert propose(used, history, 1).id == propose(again, history, 1).id


def test_other_random_numbers_give_other_proposals(name, place):
    strategy = made(name, *SPACES[place])
    assert len({frozenset(ids(several(strategy, [], 3, seed))) for seed in range(6)}) > 1


def test_proposals_differ_from_running_trials(name, place):
    history = known_history(name, place)[:22]
    running = several(made(name, *SPACES[place]), history, 8)
    assert len(ids([*history, *running])) == 22 + 8


def test_a_history_of_failures_only_is_survived(name, place):
    space, budget = SPACES[place]
    rng = random.Random(0)
    tried = {found.id: found for found in (space.sample(rng, budget) for _ in range(200))}
    history = [trial(number, found) for number, found in enumerate(list(tried.values())[:24])]
    assert len(ids(several(made(name, space, budget), history, 2)) - ids(history)) == 2


def test_equal_and_undefined_scores_are_survived(name, place):
    space, budget = SPACES[place]
    history = [
        trial(number, each.architecture, float("nan") if number % 5 == 0 else 0.5)
        for number, each in enumerate(known_history("random", place)[:24])
    ]
    assert len(ids(several(made(name, space, budget), history, 2)) - ids(history)) == 2


def stopped_early(each):
    """A trial of odd number as it was after the first of two epochs."""
    if not each.completed:
        return each
    curve = (max(each.score - 0.1, 0.0), each.score)
    if each.number % 2 == 0:
        return replace(each, curves={"val_score": curve})
    metrics = {"val_score": curve[0]}
    return replace(each, status=TrialStatus.STOPPED, metrics=metrics, curves={"val_score": curve[:1]})


def test_trials_that_were_stopped_early_are_learned_from_and_not_repeated(name, place):
    space, budget = SPACES[place]
    history = [stopped_early(each) for each in known_history("random", place)[:24]]
    assert len(ids(several(made(name, space, budget), history, 4)) - ids(history)) == 4


def test_an_exhausted_space_ends_the_search(name):
    space, budget = table_space(), Budget(max_parameters=390)
    inside = sum(budget.admits(row.count) for row in space.table.rows)
    history = searched(made(name, space, budget), inside + 5)
    assert len(history) == inside == 27


def test_a_budget_that_nothing_meets_is_refused(name):
    with pytest.raises(BudgetError, match="no row of the table 'made up' is inside at most 1 parameters"):
        made(name, table_space(), Budget(max_parameters=1))


def test_an_unknown_name_is_refused():
    with pytest.raises(
        StrategyError, match=r"there is no strategy 'evhi' \(did you mean 'ehvi'\?\); use one of aging, "
    ):
        made("evhi", table_space())


def test_the_table_has_genes_that_not_every_row_has():
    assert {len(row.genes) for row in make_table().rows} == {3, 4}


def test_several_costs_one_of_them_measured(name):
    """Proposals stay new, whatever is to be low; no model of a cost may be asked before it was measured."""
    space, budget = decisions_space(), Budget(max_parameters=150, max_latency_ms=3.0)
    strategy = made(name, space, budget, (MACS, LATENCY, ACTIVATION_BYTES))
    history = []
    for number in range(26):
        found = propose(strategy, history, number)
        latency = found.count.macs / 1_000
        slow = replace(trial(number, found), status=TrialStatus.REFUSED, metrics={"latency_ms": latency})
        fast = trial(number, found, pretend(found))
        fast = replace(fast, metrics={**fast.metrics, "latency_ms": latency})
        history.append(slow if latency > 3 else fast)
    assert len(ids(history)) == 26
    assert all(budget.admits(each.architecture.count) for each in history)
    running = replace(history[-1], number=26, status=TrialStatus.RUNNING, metrics={})
    assert propose(strategy, [*history[:-1], running]) is not None
