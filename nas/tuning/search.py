"""A search from its experiment to its front: planned, run, continued, looked at."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, final

from nas.architecture import Architecture
from nas.config import ExperimentConfig
from nas.datasets import DatasetInfo, peek
from nas.pareto import ParetoFront, hypervolume
from nas.resources import find_space
from nas.space import SearchSpace, load_space
from nas.strategies import Strategy, make_strategy
from nas.strategies.early_stopping import EarlyStopping, make_early_stopping
from nas.trial import TrialRecord, TrialStatus
from nas.tuning.accelerators import check
from nas.tuning.final import missing, run_finals
from nas.tuning.folder import SearchError, SearchFacts, SearchFolder

if TYPE_CHECKING:
    from nas.export import ExportReport
    from nas.tracking import SearchRun, Story, Tracker
    from nas.tracking.registry import RegisteredModel
    from nas.tuning.execution import Executor
    from nas.tuning.tuner import Observer

logger = logging.getLogger(__name__)

CLOSE_SECONDS = 30.0
"""How long the end of a search waits for MLflow."""


@final
@dataclass(frozen=True, kw_only=True)
class Plan:
    """Everything that is known before the first trial; made without TensorFlow.

    Raises:
        NasError: anything in the experiment that cannot work.
    """

    experiment: ExperimentConfig
    info: DatasetInfo
    space: SearchSpace
    strategy: Strategy[Architecture]
    early_stopping: EarlyStopping
    space_text: str

    @classmethod
    def of(cls, experiment: ExperimentConfig) -> Plan:
        """Resolve names, read the data set's shape, check that the budget can be met."""
        check(experiment, experiment.device)
        if experiment.engine == "ray":
            from nas.tuning.ray_cluster import require_ray

            require_ray()
        info = peek(experiment.dataset)
        space = load_space(experiment.space, input_shape=info.input_shape, classes=info.classes)
        strategy = make_strategy(experiment.strategy, space, experiment.budget.budget())
        return cls(
            experiment=experiment,
            info=info,
            space=space,
            strategy=strategy,
            early_stopping=make_early_stopping(experiment.early_stopping, experiment.training.epochs),
            space_text=find_space(experiment.space).read_text(encoding="utf-8"),
        )

    @property
    def limits(self) -> tuple[int, int]:
        """Parameters of the smallest and the largest network that can be proposed."""
        budget = self.experiment.budget
        smallest = max(self.space.fewest_parameters, budget.min_parameters or 0)
        most = self.space.most_parameters
        return smallest, most if budget.max_parameters is None else min(most, budget.max_parameters)

    def facts(self, command: str = "") -> SearchFacts:
        """What is kept of the plan, and of the machine and the versions that it is about to run with."""
        from nas.tuning.story import machine, versions

        smallest, largest = self.limits
        return SearchFacts(
            command=command,
            machine=machine(),
            versions=versions(),
            dataset=self.info.name,
            input_shape=self.info.input_shape,
            labels=self.info.labels,
            smallest=smallest,
            largest=largest,
        )


