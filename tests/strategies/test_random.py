"""What sizes random search looks at."""

import random

from nas.architecture import Budget
from nas.strategies import make_strategy
from tests.strategies.examples import Watched, decisions_space, trial


def test_sizes_follow_the_van_der_corput_sequence():
    watched = Watched(decisions_space())
    strategy = make_strategy("random", watched, Budget())
    first = strategy.propose([], 3, random.Random(0))
    assert watched.quantiles[0] == 0.5
    assert {0.25, 0.75} <= set(watched.quantiles)
    watched.quantiles.clear()
    history = [trial(number, found, 0.5) for number, found in enumerate(first)]
    strategy.propose(history, 1, random.Random(0))
    assert watched.quantiles[0] == 0.125
