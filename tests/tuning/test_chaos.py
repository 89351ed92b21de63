"""Killed at random moments, a search ends as the undisturbed one; told to end, it says how to go on."""

import gc
import json
import math
import os
import random
import re
import signal
import subprocess
import sys
import time
import traceback
from collections import Counter
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import psutil
import pytest

import nas
from nas.architecture import Architecture
from nas.config import load_experiment
from nas.files.shipped import find_experiment
from nas.results.pareto import ParetoFront, pareto_rank
from nas.results.trial import TrialStatus
from nas.strategies.early_stopping import make_early_stopping
from nas.strategies.expectation import KEPT_RANKS
from nas.training.checkpoint import Checkpoint
from nas.training.result import TrainingResult
from nas.tuning import Plan, Search, SearchFolder
from nas.tuning.execution import Executor, Trained
from nas.tuning.final import candidates, run_finals
from nas.tuning.oracle import StrategyOracle
from nas.tuning.tuner import ArchitectureTuner
from tests.children import spawned_by
from tests.tracking.examples import OBJECTIVES, read_runs

ROOT = Path(nas.__file__).parent.parent
KILLS = 20
TRIALS = 25


EPOCHS = 9


def checkpoint(network, epochs):
    return Checkpoint(loop=f"{network.id} {epochs}", state=(), curves={}, weights=[], best_epoch=1).to_bytes()


class StandIn(Executor):
    """Trains nothing: accuracies are numbers made from the architecture, the weights are a few bytes.

    A trial that goes on must bring the checkpoint that it left at its rung.
    """

    slots = 1
    job = None

    def submit(self, slot, job):
        self.job = job

    def next_outcome(self, timeout_seconds, on_epoch):
        job, self.job = self.job, None
        if job is None:
            return None
        network = Architecture.from_json(job.architecture)
        rungs = make_early_stopping("pareto-asha", EPOCHS, OBJECTIVES).rungs
        before = rungs.index(job.epochs) - 1
        if not job.test:
            # Killed between a checkpoint and its line in the journal, a trial finds the one that it is about to write.
            left = [(network, epochs) for epochs in (rungs[before], job.epochs)]
            assert job.checkpoint in ([checkpoint(*each) for each in left] if before >= 0 else [None])
        draws = random.Random(f"{network.id} {job.seed}")
        curve = tuple(draws.random() for _ in range(job.epochs))
        accuracy = max(curve)
        result = TrainingResult(
            metrics={"val_score": accuracy, "val_loss": 1 - accuracy, "test_score": curve[-1]},
            curves={"val_score": curve},
            weights=[np.zeros(3, np.float32)],
            best_epoch=curve.index(accuracy) + 1,
            epochs=job.epochs,
            duration_seconds=0.0,
            checkpoint=None if job.epochs == EPOCHS else checkpoint(network, job.epochs),
        )
        return Trained(slot=0, number=job.number, result=result)

    def close(self):
        pass


def search(plan, runs_dir):
    """As `nas.tuning.run` does it, but for MLflow and the training."""
    folder = SearchFolder(runs_dir, plan.experiment.name)
    with folder.locked():
        folder.create(plan.experiment, plan.space_text, plan.facts())
        folder.journal.repair()
        folder.check_whole()
        oracle = StrategyOracle(
            strategy=plan.strategy,
            early_stopping=plan.early_stopping,
            journal=folder.journal,
            max_trials=TRIALS,
            seed=plan.experiment.seed,
        )
        executor = StandIn()
        ArchitectureTuner(
            oracle=oracle,
            executor=executor,
            folder=folder,
            observers=(),
            experiment=plan.experiment,
            should_stop=lambda: False,
        ).search()
        run_finals(plan.experiment, Search(folder.name, runs_dir), executor, (), lambda: False)


def killed_after(seconds, work):
    """Work in a process of its own and kill it; whether it ended before that, by itself."""
    child = os.fork()
    if child == 0:
        gc.disable()  # a collection would copy all memory of pytest, which takes longer than the search
        try:
            work()
        except BaseException:  # noqa: BLE001 - a forked child must never return into pytest
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    deadline = time.monotonic() + seconds
    ended, status = os.waitpid(child, os.WNOHANG)
    while not ended and time.monotonic() < deadline:
        time.sleep(0.001)
        ended, status = os.waitpid(child, os.WNOHANG)
    if not ended:
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        return False
    assert os.WEXITSTATUS(status) == 0, "the work itself failed; see its traceback above"
    return True


