"""Killed at random moments, a search ends in MLflow as in its journal: every trial once, and whole."""

from __future__ import annotations

import os
import random
import signal
import sys
import time
from contextlib import contextmanager
from functools import partial
from itertools import count
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

import pytest
from mlflow.entities import ViewType
from sqlalchemy import event
from sqlalchemy.orm import Session

from nas.config import load_experiment
from nas.files.shipped import find_experiment
from nas.results.pareto import ParetoFront, pareto_rank
from nas.results.trial import TrialStatus
from nas.tracking import Store, search_id, store, sync
from nas.tracking.projection import Projection
from nas.tracking.writer import RunWriter
from nas.tuning import Plan, Search, run
from nas.tuning.execution import Epoch, Failed
from tests.tracking.examples import read_runs, trial
from tests.tuning.test_chaos import EPOCHS, StandIn, killed_after

KILLS = 15
KILLS_A_ROUND = 5
TRIALS = 16

pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork.*")


class Tracked(StandIn):
    """Tells of epochs, because only then are ended trials passed to MLflow; every fifth trial fails.

    A trial takes about as long as its write, so that a kill finds both the search and the tracker at work.
    """

    def next_outcome(self, timeout_seconds, on_epoch):
        job = self.job
        if job is not None and not job.test:
            on_epoch(Epoch(number=job.number, epoch=1, metrics={}))
            time.sleep(0.04)
            if job.number % 5 == 3:
                self.job = None
                return Failed(slot=0, number=job.number, reason="it was bound to fail")
        return super().next_outcome(timeout_seconds, on_epoch)


@contextmanager
def tracked_executor(*args, **kwargs):
    yield Tracked()


def die():
    os.kill(os.getpid(), signal.SIGKILL)


def die_at_commit(number, work):
    """Die when MLflow has ended so many transactions: one write of the tracker takes several."""
    commits = count(1)
    event.listen(Session, "after_commit", lambda session: next(commits) == number and die())
    work()


def all_runs(runs_dir):
    """Everything in a store, deleted runs too: (runs of searches, runs of trials)."""
    client = Store.resolve(runs_dir).connect()
    experiments = [experiment.experiment_id for experiment in client.search_experiments()]
    runs = client.search_runs(experiments, run_view_type=ViewType.ALL, max_results=1_000)
    searches = [each for each in runs if each.data.tags["nas.role"] == "search"]
    return searches, [each for each in runs if each not in searches]


def history(runs_dir, run, metric):
    client = Store.resolve(runs_dir).connect()
    return sorted((point.step, point.value) for point in client.get_metric_history(run.info.run_id, metric))


def check_store(search):
    """That the store has the search once, every trial once, and of each what the journal says."""
    runs_dir, trials = search.folder.runs_dir, search.trials
    (parent,), children = all_runs(runs_dir)
    assert parent.info.status == "FINISHED"
    assert sorted(int(child.data.tags["nas.trial"]) for child in children) == [each.number for each in trials]
    assert {child.data.tags["mlflow.parentRunId"] for child in children} == {parent.info.run_id}
    front, ranks = {point.number for point in search.front}, pareto_rank(trials)
    full = sum(1 for each in trials if each.status is not TrialStatus.STOPPED)
    assert [step for step, _ in history(runs_dir, parent, "full_trials")] == list(range(1, full + 1))
    assert parent.data.metrics["front_size"] == len(ParetoFront.of(search.observed_trials))
    for child in children:
        tags, metrics = child.data.tags, child.data.metrics
        record = trials[int(tags["nas.trial"])]
        failed, stopped = record.status is TrialStatus.FAILED, record.status is TrialStatus.STOPPED
        assert child.info.status == ("FAILED" if failed else "FINISHED")
        assert tags.get("nas.reason") == ("it was bound to fail" if failed else None)
        assert tags["stopped_early"] == str(stopped).lower()
        assert ("Stopped early" in tags.get("mlflow.note.content", "")) == stopped
        assert tags["pareto_optimal"] == str(record.number in front).lower()
        assert metrics.get("pareto_rank") == ranks.get(record.number)
        assert child.data.params["architecture_id"] == record.architecture.id
        assert metrics["parameters"] == record.parameters
        recorded = search.objectives.score.spelled_keys(record.metrics)
        assert {name: metrics.get(name) for name in recorded} == pytest.approx(recorded, rel=1e-5)
        curve = history(runs_dir, child, "epoch/val_accuracy")
        assert curve == [(epoch, pytest.approx(value, rel=1e-5)) for epoch, value in enumerate(record.curve, start=1)]
        files = Path(url2pathname(urlsplit(child.info.artifact_uri).path))
        drawn = {"architecture.svg"} if record.number in front else set()
        assert {"architecture.json"} | drawn <= {path.name for path in files.iterdir()}


