"""A search on disk: its trials, its front, what can be made of them."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, final

from nas.command_line import runs_folder
from nas.config import ExperimentConfig
from nas.errors import NasError
from nas.files import outside
from nas.objectives import COSTS, Objectives
from nas.quantity import counted, whole_number
from nas.results.effects import Effect
from nas.results.noise import without_noise
from nas.results.pareto import ParetoFront, hypervolume
from nas.results.trial import TrialRecord, TrialStatus
from nas.space import SearchSpace
from nas.space.definition import parse_definition
from nas.space.recipe_space import Proposal, RecipeSpace
from nas.strategies import EhviStrategy, history_of
from nas.strategies.early_stopping import make_early_stopping
from nas.strategies.expectation import with_expectations
from nas.strategies.guard import is_out_of_patience
from nas.strategies.importance import effects
from nas.tasks import TASKS, Breakdown, Task
from nas.tasks.tiles import is_picture
from nas.tuning.decided import choices, decided
from nas.tuning.final import candidates, missing
from nas.tuning.folder import SearchError, SearchFolder
from nas.tuning.journal import Contents
from nas.tuning.recipes import recipe_space
from nas.tuning.shipped import with_shipped

if TYPE_CHECKING:
    from pandas import DataFrame

    from nas.architecture.keras_types import KerasModel
    from nas.datasets import InMemory
    from nas.export import ExportReport, PixelType
    from nas.reports import Story
    from nas.reports.front_figures import Picture
    from nas.tracking import RunStatus, SearchRun
    from nas.tracking.model_registry import RegisteredModel
    from nas.training.model import Weights

logger = logging.getLogger(__name__)


def one_limit(max_params: int | str | None, max_parameters: int | str | None) -> int | str | None:
    """What an argument says under one of its two names.

    Raises:
        SearchError: both are given.
    """
    if max_params is not None and max_parameters is not None:
        raise SearchError("max_parameters is the earlier name of max_params; give max_params alone")
    return max_parameters if max_params is None else max_params


@cache
def _tell_unchecked(path: Path, lines: int) -> None:
    """Once per file."""
    logger.warning(
        "%s of %s without a checksum, as earlier versions wrote them: changes to them go unnoticed",
        counted(lines, "line"),
        path,
    )


@final
class Search:
    """A search on disk, running or finished. Its trials are read once; `refresh` reads them again.

    Args:
        name: of the search.
        runs_dir: where searches are kept; NAS_RUNS_DIR, else "runs", if left out.
        data: its images, if a program has them and no file.

    Attributes:
        folder: where everything of it is.
        data: its images, if a program has them.
    """

    def __init__(self, name: str, runs_dir: str | Path | None = None, *, data: InMemory | None = None) -> None:
        self.folder = SearchFolder(runs_folder(runs_dir), name)
        self.experiment = self.folder.experiment()
        self.facts = self.folder.facts()
        self.data = data

    @property
    def name(self) -> str:
        return self.folder.name

    def refresh(self) -> None:
        """Forget the trials that were read; the next use reads them again."""
        for name in ("_journal", "observed_trials", "trials", "front", "hypervolume", "effects"):
            self.__dict__.pop(name, None)

    @cached_property
    def _journal(self) -> Contents:
        contents = self.folder.journal.read()
        if contents.unchecked:
            _tell_unchecked(self.folder.journal.path, contents.unchecked)
        return contents

    @cached_property
    def trials(self) -> tuple[TrialRecord, ...]:
        """Every trial, in order; the `score` of a completed one is its expected score, given all trainings so far."""
        return self.expected(self.observed_trials)

    def expected(self, records: Sequence[TrialRecord]) -> tuple[TrialRecord, ...]:
        """Trials of the search, with what is expected of each if these are all that is known."""
        return with_expectations(
            records, self.proposals, self.experiment.budget, self.objectives, kept=self.folder.kept_weights()
        )

    @cached_property
    def observed_trials(self) -> tuple[TrialRecord, ...]:
        """Every trial, in order, with the score that was observed."""
        return with_shipped(self._journal.trials, self.folder.shipped(0).parent, self.experiment.score)

    @property
    def exhausted(self) -> bool:
        """Whether every architecture of the space inside the budget has been tried."""
        return self._journal.exhausted

    @cached_property
    def front(self) -> ParetoFront[TrialRecord]:
        """The Pareto front of the validation score against the search's costs: parameters, if it names no other."""
        return ParetoFront.of(self.trials, self.objectives.costs)

    @cached_property
    def hypervolume(self) -> float:
        """How good the front is, in [0, 1], as `nas.results.pareto.hypervolume` defines it."""
        return hypervolume(self.front, self.objectives)

    @cached_property
    def objectives(self) -> Objectives:
        """What the search maximizes and what it keeps low."""
        facts = self.facts
        ranges = {COSTS.find(name): ends for name, ends in facts.ranges.items()}
        return Objectives(
            score=self.experiment.score,
            interest=ranges,
            floor=facts.floor,
            finest=facts.finest,
            budget=self.experiment.budget.most(next(iter(ranges))),
        )

    @cached_property
    def space(self) -> SearchSpace:
        """The networks that were searched; those on the first form of the images if there were several."""
        return self.proposals.forms[0].space

    @cached_property
    def proposals(self) -> RecipeSpace:
        """What was searched: networks, and what they were trained with."""
        definition = parse_definition(self.folder.space_text(), self.experiment.space)
        classes = len(self.facts.labels) or None
        return recipe_space(definition, self.experiment, self.facts.input_shape, classes=classes)

    @property
    def task(self) -> Task:
        """What the networks are for."""
        return TASKS.find(self.facts.task)

    @property
    def finished(self) -> bool:
        """Whether every trial that was asked for, or that is possible, has ended, and none will continue."""
        return self.is_done(self.experiment)

    def is_done(self, experiment: ExperimentConfig) -> bool:
        """Whether nothing is left to do if this is asked for, which may have more trials or another final stage."""
        early_stopping = make_early_stopping(experiment.early_stopping, experiment.training.epochs, self.objectives)
        history = history_of(self.observed_trials)
        running = bool(history.running)
        no_more = self.exhausted or is_out_of_patience(history, self.objectives, experiment.patience)
        return (
            (self.ended_trials >= experiment.trials or (no_more and not running))
            and early_stopping.promote(history, more=False) is None
            and not (experiment.final.seeds and missing(self.final_candidates(experiment), experiment))
        )

    def final_candidates(self, experiment: ExperimentConfig) -> list[TrialRecord]:
        """The trials that the final stage trains, in order.

        Its results can bring others onto the front: with `all-front` they are trained too, in rounds. Each round
        follows from the trainings of complete rounds alone, so that a kill changes nothing.
        """
        chosen: set[int] = set()
        while True:
            known = [trial if trial.number in chosen else replace(trial, finals=()) for trial in self.observed_trials]
            found = {t.number for t in candidates(self.expected(known), experiment.final, self.objectives)}
            trials = [trial for trial in self.observed_trials if trial.number in chosen | found]
            if found <= chosen or experiment.final.top != "all-front" or missing(trials, experiment):
                return trials
            chosen |= found

    def check_succeeded(self) -> None:
        """Refuse a search without a result.

        Raises:
            SearchError: every trial failed.
        """
        trials = self.observed_trials
        if trials and all(record.status is TrialStatus.FAILED for record in trials):
            raise SearchError(
                f"every trial failed, the last with: {trials[-1].reason.rstrip('.')}; fix that and start over "
                f"with --fresh"
            )

    @property
    def ended_trials(self) -> int:
        """How many trials have ended, failed ones and stopped ones included; not those that were refused."""
        return sum(trial.status not in (TrialStatus.RUNNING, TrialStatus.REFUSED) for trial in self.observed_trials)

    def best(self, max_params: int | str | None = None, *, max_parameters: int | str | None = None) -> TrialRecord:
        """The point of the front with the highest score, apart from those that noise explains.

        Args:
            max_params: the most parameters that it may have; a number, or text such as "20k".
            max_parameters: earlier name of `max_params`.

        Raises:
            NasError: there is none.
        """
        limit = one_limit(max_params, max_parameters)
        try:
            most = None if limit is None else whole_number(limit)
        except ValueError as error:
            raise SearchError(f"max_params {error}") from None
        return without_noise(self.front).best(most)

    def _chosen(self, trial: int | None, max_params: int | str | None) -> TrialRecord:
        """A trial by its number, or the best one of a size."""
        if trial is None:
            return self.best(max_params)
        if max_params is not None:
            raise SearchError("trial and max_params each choose the network; give one of them")
        return self.trial(trial)

    def trial(self, number: int) -> TrialRecord:
        """One trial.

        Raises:
            SearchError: there is none of that number.
        """
        if not 0 <= number < len(self.trials):
            raise SearchError(f"the search {self.name!r} has no trial {number}; it has {len(self.trials)}, from 0")
        return self.trials[number]

    def weights_of(self, record: TrialRecord) -> Weights:
        """The weights of a trial on the front, in the order of `keras.Model.get_weights()`.

        Raises:
            NasError: they were not kept.
        """
        from nas.training import load_weights

        path = self.folder.weights(record.number)
        if not path.is_file():
            kept = ", ".join(map(str, sorted(self.folder.kept_weights()))) or "none"
            raise NasError(
                f"the weights of trial {record.number} were not kept: only trials on the front and near it keep "
                f"theirs; choose one of {kept}"
            )
        return load_weights(path, record.architecture)

    def load_model(self, trial: int | None = None, *, max_params: int | str | None = None) -> KerasModel:
        """The trained `keras.Model` of a point of the front, for example to evaluate or fine-tune it.

        It takes float32 images `(n, height, width, channels)` in [0, 1] and returns what its head makes, for
        classification class probabilities `(n, classes)`. It is not compiled.

        Args:
            trial: its number.
            max_params: the best point with at most this many parameters instead; the one with the highest score if
                neither is given.

        Raises:
            NasError: there is none, or its weights were not kept.
        """
        from nas.training import rebuild

        record = self._chosen(trial, max_params)
        return rebuild(record.architecture, self.weights_of(record))

    def to_dataframe(self) -> DataFrame:
        """Every trial as a row: number, status, costs, scores, whether it is on the front, architecture."""
        import pandas

        from nas.reports.front_tables import trial_rows

        return pandas.DataFrame(trial_rows(self.trials, self.front, self.objectives.score))

    def plot(self) -> Picture:
        """The front against its first cost, as a notebook shows it; `.save(path)` writes it as .svg."""
        from nas.reports.front_figures import Picture, front_svg

        objectives = self.objectives
        title = f"{self.name}: {objectives.score.heading} against {objectives.axis.heading}"
        return Picture(front_svg(self.trials, title=title, objectives=objectives).decode())

    def _repr_html_(self) -> str:
        """What a notebook shows: the picture of the front, and its points."""
        from nas.reports.front_tables import front_html_table

        return self.plot().svg + front_html_table(self.front, self.objectives.score)

    @cached_property
    def effects(self) -> list[Effect]:
        """What each decision changes about the score at equal size, the largest effect first; [] before ten trials."""
        strategy = EhviStrategy(self.proposals, self.experiment.budget, self.objectives)
        of_space = [each for each in self.observed_trials if Proposal(each.architecture, each.recipe) in self.proposals]
        return effects(strategy, history_of(of_space))

    def breakdown(self, record: TrialRecord) -> Breakdown | None:
        """Details behind the score of a trial that has kept its weights, such as a confusion matrix.

        None: nothing was kept, as by earlier versions, or the task has no details.
        """
        path = self.folder.evidence(record.number)
        if not path.is_file():
            return None

        def refuse(reason: str) -> NasError:
            return NasError(f"{path} is damaged ({reason}); delete it, and it is left out of reports")

        with outside.door(refuse), outside.open_arrays(path) as file:
            evidence = file["evidence"]
            found = self.task.breakdown(evidence, self.facts.labels) if len(evidence) else None
        if found is not None and (drawn := self.folder.predictions(record.number)).is_file():
            text = outside.read_text(drawn, refuse)
            if not is_picture(text):
                raise NasError(f"{drawn} is no picture of predictions; delete it, and it is left out of reports")
            return replace(found, predictions=text)
        return found

    def export(
        self,
        to: str | Path,
        *,
        max_params: int | str | None = None,
        trial: int | None = None,
        format: str = "savedmodel",
        pixels: PixelType = "int8",
        allowed_loss: float | None = None,
        max_parameters: int | str | None = None,
    ) -> ExportReport:
        """Write a trained network of the front, checked against the trained one on the validation images.

        If the data are no longer available, it is checked on random images instead, with a warning; quantized formats
        need the data. Once the final stage has run, the export is scored on the test images too.

        Args:
            to: folder to write.
            max_params: the best point with at most this many parameters; a number, or text such as "20k".
            trial: number of the trial instead; the one with the highest score if neither is given.
            format: keys of `nas.export.FORMATS`, with commas between them.
            pixels: what a quantized network takes.
            allowed_loss: how much validation score quantization may cost, in [0, 1]; 0.01 if left out.
            max_parameters: earlier name of `max_params`.

        Raises:
            NasError: nothing fits, the weights were not kept, a package is missing, or the export predicts something
                else.
        """
        from nas.tuning.delivery import export

        record = self._chosen(trial, one_limit(max_params, max_parameters))
        return export(self, record, Path(to), format=format, pixels=pixels, allowed_loss=allowed_loss)

    def measure_front(self) -> None:
        """Measure flash, RAM and score of the int8 files of the front, where they are not known yet.

        A point takes some seconds, once: the results are kept. RAM needs the extra `tflm`. Networks without an int8
        file, or with one that TFLM cannot run, cause a warning.

        Raises:
            NasError: the images are not available.
        """
        from nas.tuning.delivery import measure_front

        measure_front(self)

    def register(
        self,
        model_name: str,
        *,
        trial: int | None = None,
        tracking_uri: str | None = None,
        export: ExportReport | None = None,
    ) -> RegisteredModel:
        """Register a trained network of the front in MLflow's model registry, as `champion`.

        Args:
            model_name: of the registered model; created if there is none.
            trial: number of the trial; the one with the highest score if left out.
            tracking_uri: of MLflow; see `nas.search`.
            export: of that trial; if it has an int8 network, its files are registered too.

        Raises:
            NasError: the weights were not kept, or MLflow does not have the trial.
        """
        from nas.tuning.delivery import register

        record = self.best() if trial is None else self.trial(trial)
        return register(self, record, model_name, tracking_uri=tracking_uri, export=export)

    def tracking_run(self, tracking_uri: str | None = None) -> SearchRun:
        """The search as MLflow shows it."""
        from nas.tracking import SearchRun, Store, search_id

        return SearchRun(
            store=Store.resolve(self.folder.runs_dir, tracking_uri),
            experiment=self.facts.dataset,
            name=self.name,
            search_id=search_id(self.folder.path),
            objectives=self.objectives,
            story=self.story(),
            breakdown=self.breakdown,
            effects=lambda: self.effects,
            data=self.folder.facts().data,  # which a search learns only after it has started
            choices=choices(self.proposals),
            decided=lambda record: decided(self.proposals, record),
            spent=lambda: self.folder.seconds,
        )

    def sync(self, tracking_uri: str | None = None, *, finished: bool | None = None) -> int:
        """Write to MLflow what it lacks of the search, after its server was unreachable or on another server.

        Args:
            tracking_uri: of the store; the search's own if left out.
            finished: whether nothing is left to do; left out, what the search was started with says so.

        Returns:
            How many trials were added.

        Raises:
            NasError: the store cannot be written, or another process holds the search.
        """
        from nas.tracking import sync

        # One process at a time may write a search's runs.
        with self.folder.locked():
            self.refresh()
            status: RunStatus = "FINISHED" if (self.finished if finished is None else finished) else "KILLED"
            return sync(self.tracking_run(tracking_uri), self.trials, description=self.description(), status=status)

    def report(self) -> str:
        """The search as one HTML page that works offline."""
        from nas.reports.search_page import report_html

        return report_html(
            [trial for trial in self.trials if trial.status is not TrialStatus.RUNNING],
            name=self.name,
            story=self.story(),
            objectives=self.objectives,
            finished=self.finished,
            breakdown=self.breakdown,
            effects=self.effects,
        )

    def story(self) -> Story:
        """How the search came about, for people."""
        from nas.tuning.provenance import story_of

        return story_of(self.experiment, self.facts, self.folder.space_text())

    def description(self) -> dict[str, str]:
        """The experiment as MLflow shows it: one value a key."""
        from nas.tuning.provenance import flattened

        return flattened(self.experiment.model_dump(mode="json") | self.facts.own)

    def __repr__(self) -> str:
        return f"Search({self.name!r}, {len(self.trials)} trials)"
