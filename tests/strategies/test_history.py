"""What strategies are given."""

from types import SimpleNamespace

from nas.results.trial import TrialStatus
from nas.strategies import History
from tests.strategies.examples import trial


def test_every_trial_is_in_the_view_of_its_status_in_order():
    statuses = [*TrialStatus, *reversed(TrialStatus)]
    trials = [trial(number, SimpleNamespace(id=f"id{number % 7}"), status=s) for number, s in enumerate(statuses)]
    history = History.of(iter(trials))
    views = (history.running, history.stopped, history.completed, history.refused, history.failed)
    assert [[each.number for each in view] for view in views] == [[n, 9 - n] for n in range(5)]
    assert (len(history), history.trials) == (10, tuple(trials))
    assert history.ids == {f"id{number}" for number in range(7)}
    assert not History()
