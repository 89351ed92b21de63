"""What the tuner makes of outcomes, whichever executor they come from."""

import random
from collections import Counter
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from nas.architecture import Architecture
from nas.config import load_experiment
from nas.files.durable import StateError
from nas.files.shipped import find_experiment
from nas.results.trial import FinalTraining, TrialStatus
from nas.training import TrainingResult
from nas.training.checkpoint import Checkpoint
from nas.tuning import Plan, Search, SearchFolder
from nas.tuning.baseline import at_cost_of
from nas.tuning.execution import Crashed, Epoch, Executor, Failed, Trained
from nas.tuning.oracle import StrategyOracle
from nas.tuning.parents import nearest
from nas.tuning.tuner import ArchitectureTuner

EPOCHS = 2


class Crashing(Executor):
    """Trains nothing; trial 1 ends without a result so many times."""

    slots = 1

    def __init__(self, times, *, outcome):
        self.times, self.outcome, self.submitted = times, outcome, Counter()

    def submit(self, slot, job):
        self.job = job
        self.submitted[job.number] += 1

    def next_outcome(self, timeout_seconds, on_epoch):
        if self.job.number == 1 and self.submitted[1] <= self.times:
            return self.outcome(slot=0, number=1, reason="it went wrong", log="how")
        result = TrainingResult(
            metrics={"val_score": 0.5, "val_loss": 0.5},
            curves={"val_score": (0.5,) * EPOCHS},
            weights=[np.zeros(3, np.float32)],
            best_epoch=1,
            epochs=EPOCHS,
            duration_seconds=0.0,
        )
        return Trained(slot=0, number=self.job.number, result=result)

    def close(self):
        pass


class Counting(Executor):
    """Trains nothing; an accuracy is so many of 288 images, as on the real digits, and many are equal."""

    slots = 1

    def submit(self, slot, job):
        self.job = job

    def next_outcome(self, timeout_seconds, on_epoch):
        draws = random.Random(Architecture.from_json(self.job.architecture).id)
        curve = tuple(draws.randint(250, 256) / 288 for _ in range(EPOCHS))
        result = TrainingResult(
            metrics={"val_score": max(curve), "val_loss": draws.random()},
            curves={"val_score": curve},
            weights=[np.zeros(3, np.float32)],
            best_epoch=1,
            epochs=EPOCHS,
            duration_seconds=draws.random(),
        )
        return Trained(slot=0, number=self.job.number, result=result)

    def close(self):
        pass


class Leaving(Counting):
    """Leaves a checkpoint at each rung."""

    def __init__(self):
        self.jobs = []

    def submit(self, slot, job):
        super().submit(slot, job)
        self.jobs.append(job)

    def next_outcome(self, timeout_seconds, on_epoch):
        outcome = super().next_outcome(timeout_seconds, on_epoch)
        epochs = self.job.epochs
        curves = {"val_score": outcome.result.curves["val_score"][:1] * epochs}
        left = Checkpoint(loop="compiled", state=(), curves=curves, weights=[], best_epoch=1).to_bytes()
        return replace(outcome, result=replace(outcome.result, curves=curves, checkpoint=None if epochs == 9 else left))


class Breaking(Leaving):
    """Whatever goes on from a rung has one more epoch, and breaks: the first time as told, then with a reason."""

    def __init__(self, first=Failed):
        super().__init__()
        self.first = first

    def next_outcome(self, timeout_seconds, on_epoch):
        if self.job.checkpoint is None:
            return super().next_outcome(timeout_seconds, on_epoch)
        done = len(Checkpoint.from_bytes(self.job.checkpoint).curves["val_score"])
        on_epoch(Epoch(number=self.job.number, epoch=done + 1, metrics={"val_score": 0.123456789}))
        outcome, self.first = self.first, Failed
        return outcome(slot=0, number=self.job.number, reason="it broke", log="")


class Slow(Counting):
    """Two slots, and each trial is looked at in vain first."""

    slots = 2

    def __init__(self):
        self.jobs, self.looked = {}, 0

    def submit(self, slot, job):
        self.jobs[slot] = job

    def next_outcome(self, timeout_seconds, on_epoch):
        self.looked += 1
        if self.looked % 2:
            return None
        slot, self.job = self.jobs.popitem()
        return replace(super().next_outcome(timeout_seconds, on_epoch), slot=slot)