@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork.*")
def test_kills_at_random_moments_change_nothing(tmp_path):
    settings = {"space": "tiny", "strategy": "random", "budget.max_parameters": 3000, "trials": TRIALS}
    settings |= {"early_stopping": "pareto-asha", "training.epochs": EPOCHS, "final.seeds": 2, "seed": 12}
    plan = Plan.of(load_experiment(find_experiment("digits"), settings))
    search(plan, tmp_path / "undisturbed")  # imports what every child then has
    started = time.monotonic()
    assert killed_after(math.inf, partial(search, plan, tmp_path / "measured"))
    usual_seconds = time.monotonic() - started
    undisturbed = Search("digits", tmp_path / "undisturbed")
    expected = undisturbed.observed_trials
    assert {trial.status for trial in expected} <= {TrialStatus.STOPPED, TrialStatus.COMPLETED}
    assert '"event":"continue"' in (tmp_path / "undisturbed" / "digits" / "trials.jsonl").read_text()
    assert all(len(point.finals) == 2 for point in (*ParetoFront.of(expected), *undisturbed.front))
    untested = [replace(trial, finals=()) for trial in expected]
    first = candidates(untested, plan.experiment.final, undisturbed.objectives)
    assert sum(bool(trial.finals) for trial in expected) > len(first)  # the final stage took several rounds
    rng = random.Random(0)
    kills = rounds = 0
    while kills < KILLS:
        rounds += 1
        runs_dir = tmp_path / str(rounds)
        while not killed_after(rng.uniform(0, usual_seconds), partial(search, plan, runs_dir)):
            kills += 1
            assert kills < 10 * KILLS, "no round ever ends"
        done = Search("digits", runs_dir)
        assert done.observed_trials == expected
        assert done.finished
        kept = {int(path.stem) for path in (done.folder.path / "weights").glob("*.npz")}
        assert kept == {number for number, rank in pareto_rank(expected).items() if rank < KEPT_RANKS}


def started(runs_dir, *options):
    """A search on the command line, in a group of processes of its own."""
    command = [sys.executable, "-c", "from nas.cli import run; run()", "search", "digits", "--space", "tiny"]
    command += ["--strategy", "random", "--max-params", "3000", "--epochs", "2", "--runs-dir", str(runs_dir)]
    command += ["--set", "final.seeds=0"]
    return subprocess.Popen(
        [*command, "--workers", "1", *options],
        cwd=ROOT,
        start_new_session=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_for(event, runs_dir):
    """Until the journal has one."""
    journal = runs_dir / "digits" / "trials.jsonl"
    deadline = time.monotonic() + 120
    while not (journal.exists() and f'"{event}"'.encode() in journal.read_bytes()):
        assert time.monotonic() < deadline, f"no trial has come to its {event}"
        time.sleep(0.02)


@pytest.mark.slow
def test_real_training_survives_the_kill_of_its_worker_and_of_its_parent(tmp_path, finished_search):
    rng = random.Random(0)
    process = started(tmp_path, "--trials", "3")
    wait_for("start", tmp_path)
    time.sleep(rng.uniform(0, 5))
    (worker,) = spawned_by(process.pid)
    worker.kill()
    wait_for("end", tmp_path)
    time.sleep(rng.uniform(0, 0.5))
    os.killpg(process.pid, signal.SIGKILL)
    _, told = process.communicate()
    assert re.search(r"trial \d is tried again: the worker process died", told)
    ended = tuple(trial for trial in Search("digits", tmp_path).trials if trial.completed)
    assert ended
    done = nas.search(
        "digits",
        space="tiny",
        max_parameters=3000,
        strategy="random",
        trials=3,
        epochs=2,
        settings={"final.seeds": 0, "workers": 1},
        runs_dir=tmp_path,
    )
    assert done.trials[: len(ended)] == ended
    assert [trial.architecture.id for trial in done.trials] == [t.architecture.id for t in finished_search.trials]
    for trial, same in zip(done.trials, finished_search.trials, strict=True):
        assert trial.metrics["loss"] == pytest.approx(same.metrics["loss"], rel=0.02)
    lines = [json.loads(line) for line in done.folder.journal.path.read_text().splitlines()[1:]]
    assert Counter(line["trial"] for line in lines if line["event"] == "end") == {0: 1, 1: 1, 2: 1}
    parent, runs = read_runs(done.tracking_run())
    assert [parent.info.status, *(runs[number].info.status for number in range(3))] == ["FINISHED"] * 4


@pytest.mark.slow
def test_sigterm_is_an_interruption(tmp_path):
    process = started(tmp_path, "--trials", "500")
    wait_for("end", tmp_path)
    children = psutil.Process(process.pid).children(recursive=True)
    assert children
    process.terminate()
    out, told = process.communicate(timeout=90)
    assert process.returncode == 143
    assert out == ""
    assert re.search(r"Interrupted; kept [1-9]\d* finished trials?\. Resume with:\n  nas search digits .*500", told)
    assert "Traceback" not in told
    _, alive = psutil.wait_procs(children, timeout=10)
    assert not alive
    assert any(trial.completed for trial in Search("digits", tmp_path).trials)
