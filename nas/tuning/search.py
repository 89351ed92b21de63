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
from nas.tuning.final import candidates, how_taught, missing
from nas.tuning.folder import SearchError, SearchFolder
from nas.tuning.journal import Contents
from nas.tuning.recipes import recipe_space
from nas.tuning.shipped import keep, lacks, with_shipped

if TYPE_CHECKING:
    import numpy as np
    from pandas import DataFrame

    from nas.architecture.keras_types import KerasModel
    from nas.datasets import InMemory
    from nas.datasets.spec import DatasetSpec
    from nas.export import ExportReport, PixelType
    from nas.reports import Story
    from nas.reports.front_figures import Picture
    from nas.tracking import RunStatus, SearchRun
    from nas.tracking.model_registry import RegisteredModel
    from nas.training.distillation import Teacher
    from nas.training.model import Weights

logger = logging.getLogger(__name__)


@cache
def _tell_unchecked(path: Path, lines: int) -> None:
    """Once per file."""
    logger.warning(
        "%s of %s without a checksum, as earlier versions wrote them: a change would not be seen",
        counted(lines, "line"),
        path,
    )


RANDOM_IMAGES = 64
"""On which an export is checked when the data are gone."""


@final
class Search:
    """A search on disk, running or finished, as it was when its trials were first asked for.

    Args:
        name: of the search.
        runs_dir: where searches are kept; NAS_RUNS_DIR, else "runs", if left out.
        data: its images, if a program has them and no file.

    Attributes:
        folder: where everything of it is.
    """

    def __init__(self, name: str, runs_dir: str | Path | None = None, *, data: InMemory | None = None) -> None:
        self.folder = SearchFolder(runs_folder(runs_dir), name)
        self.experiment = self.folder.experiment()
        self.facts = self.folder.facts()
        self._data = data

    @property
    def name(self) -> str:
        return self.folder.name

    def refresh(self) -> None:
        """Forget the trials that were read: the next use reads them anew."""
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
        """Every trial, in order; the `score` of a completed one is what is expected of it after all that is known."""
        return self._with_expectations(self.observed_trials)

    def _with_expectations(self, records: Sequence[TrialRecord]) -> tuple[TrialRecord, ...]:
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
        """Of the validation score against the search's costs: parameters, if it names no other."""
        return ParetoFront.of(self.trials, self.objectives.costs)

    @cached_property
    def hypervolume(self) -> float:
        """Share in [0, 1] of (log costs, score) that the front dominates, under the search's budget."""
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
        """Whether every trial that was asked for, or that there can be, has ended, and none shall go on."""
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

        What it comes to can bring others onto the front: with `all-front` they are trained too, in rounds. Each round
        follows from the trainings of complete rounds alone, so that a kill changes nothing.
        """
        chosen: set[int] = set()
        while True:
            known = [trial if trial.number in chosen else replace(trial, finals=()) for trial in self.observed_trials]
            found = {t.number for t in candidates(self._with_expectations(known), experiment.final, self.objectives)}
            trials = [trial for trial in self.observed_trials if trial.number in chosen | found]
            if found <= chosen or experiment.final.top != "all-front" or missing(trials, experiment):
                return trials
            chosen |= found

    def teacher(self, experiment: ExperimentConfig) -> Teacher:
        """Whose answers the final stage teaches: a file, or the network of the front with the highest score before it.

        Raises:
            NasError: the file cannot be read, or the network's weights were not kept.
        """
        from nas.training.distillation import Teacher

        final = experiment.final
        how = how_taught(final)
        if final.teacher != "best":
            path = Path(final.teacher)
            content = outside.read_bytes(
                path, lambda reason: SearchError(f"final.teacher: cannot read {path}: {reason}")
            )
            name = f"{path.name}{how}"
            return Teacher(name=name, file=content, temperature=final.temperature, weight=final.weight)
        plain = self._with_expectations([replace(trial, finals=()) for trial in self.observed_trials])
        best = ParetoFront.of(plain, self.objectives.costs).best()
        return Teacher(
            name=f"trial {best.number}{how}",
            architecture=best.architecture.to_json(),
            weights=self.weights_of(best),
            temperature=final.temperature,
            weight=final.weight,
        )

    def check_succeeded(self) -> None:
        """Refuse a search without a result.

        Raises:
            SearchError: every trial failed.
        """
        trials = self.observed_trials
        if trials and all(record.status is TrialStatus.FAILED for record in trials):
            raise SearchError(
                f"every trial failed, the last with: {trials[-1].reason.rstrip('.')}. Mend that and start over "
                f"with --fresh."
            )

    @property
    def ended_trials(self) -> int:
        """How many trials have ended, failed ones and stopped ones included; not those that were refused."""
        return sum(trial.status not in (TrialStatus.RUNNING, TrialStatus.REFUSED) for trial in self.observed_trials)

    def best(self, max_params: int | str | None = None, *, max_parameters: int | str | None = None) -> TrialRecord:
        """The point of the front with the highest score, of those that noise does not explain.

        Args:
            max_params: the most parameters that it may have; a number, or text such as "20k".
            max_parameters: earlier name of `max_params`.

        Raises:
            NasError: there is none.
        """
        limit = max_parameters if max_params is None else max_params
        try:
            most = None if limit is None else whole_number(limit)
        except ValueError as error:
            raise SearchError(f"max_params {error}") from None
        return without_noise(self.front).best(most)

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
        """The trained `keras.Model` of a point of the front, for a program's own evaluation or fine-tuning.

        It takes float32 images `(n, height, width, channels)` in [0, 1] and returns what its head makes, for
        classification class probabilities `(n, classes)`. It is not compiled.

        Args:
            trial: its number.
            max_params: the best point with at most so many parameters instead; the one with the highest score if
                neither is given.

        Raises:
            NasError: there is none, or its weights were not kept.
        """
        from nas.training import rebuild

        record = self.best(max_params) if trial is None else self.trial(trial)
        return rebuild(record.architecture, self.weights_of(record))

    def to_dataframe(self) -> DataFrame:
        """Every trial as a row: number, status, costs, scores, whether it is on the front, architecture."""
        import pandas

        score, on_front = self.objectives.score, {point.number for point in self.front}
        costs = [cost for cost in COSTS.values() if any(trial.has_cost(cost) for trial in self.trials)]
        rows = [
            {
                "trial": trial.number,
                "status": str(trial.status),
                **{cost.name: trial.cost(cost) if trial.has_cost(cost) else None for cost in costs},
                **score.spelled_keys({k: v for k, v in trial.metrics.items() if k not in COSTS}),
                "on_front": trial.number in on_front,
                "duration_seconds": trial.duration_seconds,
                "architecture": trial.architecture.describe(),
            }
            for trial in self.trials
        ]
        return pandas.DataFrame(rows)

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
        """What lies behind the score of a trial that has kept its weights, such as a confusion matrix.

        None: nothing was kept, as by earlier versions, or the task has no more to tell.
        """
        path = self.folder.evidence(record.number)
        if not path.is_file():
            return None

        def refuse(reason: str) -> NasError:
            return NasError(f"{path} is damaged ({reason}); delete it, and it is left out of reports")

        with outside.door(refuse), outside.open_arrays(path) as file:
            evidence = file["evidence"]
            return self.task.breakdown(evidence, self.facts.labels) if len(evidence) else None

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

        If the data are no longer there, it is checked on random images instead, of which a warning tells; quantized
        formats need them. Once the final stage has run, the export is scored on the test images too.

        Args:
            to: folder that is made.
            max_params: the best point with at most so many parameters; a number, or text such as "20k".
            trial: number of the trial instead; the one with the highest score if neither is given.
            format: keys of `nas.export.FORMATS`, with commas between them.
            pixels: what a quantized network takes.
            allowed_loss: most that its validation score may lose by rounding, in [0, 1]; 0.01 if left out.
            max_parameters: earlier name of `max_params`.

        Raises:
            NasError: nothing fits, the weights were not kept, a package is missing, or the export predicts something
                else.
        """
        from nas.devices import import_tensorflow

        import_tensorflow()
        from nas.export import FORMATS, export
        from nas.export.exporter import ALLOWED_LOSS

        record = self.best(max_params, max_parameters=max_parameters) if trial is None else self.trial(trial)
        weights = self.weights_of(record)
        quantized = any(FORMATS.find(name).is_quantized for name in format.split(","))
        data = self._needed_images() if quantized else self._images()
        report = export(
            record.architecture,
            weights,
            labels=self.facts.labels,
            to=Path(to),
            check_images=self._random_images() if data is None else data.validation.images,
            check_targets=None if data is None else data.validation.targets,
            test=(data.test.images, data.test.targets) if data is not None and record.is_tested else None,
            format=format,
            calibration=None if data is None else data.train.images,
            pixels=pixels,
            allowed_loss=ALLOWED_LOSS if allowed_loss is None else allowed_loss,
            inherited_from=record.parent,
            score=self.experiment.score,
            recipe=record.recipe,
            image_shape=self.facts.input_shape,
        )
        if data is not None and (facts := report.int8_facts(images=len(data.validation))):
            keep(self.folder.shipped(record.number), facts, self.experiment.score)
            self.refresh()
        return report

    def measure_front(self) -> None:
        """Measure the int8 files of the front's points where something of them is not known: flash, RAM, score.

        A point takes some seconds, once: what was measured is kept. RAM needs the extra `tflm`. A warning tells of a
        network that has no int8 file, or none that TFLM can run.

        Raises:
            NasError: the images are not at hand.
        """
        score = self.experiment.score
        points = [point for point in self.front if lacks(point, score) and self.folder.weights(point.number).is_file()]
        if not points:
            return
        from nas.devices import import_tensorflow

        import_tensorflow()
        from nas.export import int8_facts
        from nas.training.model import shaped

        data = self._needed_images()
        logger.info("measuring the int8 files of %s of the front", counted(len(points), "point"))
        for point in points:
            shape = point.architecture.input_shape
            try:
                facts = int8_facts(
                    point.architecture,
                    self.weights_of(point),
                    calibration=shaped(data.train.images, shape),
                    validation=(shaped(data.validation.images, shape), data.validation.targets),
                    score=score.in_training,
                )
            except NasError as error:
                logger.warning("trial %d: %s", point.number, error)
            else:
                keep(self.folder.shipped(point.number), facts, score)
        self.refresh()

    def register(
        self,
        model_name: str,
        *,
        trial: int | None = None,
        tracking_uri: str | None = None,
        export: ExportReport | None = None,
    ) -> RegisteredModel:
        """Put a trained network of the front into MLflow's model registry, as its `champion`.

        Args:
            model_name: of the registered model; made if there is none.
            trial: number of the trial; the one with the highest score if left out.
            tracking_uri: of MLflow; see `nas.search`.
            export: of that trial; if it has an int8 network, its files are registered too.

        Raises:
            NasError: the weights were not kept, or MLflow does not have the trial.
        """
        from nas.devices import import_tensorflow
        from nas.training import rebuild
        from nas.training.model import shaped

        import_tensorflow()
        from nas.tracking.model_registry import register_model

        record = self.best() if trial is None else self.trial(trial)
        data = self._images()
        return register_model(
            self.tracking_run(tracking_uri),
            record,
            rebuild(record.architecture, self.weights_of(record)),
            name=model_name,
            labels=self.facts.labels,
            example=shaped(
                (self._random_images() if data is None else data.validation.images)[:2], record.architecture.input_shape
            ),
            files=None if export is None or not export.is_for_devices else export.path,
        )

    def _images(self) -> DatasetSpec | None:
        """The images of the search; None: they are not at hand, of which a warning tells."""
        from nas.datasets import DatasetError

        try:
            return self._checked_images()
        except (DatasetError, SearchError) as error:
            logger.warning("checked on %d random images, as the data are not at hand: %s", RANDOM_IMAGES, error)
            return None

    def _needed_images(self) -> DatasetSpec:
        """The images of the search, for an int8 file.

        Raises:
            SearchError: they are not at hand.
        """
        from nas.datasets import DatasetError

        try:
            return self._checked_images()
        except (DatasetError, SearchError) as error:
            raise SearchError(f"a quantized network is calibrated on the training images: {error}") from None

    def _checked_images(self) -> DatasetSpec:
        from nas.datasets import load, whole

        data = load(whole(self.experiment)) if self._data is None else self._data.load()
        self.folder.check_data(data)
        return data

    def _random_images(self) -> np.ndarray:
        import numpy as np

        return np.random.default_rng(0).integers(0, 256, (RANDOM_IMAGES, *self.facts.input_shape), np.uint8)

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
        )

    def sync(self, tracking_uri: str | None = None, *, finished: bool | None = None) -> int:
        """Bring MLflow up to date with the search, after its server was away, or to fill another one.

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
        """The search as one HTML page that needs no network."""
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