def searched(folder, plan, executor, trials, find_parent=None):
    """As `nas.tuning.run` does it, but for MLflow and the final stage; the oracle at its end."""
    folder.create(plan.experiment, plan.space_text, plan.facts())
    oracle = StrategyOracle(
        strategy=plan.strategy,
        early_stopping=plan.early_stopping,
        journal=folder.journal,
        max_trials=trials,
        seed=0,
        find_parent=find_parent,
    )
    ArchitectureTuner(
        oracle=oracle,
        executor=executor,
        folder=folder,
        observers=(),
        experiment=plan.experiment,
        should_stop=lambda: False,
    ).search()
    return oracle


def planned(strategy="random", **settings):
    usual = {"space": "tiny", "strategy": strategy, "budget.max_parameters": 3000, "trials": 3}
    usual |= {"training.epochs": EPOCHS, "early_stopping": "none"}
    return Plan.of(load_experiment(find_experiment("digits"), usual | settings))


def test_a_search_that_goes_on_reads_the_numbers_that_it_had(tmp_path):
    """Were they rounded on their way to the disk alone, equal accuracies would be unequal after a restart."""
    plan = planned("evolution")
    whole, cut = SearchFolder(tmp_path / "whole", "digits"), SearchFolder(tmp_path / "cut", "digits")
    in_memory = searched(whole, plan, Counting(), 60).records
    assert tuple(in_memory.values()) == whole.trials()
    for trials in (25, 40, 60):
        searched(cut, plan, Counting(), trials)
    assert [trial.architecture.id for trial in cut.trials()] == [trial.architecture.id for trial in whole.trials()]


def test_keras_tuner_is_told_what_is_better(tmp_path):
    """Of a trial that it did not see as of any other: a score, to be high, and a loss; no cost, no deviation."""
    plan, folder = planned(), SearchFolder(tmp_path, "digits")
    oracle = searched(folder, plan, Counting(), 1)
    trained = oracle.trials["0"].metrics.metrics
    assert {name: each.direction for name, each in trained.items()} == {"val_accuracy": "max", "val_loss": "min"}
    for seed, score in enumerate((0.8, 0.9)):
        folder.journal.final(0, FinalTraining(seed=seed, val_score=score, test_score=score))
    record = folder.trials()[0]
    other = next(
        each.architecture for each in plan.first_proposals(9) if each.architecture.id != record.architecture.id
    )
    metrics = {name: record.metrics[name] for name in ("val_score", "val_loss")} | {"latency_ms": 0.5}
    record = replace(record, number=1, architecture=other, metrics=metrics)
    folder.journal.start(1, record.architecture)
    folder.journal.end(record)
    restored = searched(folder, plan, Counting(), 2)
    assert restored.objective.name == "val_accuracy"
    for trial in restored.trials.values():
        told = trial.metrics.metrics
        assert {name: each.direction for name, each in told.items()} == {"val_accuracy": "max", "val_loss": "min"}
    assert restored.trials["0"].score == folder.trials()[0].score


def test_a_space_that_is_used_up_is_searched_no_more(tmp_path, monkeypatch):
    """Neither while the last trials run, nor when the search goes on."""
    space = tmp_path / "two.yaml"
    space.write_text("stem: [{conv: {filters: [2, 3]}}]\nhead: global_pool\n")
    plan, folder = planned(space=str(space), trials=9), SearchFolder(tmp_path, "digits")
    asked = []
    propose = type(plan.strategy).propose

    def counted(self, history, rng):
        asked.append(len(history))
        return propose(self, history, rng)

    monkeypatch.setattr(type(plan.strategy), "propose", counted)
    for _ in range(2):
        assert searched(folder, plan, Slow(), 9).exhausted
        assert asked == [0, 1, 2]
    assert len(folder.trials()) == 2


@pytest.mark.parametrize("content", [None, b"", b"nothing"])
def test_a_trial_whose_checkpoint_is_of_no_use_begins_anew(tmp_path, caplog, content):
    plan, folder = (
        planned(early_stopping="one-epoch-then-top-k", **{"training.epochs": 9}),
        SearchFolder(tmp_path, "digits"),
    )
    searched(folder, plan, Leaving(), 9)
    stopped = next(trial for trial in folder.trials() if trial.status is TrialStatus.STOPPED)
    # As if it had gone on, and been killed.
    folder.journal.resume(stopped.number)
    path = folder.checkpoint(stopped.number)
    executor = Leaving()
    if content is None:
        path.unlink()
    else:
        path.write_bytes(content)
    searched(folder, plan, executor, 9)
    assert (executor.jobs[0].number, executor.jobs[0].checkpoint) == (stopped.number, None)
    (told,) = [record.message for record in caplog.records if record.levelname == "WARNING"]
    assert told.startswith(f"trial {stopped.number} starts again, because {path} cannot be used: ")
    assert all(trial.status is not TrialStatus.FAILED for trial in folder.trials())


