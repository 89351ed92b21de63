"""What a search is going to do, known before its first trial."""

from __future__ import annotations

import random
from dataclasses import dataclass
from pathlib import Path
from typing import final

from nas.config import ExperimentConfig
from nas.datasets import DatasetInfo, InMemory, peek, whole
from nas.datasets.augmentation import check_augmentation
from nas.datasets.splits import validation_images
from nas.devices.accelerators import check
from nas.errors import NasError, shown
from nas.export import check_measurable
from nas.files.shipped import find_space, shipped
from nas.objectives import Objectives
from nas.results.trial import TrialRecord, TrialStatus
from nas.space import Definition, SearchSpace, load_definition
from nas.space.interest import objectives_of
from nas.space.recipe_space import Proposal, RecipeSpace
from nas.strategies import Strategy, history_of, make_strategy
from nas.strategies.early_stopping import EarlyStopping, make_early_stopping
from nas.strategies.starting import StartingWith
from nas.tasks import DEFAULT_TASK, TASKS, Task
from nas.training.own import Own
from nas.tuning.facts import SearchFacts
from nas.tuning.folder import SearchFolder
from nas.tuning.recipes import recipe_space
from nas.tuning.starts import from_searches, from_table, named


def random_numbers(seed: int, trial: int) -> random.Random:
    """Those of a trial's proposal: of the search's seed and its number alone, so that any kill changes nothing."""
    return random.Random(f"{seed}/{trial}")


@final
@dataclass(frozen=True, kw_only=True)
class Plan:
    """Everything that is known before the first trial; made without TensorFlow.

    Raises:
        NasError: anything in the experiment that cannot work.
    """

    experiment: ExperimentConfig
    info: DatasetInfo
    proposals: RecipeSpace
    strategy: Strategy[Proposal]
    early_stopping: EarlyStopping
    space_text: str
    start: tuple[Proposal, ...] = ()
    data: InMemory | None = None
    own: Own | None = None

    @classmethod
    def of(
        cls,
        experiment: ExperimentConfig,
        runs_dir: str | Path = "runs",
        *,
        fresh: bool = False,
        data: InMemory | None = None,
        definition: Definition | None = None,
        own: Own | None = None,
    ) -> Plan:
        """Resolve names, read the data set's shape, check that the budget can be met.

        Args:
            experiment: what to search.
            runs_dir: where searches are: those that it starts from, and perhaps this one, which keeps to what it has
                begun with.
            fresh: whether it begins anew even so.
            data: the images, if the program has them; else `experiment.dataset` says where they are.
            definition: of the space, if the program has it; else `experiment.space` says which it is.
            own: what the program brings to each training.
        """
        check(experiment, experiment.device)
        check_measurable(experiment.measured)
        if experiment.engine == "ray":
            from nas.tuning.ray_cluster import require_ray

            require_ray()
        info = peek(whole(experiment)) if data is None else data.info
        definition = definition or load_definition(find_space(experiment.space))
        task = definition.task
        if task != info.task:
            raise NasError(
                f"the heads of the space {experiment.space!r} are for {task}, and the data set {info.name!r} has "
                f"targets for {info.task}; choose a space for {info.task}{_such_as(info.task)}, or other data"
            )
        space = recipe_space(definition, experiment, info.input_shape, classes=len(info.labels) or None)
        _check_training(experiment, space, info)
        if own is not None:
            _check_own(own, experiment)
        experiment = _with_score_of(TASKS[task], experiment)
        objectives = objectives_of(
            space,
            experiment.budget,
            score=experiment.score,
            costs=experiment.costs,
            floor=_floor(TASKS[task], info, experiment),
            **({"finest": 1 / max(images, 2)} if (images := validation_images(info, experiment.dataset)) else {}),
        )
        strategy = make_strategy(experiment.strategy, space, experiment.budget, objectives)
        folder = SearchFolder(Path(runs_dir), experiment.name)
        if folder.exists and not fresh:
            start = [Proposal.from_json(text) for text in folder.facts().start]
        else:
            start = _start(experiment, strategy, space, definition, info, Path(runs_dir))
        return cls(
            experiment=experiment,
            info=info,
            proposals=space,
            strategy=strategy,
            early_stopping=make_early_stopping(experiment.early_stopping, experiment.training.epochs, objectives),
            space_text=definition.text,
            start=tuple({found.id: found for found in start}.values()),
            data=data,
            own=own,
        )

    @property
    def space(self) -> SearchSpace:
        """Its networks; those on the first form of the images if there are several."""
        return self.proposals.forms[0].space

    @property
    def task(self) -> Task:
        """What the networks are for."""
        return TASKS[self.info.task]

    @property
    def objectives(self) -> Objectives:
        """What the search wants, and where."""
        return self.strategy.objectives

    def starting(self) -> Strategy[Proposal]:
        """The strategy, after the networks that the search begins with."""
        if not self.start:
            return self.strategy
        foreign = [found.id for found in self.start if found not in self.proposals]
        return StartingWith(self.strategy, self.start, foreign)

    def first_proposals(self, count: int) -> list[Proposal]:
        """What the search will try first, if no trial has ended before the last of them begins."""
        strategy, records = self.starting(), list[TrialRecord]()
        for number in range(min(count, self.experiment.trials)):
            proposal = strategy.propose(history_of(records), random_numbers(self.experiment.seed, number))
            if proposal is None:
                break
            running = TrialStatus.RUNNING
            records.append(
                TrialRecord(number=number, architecture=proposal.architecture, recipe=proposal.recipe, status=running)
            )
        return [Proposal(record.architecture, record.recipe) for record in records]

    def facts(self, command: str = "") -> SearchFacts:
        """What is kept of the plan, and of the machine and the versions that it is about to run with."""
        from nas.tuning.provenance import machine, versions

        objectives = self.objectives
        return SearchFacts(
            command=command,
            machine=machine(),
            versions=versions(),
            dataset=self.info.name,
            input_shape=self.info.input_shape,
            labels=self.info.labels,
            task=self.info.task,
            interest={cost.name: ends for cost, ends in objectives.interest.items()},
            floor=objectives.floor,
            finest=objectives.finest,
            start=tuple(found.to_json() for found in self.start),
            own={} if self.own is None else dict(self.own.identity),
        )


