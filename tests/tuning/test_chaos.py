"""Killed at random moments, a search ends as the undisturbed one."""

import os
import random
import signal
import time
import traceback

import numpy as np
import pytest

from nas.architecture import Architecture
from nas.config import load_experiment
from nas.pareto import ParetoFront
from nas.resources import find_experiment
from nas.training.result import TrainingResult
from nas.tuning import Plan, Search, SearchFolder
from nas.tuning.execution import Executor, Outcome
from nas.tuning.oracle import StrategyOracle
from nas.tuning.tuner import ArchitectureTuner

KILLS = 50
TRIALS = 25


class StandIn(Executor):
    """Trains nothing: the accuracy is a number made from the architecture, the weights are a few bytes."""

    slots = 1

    def submit(self, slot, task):
        self.task = task

    def next_outcome(self, timeout_seconds, on_epoch):
        network = Architecture.from_json(self.task.architecture)
        accuracy = random.Random(network.id).random()
        result = TrainingResult(
            metrics={"val_accuracy": accuracy, "val_loss": 1 - accuracy},
            curves={"val_accuracy": (accuracy,)},
            weights=[np.zeros(3, np.float32)],
            best_epoch=1,
            epochs=1,
            duration_seconds=0.0,
        )
        return Outcome(slot=0, number=self.task.number, result=result)

    def close(self):
        pass


def search(plan, runs_dir):
    """As `nas.tuning.run` does it, but for MLflow and the training."""
    folder = SearchFolder(runs_dir, plan.experiment.name)
    with folder.locked():
        folder.create(plan.experiment, plan.space_text, plan.facts())
        folder.journal.repair()
        oracle = StrategyOracle(
            strategy=plan.strategy, journal=folder.journal, max_trials=TRIALS, seed=plan.experiment.seed
        )
        ArchitectureTuner(
            oracle=oracle, executor=StandIn(), folder=folder, observers=(), seed=0, should_stop=lambda: False
        ).search()


def killed_after(seconds, plan, runs_dir):
    """Run in a process of its own and kill it; whether it was faster than that."""
    child = os.fork()
    if child == 0:
        try:
            search(plan, runs_dir)
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
    assert os.WEXITSTATUS(status) == 0, "the search itself failed; see its traceback above"
    return True


@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork.*")
def test_kills_at_random_moments_change_nothing(tmp_path):
    settings = {"space": "tiny", "strategy": "random", "budget.max_parameters": 3000, "trials": TRIALS}
    plan = Plan.of(load_experiment(find_experiment("digits"), settings))
    started = time.monotonic()
    search(plan, tmp_path / "undisturbed")
    usual_seconds = time.monotonic() - started
    expected = Search("digits", tmp_path / "undisturbed").trials
    rng = random.Random(0)
    kills = rounds = 0
    while kills < KILLS:
        rounds += 1
        runs_dir = tmp_path / str(rounds)
        while not killed_after(rng.uniform(0, usual_seconds / 2), plan, runs_dir):
            kills += 1
            assert kills < 10 * KILLS, "no round ever ends"
        done = Search("digits", runs_dir)
        assert done.trials == expected
        kept = {int(path.stem) for path in (done.folder.path / "weights").glob("*.npz")}
        assert kept == {point.number for point in ParetoFront.of(expected)}
