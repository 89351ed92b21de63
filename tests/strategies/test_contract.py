"""What every registered strategy promises, on a graph of decisions and on a table."""

import random
from dataclasses import replace
from functools import cache
from importlib.util import find_spec

import pytest

from nas.architecture import Budget, BudgetError
from nas.results.trial import TrialStatus
from nas.strategies import STRATEGIES, StrategyError, make_strategy
from tests.strategies.examples import decisions_space, make_table, pretend, table_space, trial

SPACES = {
    "decisions": (decisions_space(), Budget(max_parameters=150)),
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
        proposals = strategy.propose(history, 1, random.Random(f"{seed}/{number}"))
        if not proposals:
            break
        accuracy = None if number % 7 == 6 else pretend(proposals[0])
        history.append(trial(number, proposals[0], accuracy))
    return history


@cache
def known_history(name, place):
    """26 trials, made once for each strategy and space."""
    return tuple(searched(make_strategy(name, *SPACES[place]), 26))


def ids(architectures):
    return [architecture.id for architecture in architectures]


def test_every_proposal_is_new_and_inside_the_budget(name, place):
    budget = SPACES[place][1]
    history = known_history(name, place)
    assert len(history) == 26
    assert all(budget.admits(each.architecture.count) for each in history)
    assert len({each.architecture.id for each in history}) == 26


def test_proposals_can_be_repeated_by_another_instance(name, place):
    history = known_history(name, place)
    used, again = make_strategy(name, *SPACES[place]), make_strategy(name, *SPACES[place])
    used.propose(history[:21], 2, random.Random(9))
    first, second = used.propose(history, 3, random.Random(1)), again.propose(history, 3, random.Random(1))
    assert ids(first) == ids(second)


def test_other_random_numbers_give_other_proposals(name, place):
    strategy = make_strategy(name, *SPACES[place])
    assert len({tuple(ids(strategy.propose([], 3, random.Random(seed)))) for seed in range(6)}) > 1


def test_several_proposals_differ_from_each_other_and_from_running_trials(name, place):
    strategy = make_strategy(name, *SPACES[place])
    history = known_history(name, place)[:22]
    running = [
        trial(22 + number, architecture, status=TrialStatus.RUNNING)
        for number, architecture in enumerate(strategy.propose(history, 4, random.Random(2)))
    ]
    more = strategy.propose([*history, *running], 4, random.Random(2))
    known = {each.architecture.id for each in [*history, *running]}
    assert len(running) == len(more) == 4
    assert len({*ids(more), *known}) == len(known) + 4


def test_a_history_of_failures_only_is_survived(name, place):
    space, budget = SPACES[place]
    rng = random.Random(0)
    tried = {found.id: found for found in (space.sample(rng, budget) for _ in range(200))}
    history = [trial(number, found) for number, found in enumerate(list(tried.values())[:24])]
    proposals = make_strategy(name, space, budget).propose(history, 2, random.Random(0))
    assert len(set(ids(proposals)) - {each.architecture.id for each in history}) == 2


def test_equal_and_undefined_accuracies_are_survived(name, place):
    space, budget = SPACES[place]
    history = [
        trial(number, each.architecture, float("nan") if number % 5 == 0 else 0.5)
        for number, each in enumerate(known_history("random", place)[:24])
    ]
    assert len(make_strategy(name, space, budget).propose(history, 2, random.Random(0))) == 2


def stopped_early(each):
    """A trial of odd number as it was after the first of two epochs."""
    if not each.completed:
        return each
    curve = (max(each.val_accuracy - 0.1, 0.0), each.val_accuracy)
    if each.number % 2 == 0:
        return replace(each, curves={"val_accuracy": curve})
    metrics = {"val_accuracy": curve[0]}
    return replace(each, status=TrialStatus.STOPPED, metrics=metrics, curves={"val_accuracy": curve[:1]})


def test_trials_that_were_stopped_early_are_learned_from_and_not_repeated(name, place):
    space, budget = SPACES[place]
    history = [stopped_early(each) for each in known_history("random", place)[:24]]
    proposals = make_strategy(name, space, budget).propose(history, 4, random.Random(0))
    assert len(set(ids(proposals)) - {each.architecture.id for each in history}) == 4


def test_an_exhausted_space_ends_the_search(name):
    space, budget = table_space(), Budget(max_parameters=390)
    inside = sum(budget.admits(row.count) for row in space.table.rows)
    history = searched(make_strategy(name, space, budget), inside + 5)
    assert len(history) == inside == 27


def test_more_than_there_is_gives_what_there_is(name):
    space, budget = table_space(), Budget(max_parameters=180)
    inside = sum(budget.admits(row.count) for row in space.table.rows)
    assert len(make_strategy(name, space, budget).propose([], inside + 3, random.Random(0))) == inside


def test_a_budget_that_nothing_meets_is_refused(name):
    with pytest.raises(BudgetError, match="no row of the table 'made up' is inside at most 1 parameters"):
        make_strategy(name, table_space(), Budget(max_parameters=1))


def test_an_unknown_name_is_refused():
    with pytest.raises(
        StrategyError, match=r"there is no strategy 'evhi' \(did you mean 'ehvi'\?\); there are aging, "
    ):
        make_strategy("evhi", table_space(), Budget())


def test_the_table_has_genes_that_not_every_row_has():
    assert {len(row.genes) for row in make_table().rows} == {3, 4}


def test_several_costs_one_of_them_measured(name):
    """Proposals stay new, whatever is to be low; the model of latency may not be asked before it was measured."""
    space, budget = decisions_space(), Budget(max_parameters=150, max_latency_ms=3.0)
    strategy = make_strategy(name, space, budget, ("macs", "latency_ms", "activation_bytes"))
    history = []
    for number in range(26):
        (found,) = strategy.propose(history, 1, random.Random(number))
        latency = found.count.macs / 1_000
        slow = replace(trial(number, found), status=TrialStatus.REFUSED, metrics={"latency_ms": latency})
        fast = trial(number, found, pretend(found))
        fast = replace(fast, metrics={**fast.metrics, "latency_ms": latency})
        history.append(slow if latency > 3 else fast)
    assert len({each.architecture.id for each in history}) == 26
    assert all(budget.admits(each.architecture.count) for each in history)
    running = replace(history[-1], number=26, status=TrialStatus.RUNNING, metrics={})
    assert strategy.propose([*history[:-1], running], 2, random.Random(0))