def lasting(search):
    """What the runs of its trials show, without what differs from one search to the next."""
    _, children = all_runs(search.folder.runs_dir)
    differing = {"nas.search_id", "nas.drawn", "mlflow.parentRunId", "mlflow.note.content", "train_seconds"}
    return {
        child.info.run_name: {
            name: value
            for values in (child.data.tags, child.data.params, child.data.metrics)
            for name, value in values.items()
            if name not in differing
        }
        for child in children
    }


def test_kills_at_random_moments_leave_every_trial_in_mlflow_once(tmp_path, monkeypatch):
    monkeypatch.setattr("nas.tuning.executors.make_executor", tracked_executor)
    # Whatever else the machine does: a search that gives up its store and says so is not meant here.
    monkeypatch.setattr("nas.tuning.running.CLOSE_SECONDS", 120.0)
    settings = {"space": "tiny", "strategy": "random", "budget.max_parameters": 3000, "trials": TRIALS, "seed": 1}
    settings |= {"early_stopping": "pareto-asha", "training.epochs": EPOCHS, "final.seeds": 1}
    plan = Plan.of(load_experiment(find_experiment("digits"), settings))
    undisturbed = run(plan, runs_dir=tmp_path / "undisturbed")
    ends = {TrialStatus.STOPPED, TrialStatus.COMPLETED, TrialStatus.FAILED}
    assert {each.status for each in undisturbed.trials} == ends
    check_store(undisturbed)
    rng = random.Random(0)
    kills = rounds = 0
    while kills < KILLS:
        rounds += 1
        runs_dir = tmp_path / str(rounds)
        work = partial(run, plan, runs_dir=runs_dir)
        # Here, because in tests it is a copy, which a kill would cut short.
        store._create_sqlite(runs_dir / "mlflow.db")
        for _ in range(KILLS_A_ROUND):
            if rng.random() < 0.3:
                ended = killed_after(rng.uniform(0, 1.5), work)
            else:
                ended = killed_after(120, partial(die_at_commit, rng.randint(1, 60), work))
            if ended:
                break
            kills += 1
        else:
            assert killed_after(120, work)
        done = Search("digits", runs_dir)
        assert done.finished
        check_store(done)
        assert lasting(done) == lasting(undisturbed)


def test_a_kill_at_any_line_leaves_an_id_that_can_be_read(tmp_path):
    def die_at_line(number, folder):
        lines = count(1)

        def trace(frame, kind, argument):
            if frame.f_code.co_filename != store.__file__:
                return None
            if kind == "line" and next(lines) == number:
                die()
            return trace

        sys.settrace(trace)
        search_id(folder)

    for number in count(1):
        folder = tmp_path / str(number)
        whole = killed_after(10, partial(die_at_line, number, folder))
        assert search_id(folder) == search_id(folder)
        if whole:
            break
    assert number > 5


def test_a_trial_that_went_on_shows_its_last_numbers_though_the_write_before_was_cut_short(search, monkeypatch):
    """Its metrics are in the store and its run is not ended; the next write has the ones of a later rung."""
    first = {"val_score": 0.5, "val_loss": 0.9}
    stopped = trial(0, 0.5, status=TrialStatus.STOPPED, metrics=first, curves={"val_score": (0.5,)})
    last = {"val_score": 0.8, "val_loss": 0.4}
    completed = trial(0, 0.8, metrics=last, curves={"val_score": (0.5, 0.8)})
    projection = Projection(search, {})

    def killed(self, known, status, **when):
        if status != "RUNNING":
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(RunWriter, "set_status", killed)
        with pytest.raises(KeyboardInterrupt):
            projection.bring_up([stopped])
    assert read_runs(search)[1][0].data.metrics["val_loss"] == 0.9
    sync(search, [completed], description={})
    run = read_runs(search)[1][0]
    assert run.info.status == "FINISHED"
    assert {name: run.data.metrics[name] for name in ("val_accuracy", "val_loss")} == {
        "val_accuracy": 0.8,
        "val_loss": 0.4,
    }
    assert "Stopped early" not in run.data.tags["mlflow.note.content"]


def test_a_trial_that_went_on_after_its_write_was_cut_short_is_not_running_any_more(search, monkeypatch):
    """Killed twice: while a stopped trial was written, and while it was trained further."""
    stopped = trial(0, 0.5, status=TrialStatus.STOPPED)

    def die(self, known, status, **when):
        if status != "RUNNING":
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(RunWriter, "set_status", die)
        with pytest.raises(KeyboardInterrupt):
            Projection(search, {}).bring_up([stopped])
    training = trial(0, 0.5, status=TrialStatus.RUNNING)
    assert sync(search, [training], description={}, status="KILLED") == 0
    parent, children = read_runs(search)
    assert (parent.info.status, children[0].info.status) == ("KILLED", "KILLED")
    assert sync(search, [trial(0, 0.9)], description={}) == 1
    assert read_runs(search)[1][0].info.status == "FINISHED"
