"""What sizes random search looks at."""

from itertools import pairwise

from nas.architecture import Budget
from tests.strategies.examples import Watched, decisions_space, made, propose, table_space, trial


def test_sizes_begin_at_both_ends_and_follow_the_van_der_corput_sequence():
    watched = Watched(decisions_space())
    strategy = made("random", watched)
    history = []
    for number, quantile in enumerate((1.0, 0.0, 0.5, 0.25, 0.75, 0.125)):
        watched.quantiles.clear()
        history.append(trial(number, propose(strategy, history), 0.5))
        assert watched.quantiles[0] == quantile


def test_what_is_outside_of_the_range_of_interest_is_tried_last():
    space, budget = table_space(), Budget(interest=(400, 600))
    strategy, history, sizes = made("random", space, budget), [], []
    while (found := propose(strategy, history, len(history))) is not None:
        history.append(trial(len(history), found, 0.5))
        sizes.append(found.parameters)
    assert len(sizes) == len(space.table.rows)
    # A little smaller ones are for the lower end.
    of_interest = sum(363 <= row.parameters <= 600 for row in space.table.rows)
    # After 50 repeats in a row the rest is listed, whatever its size: that is when hardly any of interest is left.
    assert 363 <= min(sizes[: of_interest - 3]) < 400 < max(sizes[: of_interest - 3]) <= 600
    assert sizes[1] == min(size for size in sizes if size >= 363)


def test_a_range_of_interest_without_networks_is_no_hindrance():
    space = table_space()
    sizes = sorted({row.parameters for row in space.table.rows})
    below, above = max(pairwise(sizes), key=lambda pair: pair[1] / pair[0])
    empty = Budget(interest=(below * 1.09, above / 1.001))
    found = propose(made("random", space, empty), [], 0)
    assert found.parameters in sizes
