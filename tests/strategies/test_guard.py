"""Where a search looks although its model sees no reason to, and when it ends by itself."""

import random

import pytest

from nas.architecture import Budget
from nas.objectives import PARAMETERS, Objectives
from nas.results.trial import TrialStatus
from nas.strategies import History
from nas.strategies.guard import LATELY, doubt, is_out_of_patience
from nas.tasks import DEFAULT_TASK
from tests.strategies.examples import decisions_space, made, trial, wanted
from tests.strategies.test_early_stopping import Some

OBJECTIVES = Objectives(score=DEFAULT_TASK.score, interest={PARAMETERS: (100, 1_600)}, floor=0.1)
"""Four doublings wide: a gap is wide if it is more than one."""

EVEN = (100, 150, 200, 300, 400, 600, 800, 1_200, 1_600)


def full(number, parameters, score):
    return Some(number, parameters, (score,), TrialStatus.COMPLETED)


def doubted(trials):
    return doubt(History.of(trials), OBJECTIVES)


def test_sizes_that_nobody_was_trained_at_are_looked_at():
    trials = [full(number, size, 0.5) for number, size in enumerate(EVEN) if size not in (800, 600, 1_200)]
    assert doubted(trials) == (400, 1_600)
    assert doubted([*trials, full(20, 790, 0.5), full(21, 900, 0.5)]) is None
    running = [Some(20, 790, (), TrialStatus.RUNNING), Some(21, 900, (), TrialStatus.RUNNING)]
    assert doubted([*trials, *running]) is None
    # A stopped one says little, so that the gap stays; three attempts are enough, whatever became of them.
    attempts = [Some(20 + number, 800, (0.2,), TrialStatus.STOPPED) for number in range(3)]
    assert doubted([*trials, *attempts[:2]]) == (400, 1_600)
    assert doubted([*trials, *attempts]) is None


def test_the_ends_of_the_range_count_as_neighbors():
    assert doubted([full(number, size, 0.5) for number, size in enumerate(EVEN[:5])]) == (400, 1_600)
    assert doubted([full(number, size, 0.5) for number, size in enumerate(EVEN[4:])]) == (100, 400)


def rising(count, largest=1_600):
    """So many full trainings of all sizes, each better than those before it; the best has `largest` parameters."""
    sizes = [size for size in EVEN if size <= largest]
    trials = [full(number, EVEN[number % len(EVEN)], 0.2) for number in range(count - len(sizes))]
    return trials + [full(len(trials) + place, size, 0.3 + 0.05 * place) for place, size in enumerate(sizes)]


def test_what_lies_above_a_front_that_ends_early_is_looked_at_now_and_then():
    trials = rising(32, largest=800)
    # Of the last 20, three have more than the front's largest.
    assert doubted(trials) == (800, 1_600)
    assert doubted([*trials, full(32, 150, 0.2)]) is None  # only one trial in four
    more = [full(32 + number, 1_200, 0.2) for number in range(4)]
    assert doubted([*trials, *more]) is None


def test_a_search_that_goes_in_circles_looks_anywhere():
    trials = rising(12)
    stale = [full(12 + number, EVEN[number % len(EVEN)], 0.2) for number in range(LATELY)]
    assert doubted([*trials, *stale]) == (100, 1_600)
    assert doubted([*trials, *stale[:-1], full(31, 400, 0.6)]) is None


def test_ehvi_proposes_a_network_of_the_doubted_size():
    space, budget = decisions_space(), Budget(max_parameters=300)
    strategy, rng = made("ehvi", space, budget), random.Random(1)
    low, high = wanted(space, budget).interest[PARAMETERS]
    small = budget.at_most(round((low * high) ** 0.5))
    networks = {found.id: found for found in (space.sample(rng, small) for _ in range(60))}
    trials = [trial(number, found, 0.5) for number, found in enumerate(list(networks.values())[:12])]
    largest = max(each.parameters for each in trials)
    found = strategy.propose(History.of(trials), random.Random(0))
    assert found.count.parameters > largest


@pytest.mark.parametrize(("patience", "ends"), [(None, False), (3, True), (4, True), (5, False), (20, False)])
def test_patience_ends_when_so_many_trials_in_a_row_gained_nothing(patience, ends):
    # The fourth is the last that gained anything.
    trials = [full(number, 400, score) for number, score in enumerate((0.2, 0.4, 0.6, 0.8, 0.7, 0.8, 0.5, 0.79))]
    assert is_out_of_patience(History.of(trials), OBJECTIVES, patience) is ends


def test_running_and_refused_trials_take_no_patience():
    trials = [full(0, 400, 0.8), full(1, 400, 0.7), full(2, 400, 0.7)]
    others = [Some(3, 400, (), TrialStatus.RUNNING), Some(4, 400, (), TrialStatus.REFUSED)]
    assert not is_out_of_patience(History.of([*trials, *others]), OBJECTIVES, 3)
    assert is_out_of_patience(History.of([*trials, *others, Some(5, 400, (0.1,))]), OBJECTIVES, 3)