@final
class Search:
    """A search on disk, running or finished.

    Attributes:
        folder: where everything of it is.
    """

    def __init__(self, name: str, runs_dir: str | Path = "runs") -> None:
        self.folder = SearchFolder(Path(runs_dir), name)
        self.experiment = self.folder.experiment()
        self.facts = self.folder.facts()

    @property
    def name(self) -> str:
        return self.folder.name

    @property
    def trials(self) -> list[TrialRecord]:
        """Every trial so far, in order."""
        return self.folder.trials()

    @property
    def front(self) -> ParetoFront[TrialRecord]:
        """Of validation accuracy against parameters."""
        return ParetoFront.of(self.trials)

    @property
    def finished(self) -> bool:
        """Whether every trial that was asked for has ended, and none that was stopped shall go on."""
        return self.is_done(self.experiment.trials)

    def is_done(self, trials: int) -> bool:
        """Whether nothing is left to do if that many trials are asked for."""
        early_stopping = make_early_stopping(self.experiment.early_stopping, self.experiment.training.epochs)
        records = self.trials
        return (
            sum(1 for record in records if record.status is not TrialStatus.RUNNING) >= trials
            and early_stopping.promote(records, more=False) is None
            and not missing(records, self.experiment.final, self.experiment.seed)
        )

    @property
    def ended_trials(self) -> int:
        """How many trials have ended, failed ones and stopped ones included."""
        return sum(1 for trial in self.trials if trial.status is not TrialStatus.RUNNING)

    @property
    def hypervolume(self) -> float:
        """Share in [0, 1] of (log parameters, accuracy) that the front dominates, under the search's budget."""
        return hypervolume(self.trials, smallest=self.facts.smallest, largest=self.facts.largest)

    def best(self, max_parameters: int | None = None) -> TrialRecord:
        """The most accurate point of the front with at most so many parameters.

        Raises:
            NasError: there is none.
        """
        return self.front.best(max_parameters)

    def trial(self, number: int) -> TrialRecord:
        """One trial.

        Raises:
            SearchError: there is none of that number.
        """
        trials = {trial.number: trial for trial in self.trials}
        if number not in trials:
            raise SearchError(f"the search {self.name!r} has no trial {number}; it has {len(trials)}, from 0")
        return trials[number]

    def export(
        self,
        to: str | Path,
        *,
        max_parameters: int | None = None,
        trial: int | None = None,
        format: str = "savedmodel",
    ) -> ExportReport:
        """Write a trained network of the front, checked against the trained one on the validation images.

        Args:
            to: folder that is made.
            max_parameters: the best point with at most so many.
            trial: number of the trial instead; the most accurate one if neither is given.
            format: key of `nas.export.FORMATS`.

        Raises:
            NasError: nothing fits, the weights were not kept, or the export predicts something else.
        """
        from nas.training import import_tensorflow, load_weights

        import_tensorflow()
        from nas.datasets import load
        from nas.export import export
        from nas.tuning.tuner import weights_of

        record = self.best(max_parameters) if trial is None else self.trial(trial)
        weights = load_weights(weights_of(self.folder, record), record.architecture)
        images = load(self.experiment.dataset).validation.images
        return export(
            record.architecture, weights, labels=self.facts.labels, to=Path(to), check_images=images, format=format
        )

    def register(
        self, model_name: str, *, trial: int | None = None, tracking_uri: str | None = None
    ) -> RegisteredModel:
        """Put a trained network of the front into MLflow's model registry, as its `champion`.

        Args:
            model_name: of the registered model; made if there is none.
            trial: number of the trial; the most accurate one if left out.
            tracking_uri: of MLflow; see `nas.search`.

        Raises:
            NasError: the weights were not kept, or MLflow does not have the trial.
        """
        from nas.training import import_tensorflow, load_weights, rebuild

        import_tensorflow()
        from nas.datasets import load
        from nas.tracking.registry import register_model
        from nas.tuning.tuner import weights_of

        record = self.best() if trial is None else self.trial(trial)
        weights = load_weights(weights_of(self.folder, record), record.architecture)
        return register_model(
            self.tracking_run(tracking_uri),
            record,
            rebuild(record.architecture, weights),
            name=model_name,
            labels=self.facts.labels,
            example=load(self.experiment.dataset).validation.images[:2],
        )

    def tracking_run(self, tracking_uri: str | None = None) -> SearchRun:
        """The search as MLflow shows it."""
        from nas.tracking import SearchRun, Store, search_id

        return SearchRun(
            store=Store.resolve(self.folder.runs_dir, tracking_uri),
            experiment=self.facts.dataset,
            name=self.name,
            search_id=search_id(self.folder.path),
            limits=(self.facts.smallest, self.facts.largest),
            max_parameters=self.experiment.budget.max_parameters,
            story=self.story(),
        )

    def report(self) -> str:
        """The search as one HTML page that needs no network."""
        from nas.tracking.report import report_html

        return report_html(
            [trial for trial in self.trials if trial.status is not TrialStatus.RUNNING],
            name=self.name,
            story=self.story(),
            limits=(self.facts.smallest, self.facts.largest),
            max_parameters=self.experiment.budget.max_parameters,
            finished=self.finished,
        )

    def story(self) -> Story:
        """How the search came about, for people."""
        from nas.tuning.story import story_of

        return story_of(self.experiment, self.facts, self.folder.space_text())

    def description(self) -> dict[str, str]:
        """The experiment as MLflow shows it: one value a key."""
        flat: dict[str, str] = {}

        def walk(prefix: str, value: object) -> None:
            if isinstance(value, dict):
                for key, inner in value.items():
                    walk(f"{prefix}.{key}" if prefix else key, inner)
            elif value not in (None, ""):
                flat[prefix] = str(value)

        walk("", self.experiment.model_dump(mode="json"))
        return flat

    def __repr__(self) -> str:
        return f"Search({self.name!r}, {len(self.trials)} trials)"


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
    from nas.training import import_tensorflow
    from nas.tuning.resources import make_executor

    started = time.monotonic()
    experiment = plan.experiment
    folder = SearchFolder(Path(runs_dir), experiment.name)
    if fresh and folder.path.exists():
        with folder.locked():
            aside = folder.set_aside()
        logger.info("the earlier search is now %s", aside)
    with folder.locked():
        if folder.exists:
            folder.check_same(experiment, plan.space_text)
        folder.create(experiment, plan.space_text, plan.facts(command))
        folder.journal.repair()
        search = Search(experiment.name, runs_dir)
        limit = experiment.time_limit

        def time_is_over() -> bool:
            return limit is not None and time.monotonic() - started >= limit

        import_tensorflow()
        with make_executor(experiment, folder, should_stop=time_is_over) as executor:
            # The data have been read: see `Tracker.start` for why it comes after.
            tracker = _start_tracker(search, tracking_uri)
            interrupted = True
            try:
                told = (*observers, _TrackerObserver(tracker))
                _run_trials(plan, folder, executor, told, time_is_over)
                run_finals(experiment, folder, executor, told, time_is_over)
                interrupted = False
            finally:
                tracker.finish(search.trials, status="KILLED" if interrupted else "FINISHED")
                if not tracker.close(CLOSE_SECONDS):
                    logger.warning(
                        "%d trials are not in MLflow yet: %s Write them with: nas sync %s",
                        tracker.pending,
                        tracker.problem,
                        search.name,
                    )
        return search


