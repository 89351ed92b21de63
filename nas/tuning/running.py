"""Runs a search, or goes on with it."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, final

from nas.command_line import command_line
from nas.results.trial import TrialRecord, TrialStatus
from nas.strategies.guard import GAIN, is_out_of_patience
from nas.tuning.delivery import draw_front
from nas.tuning.final import run_finals
from nas.tuning.folder import SearchError, SearchFolder
from nas.tuning.observer import Observer
from nas.tuning.plan import Plan, random_numbers
from nas.tuning.search import Search
from nas.tuning.shipped import is_for_devices

if TYPE_CHECKING:
    from nas.architecture import Architecture
    from nas.config import ExperimentConfig
    from nas.tracking import Tracker
    from nas.training.own import Own
    from nas.tuning.execution import Executor

logger = logging.getLogger(__name__)

CLOSE_SECONDS = 30.0
"""How long the end of a search waits for MLflow, at most."""

CLOSE_SECONDS_OVER = 3.0
"""How far the end of a search may exceed its time limit to wait for MLflow."""


def run(
    plan: Plan,
    *,
    runs_dir: str | Path = "runs",
    tracking_uri: str | None = None,
    fresh: bool = False,
    observers: Sequence[Observer] = (),
    command: str = "",
) -> Search:
    """Start a search, or go on with it; returns when it is finished or its time is over.

    Args:
        plan: what to search.
        runs_dir: where searches are kept.
        tracking_uri: of MLflow; MLFLOW_TRACKING_URI or a database in `runs_dir` if left out.
        fresh: set an earlier search of the same name aside.
        observers: told of every trial and epoch.
        command: the command line that asks for it, to be shown with the results.

    Raises:
        NasError: what cannot go on; everything that finished is kept.
        KeyboardInterrupt: the user's; everything that finished is kept.
    """
    from nas.devices import import_tensorflow
    from nas.tracking.store import Store
    from nas.tuning.executors import make_executor

    started = time.monotonic()
    experiment = plan.experiment
    Store.resolve(Path(runs_dir), tracking_uri)  # a mistake in it is told before anything is written
    folder = SearchFolder(Path(runs_dir), experiment.name)
    facts = plan.facts(command)
    # What cannot be packed is told before anything is written, too.
    own = plan.own if plan.own is None or _is_here(experiment) else plan.own.packed()
    if plan.own is not None and plan.own.needs_fit:
        logger.warning("trials train with Keras' fit: nas' own loop takes no metrics, optimizer or callbacks")
    if fresh and folder.path.exists():
        with folder.locked():
            aside = folder.set_aside()
        logger.info("the earlier search is now %s", aside)
    with folder.locked():
        if folder.exists:
            folder.check_same(experiment, plan.space_text, plan.info, facts.own)
        folder.create(experiment, plan.space_text, facts)
        folder.journal.repair()
        folder.check_whole()
        search = Search(experiment.name, runs_dir, data=plan.data)
        limit = experiment.time_limit

        def time_is_over() -> bool:
            return limit is not None and time.monotonic() - started >= limit

        def stage(text: str) -> None:
            for observer in observers:
                observer.on_stage(text)

        stage("starting TensorFlow")
        import_tensorflow()
        with make_executor(experiment, folder, data=plan.data, should_stop=time_is_over, stage=stage) as executor:
            # The data have been read: see `Tracker.start` for why it comes after.
            tracker = _start_tracker(search, tracking_uri)
            done = False
            try:
                told = (*observers, _TrackerObserver(tracker))
                _run_trials(plan, folder, executor, told, time_is_over, own)
                search.refresh()
                if not time_is_over():
                    search.check_succeeded()
                if experiment.final.seeds:
                    run_finals(experiment, search, executor, told, time_is_over, own)
                search.refresh()
                if is_for_devices(experiment) and not time_is_over():
                    search.measure_front()
                if search.task.is_pictured and not time_is_over():
                    draw_front(search)
                done = search.is_done(experiment)
                if time_is_over() and not search.ended_trials:
                    raise SearchError(
                        f"no trial ended in the time limit of {limit:g} seconds; give more time, or fewer epochs"
                    )
                if time_is_over() and not done:
                    logger.warning(
                        "the time limit ended the search with %d of %d trials%s; the same command resumes it",
                        search.ended_trials,
                        experiment.trials,
                        " and before its final stage was done" if experiment.final.seeds else "",
                    )
            finally:
                search.refresh()
                with suppress(OSError):  # a full disk has been told of
                    folder.add_seconds(time.monotonic() - started)
                tracker.finish(search.trials, status="FINISHED" if done else "KILLED")
                left = math.inf if limit is None else limit - (time.monotonic() - started)
                if not tracker.close(min(CLOSE_SECONDS, max(CLOSE_SECONDS_OVER, left))):
                    logger.warning(
                        "%d trials are not in MLflow yet: %s. To write them: %s",
                        tracker.pending,
                        tracker.problem.rstrip("."),
                        command_line("sync", search.name, runs_dir=Path(runs_dir), tracking_uri=tracking_uri),
                    )
        return search


def _run_trials(
    plan: Plan,
    folder: SearchFolder,
    executor: Executor,
    observers: tuple[Observer, ...],
    time_is_over: Callable[[], bool],
    own: Own | bytes | None,
) -> None:
    from nas.tuning.oracle import StrategyOracle
    from nas.tuning.parents import nearest
    from nas.tuning.tuner import ArchitectureTuner

    experiment = plan.experiment

    def find_parent(architecture: Architecture, trials: Iterable[TrialRecord]) -> int | None:
        return nearest(plan.proposals.space_of(architecture), experiment.costs, architecture, trials)

    oracle = StrategyOracle(
        strategy=plan.starting(),
        early_stopping=plan.early_stopping,
        journal=folder.journal,
        max_trials=experiment.trials,
        seed=experiment.seed,
        should_stop=time_is_over,
        find_parent=find_parent if experiment.inherit else None,
        patience=experiment.patience,
    )
    ArchitectureTuner(
        oracle=oracle,
        executor=executor,
        folder=folder,
        observers=observers,
        experiment=experiment,
        should_stop=time_is_over,
        own=own,
    ).search()
    if oracle.failure:
        raise SearchError(oracle.failure)
    if is_out_of_patience(oracle.history, plan.objectives, experiment.patience):
        gain = oracle.strategy.expected_gain(oracle.history, random_numbers(experiment.seed, len(oracle.records)))
        logger.warning(
            "ended after %d trials: the last %d gained less than %g hypervolume%s",
            len(oracle.records),
            experiment.patience,
            GAIN,
            "" if gain is None else f"; the next is expected to gain {gain:.2g}",
        )
    if oracle.exhausted:
        logger.warning("all %d architectures inside the budget were tried", len(oracle.records))


def _is_here(experiment: ExperimentConfig) -> bool:
    """Whether this process trains."""
    return experiment.engine == "local" and experiment.workers == 0


def _start_tracker(search: Search, tracking_uri: str | None) -> Tracker:
    from nas.tracking import Tracker

    tracker = Tracker(search.tracking_run(tracking_uri))
    tracker.start(search.description(), [t for t in search.trials if t.status is not TrialStatus.RUNNING])
    return tracker


@final
class _TrackerObserver(Observer):
    """Passes ended trials to MLflow's thread once a worker trains again: until then the next proposal needs Python.

    Trials that are not passed on at the end are among those that `Tracker.finish` is given.
    """

    def __init__(self, tracker: Tracker) -> None:
        self.tracker = tracker
        self._ended: list[TrialRecord] = []
        self._told = False

    def on_epoch(self, record: TrialRecord, epoch: int, metrics: dict[str, float]) -> None:
        if self._ended:
            self.tracker.update_front(self._ended)
            self._ended = []

    def on_final(self, record: TrialRecord, done: int, total: int) -> None:
        self.tracker.update_front([record])

    def on_trial_end(self, record: TrialRecord) -> None:
        self._ended.append(record)
        if self.tracker.url and not self._told:
            logger.info("watch it at %s", self.tracker.url)
            self._told = True
