"""What the tuner makes of outcomes, whichever executor they come from."""

from collections import Counter

import pytest

from nas.config import load_experiment
from nas.resources import find_experiment
from nas.trial import TrialStatus
from nas.tuning import Plan, SearchFolder
from nas.tuning.execution import Outcome
from nas.tuning.oracle import StrategyOracle
from nas.tuning.tuner import ArchitectureTuner
from tests.tuning.test_chaos import StandIn


class Crashing(StandIn):
    """Trial 1 ends without a result so many times."""

    def __init__(self, times, *, crashed):
        self.times, self.crashed, self.submitted = times, crashed, Counter()

    def submit(self, slot, task):
        super().submit(slot, task)
        self.submitted[task.number] += 1

    def next_outcome(self, timeout_seconds, on_epoch):
        if self.task.number == 1 and self.submitted[1] <= self.times:
            return Outcome(slot=0, number=1, reason="it went wrong", log="how", crashed=self.crashed)
        return super().next_outcome(timeout_seconds, on_epoch)


@pytest.mark.parametrize(
    ("times", "crashed", "tries", "status"),
    [
        (1, True, 2, TrialStatus.COMPLETED),
        (2, True, 2, TrialStatus.FAILED),
        (1, False, 1, TrialStatus.FAILED),
    ],
)
def test_a_crash_is_tried_once_more_and_a_failure_is_not(tmp_path, times, crashed, tries, status):
    settings = {"space": "tiny", "strategy": "random", "budget.max_parameters": 3000, "trials": 3}
    plan = Plan.of(load_experiment(find_experiment("digits"), settings))
    folder = SearchFolder(tmp_path, "digits")
    folder.create(plan.experiment, plan.space_text, plan.facts())
    oracle = StrategyOracle(strategy=plan.strategy, journal=folder.journal, max_trials=3, seed=0)
    executor = Crashing(times, crashed=crashed)
    ArchitectureTuner(
        oracle=oracle, executor=executor, folder=folder, observers=(), seed=0, should_stop=lambda: False
    ).search()
    assert executor.submitted == {0: 1, 1: tries, 2: 1}
    ended = folder.trials()
    assert [trial.status for trial in ended] == [TrialStatus.COMPLETED, status, TrialStatus.COMPLETED]
    failed = status is TrialStatus.FAILED
    assert (ended[1].reason, ended[1].log) == (("it went wrong", "how") if failed else ("", ""))