def _run_trials(
    plan: Plan,
    folder: SearchFolder,
    executor: Executor,
    observers: tuple[Observer, ...],
    time_is_over: Callable[[], bool],
) -> None:
    from nas.tuning.oracle import FAILURES, StrategyOracle
    from nas.tuning.tuner import ArchitectureTuner

    experiment = plan.experiment
    oracle = StrategyOracle(
        strategy=plan.strategy,
        early_stopping=plan.early_stopping,
        journal=folder.journal,
        max_trials=experiment.trials,
        seed=experiment.seed,
        should_stop=time_is_over,
    )
    ArchitectureTuner(
        oracle=oracle,
        executor=executor,
        folder=folder,
        observers=observers,
        seed=experiment.seed,
        should_stop=time_is_over,
    ).search()
    if oracle.failure:
        raise SearchError(
            f"{FAILURES} trials in a row failed, the last with: {oracle.failure.rstrip('.')}. Mend that and run the "
            f"same command again: everything that finished is kept."
        )
    if oracle.exhausted:
        logger.warning("all %d architectures inside the budget were tried", len(oracle.records))


def _start_tracker(search: Search, tracking_uri: str | None) -> Tracker:
    from nas.tracking import Tracker

    tracker = Tracker(search.tracking_run(tracking_uri))
    tracker.start(search.description(), [t for t in search.trials if t.status is not TrialStatus.RUNNING])
    return tracker


@final
class _TrackerObserver:
    """Passes ended trials to MLflow's thread."""

    def __init__(self, tracker: Tracker) -> None:
        self.tracker = tracker
        self._told = False

    def on_trial_begin(self, record: TrialRecord) -> None:
        """Nothing: a run is written once, when it has ended."""

    def on_epoch(self, record: TrialRecord, epoch: int, metrics: dict[str, float]) -> None:
        """Nothing: the curves are written with the run."""

    def on_final(self, record: TrialRecord, done: int, total: int) -> None:
        self.tracker.log_trial(record)

    def on_trial_end(self, record: TrialRecord) -> None:
        self.tracker.log_trial(record)
        if self.tracker.url and not self._told:
            logger.info("watch it at %s", self.tracker.url)
            self._told = True
