"""Searches whose trials stop at rungs: what goes on, what is kept, what a kill costs."""

import json

import pytest

from nas.results.trial import TrialStatus
from nas.tuning import Search, run
from tests.tuning.test_search import Watcher, plan

EARLY = {"early_stopping": "pareto-asha", "trials": 4, "training.epochs": 3}


class Rungs(Watcher):
    """Remembers after each trial whose checkpoints were there, and who was stopped."""

    def __init__(self, runs_dir):
        super().__init__()
        self.runs_dir, self.seen = runs_dir, []

    def on_trial_end(self, record):
        search = Search("digits", self.runs_dir)
        kept = {int(path.stem) for path in (search.folder.path / "rungs").glob("*.npz")}
        self.seen.append((kept, {trial.number for trial in search.trials if trial.status is TrialStatus.STOPPED}))


@pytest.fixture(scope="module")
def watched(tmp_path_factory):
    rungs = Rungs(tmp_path_factory.mktemp("runs"))
    return run(plan(**EARLY), runs_dir=rungs.runs_dir, observers=(rungs,)), rungs


@pytest.fixture(scope="module")
def stopped(watched):
    return watched[0]


def events(search):
    return [json.loads(line) for line in search.folder.journal.path.read_text().splitlines()[1:]]


def test_every_trial_stops_at_a_rung_or_is_trained_in_full(stopped):
    assert stopped.finished
    assert len(stopped.trials) == 4
    for trial in stopped.trials:
        full = trial.status is TrialStatus.COMPLETED
        assert len(trial.curve) == 3 if full else len(trial.curve) == 1
        assert trial.score == max(trial.curve)
    assert {trial.status for trial in stopped.trials} <= {TrialStatus.COMPLETED, TrialStatus.STOPPED}
    assert any(event.get("status") == "STOPPED" for event in events(stopped))
    assert all(len(point.curve) == 3 for point in stopped.front)


def test_trials_go_on_while_others_start(stopped):
    kinds = [(event["event"], event["trial"]) for event in events(stopped)]
    assert kinds.count(("start", 3)) == 1
    first = next(place for place, (kind, _) in enumerate(kinds) if kind == "continue")
    assert first < kinds.index(("start", 3))
    for kind, number in kinds:
        if kind == "continue":
            assert kinds.index(("start", number)) < kinds.index((kind, number))


def test_checkpoints_are_kept_of_those_that_may_go_on(watched):
    seen = watched[1].seen
    assert any(may_go_on for _, may_go_on in seen)
    assert [kept for kept, _ in seen] == [may_go_on for _, may_go_on in seen]


def test_a_trial_that_was_stopped_and_went_on_is_the_one_that_was_not(stopped, tmp_path):
    # The first trials of both searches are the same networks with the same seeds.
    whole = run(plan(**EARLY | {"early_stopping": "none", "trials": 3}), runs_dir=tmp_path)
    compared = [trial for trial in stopped.trials[:3] if trial.completed]
    assert compared
    for trial in compared:
        assert trial.architecture.id == whole.trials[trial.number].architecture.id
        assert trial.curve == pytest.approx(whole.trials[trial.number].curve, abs=0.01)


def test_interrupted_trials_go_on_from_their_rung(stopped, tmp_path):
    number = next(event["trial"] for event in events(stopped) if event["event"] == "continue")
    watcher = Watcher()
    began = []

    class Stop(Watcher):
        def on_trial_begin(self, record):
            began.append(record.number)
            if record.number == number and began.count(number) == 2:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(plan(**EARLY), runs_dir=tmp_path, observers=(Stop(),))
    left = Search("digits", tmp_path).trial(number)
    assert (left.status, len(left.curve)) == (TrialStatus.RUNNING, 1)
    done = run(plan(**EARLY), runs_dir=tmp_path, observers=(watcher,))
    assert [event[2] for event in watcher.told if event[:2] == ("epoch", number)] == [2, 3]
    assert [(trial.status, trial.curve) for trial in done.trials] == [
        (trial.status, trial.curve) for trial in stopped.trials
    ]


def test_workers_stop_and_go_on_too(stopped, tmp_path):
    done = run(plan(**EARLY, workers=1), runs_dir=tmp_path)
    assert [trial.status for trial in done.trials] == [trial.status for trial in stopped.trials]


def test_more_trials_may_let_stopped_ones_go_on(tmp_path):
    some = run(plan(**EARLY | {"trials": 2}), runs_dir=tmp_path)
    assert len(some.trials) == 2
    more = run(plan(**EARLY | {"trials": 3}), runs_dir=tmp_path)
    assert more.finished
    assert len(more.trials) == 3


def test_mlflow_shows_a_trial_that_went_on_as_a_whole_one(stopped):
    search = stopped.tracking_run()
    client = search.store.connect()
    experiment = client.get_experiment_by_name(search.experiment)
    found = client.search_runs([experiment.experiment_id], "tags.`nas.role` = 'trial'")
    assert len(found) == 4
    for shown in found:
        trial = stopped.trial(int(shown.data.tags["nas.trial"]))
        assert shown.data.tags["stopped_early"] == str(not trial.completed).lower()
        assert shown.data.metrics["val_accuracy"] == pytest.approx(trial.score, abs=1e-6)
        curve = client.get_metric_history(shown.info.run_id, "epoch/val_accuracy")
        assert [point.value for point in sorted(curve, key=lambda p: p.step)] == pytest.approx(trial.curve, abs=1e-6)
    (parent,) = client.search_runs([experiment.experiment_id], "tags.`nas.role` = 'search'")
    assert parent.data.metrics["front_size"] == len(stopped.front)