def test_a_checkpoint_of_an_earlier_version_is_gone_on_from(tmp_path):
    """It has the curves by the names of the metric."""
    plan = planned(early_stopping="one-epoch-then-top-k", **{"training.epochs": 9})
    folder = SearchFolder(tmp_path, "digits")
    searched(folder, plan, Leaving(), 9)
    stopped = next(trial for trial in folder.trials() if trial.status is TrialStatus.STOPPED)
    folder.journal.resume(stopped.number)
    path = folder.checkpoint(stopped.number)
    left = Checkpoint.from_bytes(path.read_bytes())
    path.write_bytes(replace(left, curves={"val_accuracy": left.curves["val_score"]}).to_bytes())
    executor = Leaving()
    searched(folder, plan, executor, 9)
    assert executor.jobs[0].number == stopped.number
    assert Checkpoint.from_bytes(executor.jobs[0].checkpoint).curves == left.curves


def test_a_trial_that_goes_on_needs_no_parent_but_keeps_it(tmp_path):
    plan = planned(early_stopping="pareto-asha", **{"training.epochs": 9})
    folder, executor = SearchFolder(tmp_path, "digits"), Leaving()
    searched(folder, plan, executor, 20, find_parent=partial(nearest, plan.space, plan.experiment.costs))
    trials = folder.trials()
    again = [job for job in executor.jobs if job.checkpoint is not None and trials[job.number].parent is not None]
    assert again
    assert all(job.parent is None for job in again)


def test_a_folder_that_became_read_only_is_one_line(tmp_path, monkeypatch):
    def refuse(self, missing_ok=False):
        raise OSError(30, "Read-only file system")

    plan, folder = planned(), SearchFolder(tmp_path, "digits")
    monkeypatch.setattr(Path, "unlink", refuse)
    with pytest.raises(StateError, match=r"cannot keep the search's state in .*digits: Read-only file system; .*free"):
        searched(folder, plan, Counting(), 3)


@pytest.mark.parametrize(
    ("times", "outcome", "tries", "status"),
    [
        (1, Crashed, 2, TrialStatus.COMPLETED),
        (2, Crashed, 2, TrialStatus.FAILED),
        (1, Failed, 1, TrialStatus.FAILED),
    ],
)
def test_a_crash_is_tried_once_more_and_a_failure_is_not(tmp_path, times, outcome, tries, status):
    folder = SearchFolder(tmp_path, "digits")
    executor = Crashing(times, outcome=outcome)
    searched(folder, planned(), executor, 3)
    assert executor.submitted == {0: 1, 1: tries, 2: 1}
    ended = folder.trials()
    assert [trial.status for trial in ended] == [TrialStatus.COMPLETED, status, TrialStatus.COMPLETED]
    failed = status is TrialStatus.FAILED
    assert (ended[1].reason, ended[1].log) == (("it went wrong", "how") if failed else ("", ""))


@pytest.mark.parametrize("first", [Failed, Crashed])
def test_a_failure_keeps_the_epochs_that_it_had_and_costs_what_it_cost(tmp_path, first):
    plan = planned(early_stopping="pareto-asha", **{"training.epochs": 9})
    folder = SearchFolder(tmp_path, "digits")
    searched(folder, plan, Breaking(first), 12)
    trials = folder.trials()
    broken = [trial for trial in trials if trial.status is TrialStatus.FAILED]
    assert broken
    # A rung's epoch, and the one after it: once, however often it was tried.
    assert {len(trial.curve) for trial in broken} == {2}
    assert all(trial.curve[0] >= 250 / 288 - 1e-6 and trial.curve[1] == 0.1234568 for trial in broken)
    # What it came to at the rung stays.
    assert all(trial.metrics["val_score"] == pytest.approx(trial.curve[0], abs=0.03) for trial in broken)
    epochs = sum(len(trial.curve) for trial in trials)
    assert epochs == len(trials) + len(broken)
    baseline = at_cost_of(Search("digits", tmp_path), replace(plan, experiment=plan.experiment))
    assert baseline.experiment.trials == -(-epochs // 9)