def _such_as(task: str) -> str:
    """The shipped spaces for a task, but for those of a single network; "" if there are none."""
    plain = [name for name in shipped("search_spaces") if "/" not in name]
    found = [name for name in plain if load_definition(find_space(name)).task == task]
    return f" ({', '.join(found)})" if found else ""


def _check_training(experiment: ExperimentConfig, space: RecipeSpace, info: DatasetInfo) -> None:
    """Refuse what the images or their targets do not allow: each value alone, as the limits are."""
    task = TASKS[info.task]
    tried = [
        experiment,
        *(experiment.with_recipe({k: v}) for k, offered in experiment.choices.items() for v in offered),
    ]
    if task.is_sized and len({form.space.input_shape[:2] for form in space.forms}) > 1:
        raise NasError(
            f"targets for {task.name} have the images' size, so that scores of several sizes do not compare; received "
            f"dataset.image_size {shown(list(experiment.choices['dataset.image_size']))}; give one size"
        )
    for form in space.forms:
        for each in tried:
            check_augmentation(form.space.input_shape, each.training.augmentation, task)
    if experiment.final.teacher != "none":
        if task is not DEFAULT_TASK:
            raise NasError(f"final.teacher is for {DEFAULT_TASK.name}; received one for {task.name}")
        if not experiment.final.seeds:
            raise NasError("final.teacher needs final.seeds of at least 1; received 0")
        if experiment.final.teacher != "best" and not Path(experiment.final.teacher).is_file():
            raise NasError(f"final.teacher: there is no file {experiment.final.teacher}")
    for each in tried:
        weights = each.training.class_weights
        if weights != "none" and task is not DEFAULT_TASK:
            raise NasError(f"training.class_weights are for {DEFAULT_TASK.name}; received them for {task.name}")
        if isinstance(weights, dict) and (unknown := weights.keys() - set(info.labels)):
            raise NasError(
                f"training.class_weights names classes of the data; there is no {shown(min(unknown))} among "
                f"{', '.join(info.labels)}"
            )
        if isinstance(weights, dict) and all(weights.get(label) == 0 for label in info.labels):
            raise NasError("training.class_weights: a class must count more than 0; received 0 for all")


def _check_own(own: Own, experiment: ExperimentConfig) -> None:
    """Refuse settings of what the user's own comes in place of: they would say what is not so."""
    replaced = {"label_smoothing": "loss"} if own.loss is not None else {}
    replaced |= {"optimizer": "optimizer", "weight_decay": "optimizer"} if own.optimizer is not None else {}
    for key, by in replaced.items():
        said = key in experiment.training.model_fields_set and getattr(experiment.training, key)
        if f"training.{key}" in experiment.choices or said:
            raise NasError(f"{by} comes in place of training.{key}, which the experiment sets; leave one of them out")


def _start(
    experiment: ExperimentConfig,
    strategy: Strategy[Proposal],
    space: RecipeSpace,
    definition: Definition,
    info: DatasetInfo,
    runs_dir: Path,
) -> list[Proposal]:
    """What a new search begins with."""
    start = named(experiment.start, strategy, space, info)
    if experiment.start_from:
        start += from_searches(
            experiment.start_from, strategy, definition.text, runs_dir=runs_dir, seed=experiment.seed
        )
    elif strategy.learns and definition.known:
        start += from_table(definition.known, strategy, space, seed=experiment.seed)
    return start


def _floor(task: Task, info: DatasetInfo, experiment: ExperimentConfig) -> float:
    """The score that is worth nothing: what the experiment says, else that of guessing."""
    return task.chance(info.labels, experiment.score.in_training) if experiment.floor is None else experiment.floor


def _with_score_of(task: Task, experiment: ExperimentConfig) -> ExperimentConfig:
    """The experiment, with the task's score if it names no objectives."""
    if experiment.score.in_training in task.scores:
        return experiment
    if "objectives" in experiment.model_fields_set:
        raise NasError(
            f"objectives: the score of {task.name} is {' or '.join(each.objective for each in task.scores)}; received "
            f"{experiment.score.objective}; use {task.score.objective}, or leave objectives out"
        )
    objectives = (task.score.objective, *(cost.name for cost in experiment.costs))
    return experiment.model_copy(update={"objectives": objectives})
