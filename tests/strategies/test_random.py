"""What sizes random search looks at."""

from nas.architecture import Budget
from nas.strategies import make_strategy
from tests.strategies.examples import Watched, decisions_space, propose, trial


def test_sizes_follow_the_van_der_corput_sequence():
    watched = Watched(decisions_space())
    strategy = make_strategy("random", watched, Budget())
    history = []
    for number, quantile in enumerate((0.5, 0.25, 0.75, 0.125)):
        watched.quantiles.clear()
        history.append(trial(number, propose(strategy, history), 0.5))
        assert watched.quantiles[0] == quantile
