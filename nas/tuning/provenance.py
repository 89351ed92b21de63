"""Where the numbers of a search come from, in words: its page in MLflow and its report show it."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from importlib import metadata
from typing import TYPE_CHECKING, Any

from nas import __version__
from nas.devices.machine import usable_cpus
from nas.objectives import COSTS
from nas.quantity import counted
from nas.recipe import Value, listed, offered
from nas.tasks import TASKS

if TYPE_CHECKING:
    from nas.config import ExperimentConfig
    from nas.objectives import Score
    from nas.reports import Story
    from nas.tuning.facts import SearchFacts

_PACKAGES = ("tensorflow", "keras", "keras-tuner", "mlflow", "numpy")


def story_of(experiment: ExperimentConfig, facts: SearchFacts, space_text: str) -> Story:
    """What a reader of the results wants to know first.

    Args:
        experiment: resolved.
        facts: found out when the search started.
        space_text: the file of the search space.
    """
    import yaml

    from nas.reports import Story

    size = "x".join(map(str, facts.input_shape))
    task, score = TASKS.find(facts.task), experiment.score
    sizes = (
        f"{COSTS.find(name).text(low)} to {COSTS.find(name).words(high)}" for name, (low, high) in facts.ranges.items()
    )
    training, choices = experiment.training, experiment.choices

    def of(key: str, value: Value) -> str:
        return listed(choices.get(f"training.{key}", (value,)), " or ")

    optimizer = facts.own.get("optimizer") or of("optimizer", training.optimizer)
    limit = "" if experiment.time_limit is None else f", at most {experiment.time_limit:g} seconds"
    early = "" if experiment.early_stopping == "none" else f", stopped early by {experiment.early_stopping}"
    origin = ", starting with the weights of similar networks" if experiment.inherit else ""
    told = {
        "Data": f"{facts.dataset}, {size}, {task.described(facts.labels)}",
        "Space": experiment.space,
        "Objectives": f"{', '.join(cost.heading for cost in experiment.costs)} low, validation "
        f"{score.heading} high{''.join(f', {cost.measured}' for cost in experiment.measured)}",
        "Of interest": f"{', '.join(sizes)}; {score.heading} above {score.text(facts.floor)}",
        "Scores": resolution(score, chance=task.chance(facts.labels, score.in_training), finest=facts.finest),
        "Budget": str(experiment.budget),
        "Strategy": f"{experiment.strategy}, {counted(experiment.trials, 'trial')}{early}, "
        f"seed {experiment.seed}{limit}",
        "Training": f"{counted(training.epochs, 'epoch')}, batches of {of('batch_size', training.batch_size)}, "
        f"{optimizer}, learning rate {of('learning_rate', training.learning_rate)}, "
        f"{training.precision}{origin}",
        "From Python": "; ".join(f"{argument} {own}" for argument, own in facts.own.items()),
        "Choices": offered(choices),
        "Machine": facts.machine,
        "Versions": ", ".join(f"{name} {version}" for name, version in facts.versions.items()),
    }
    written = experiment.model_dump(mode="json", exclude_none=True)
    written["budget"] = {key: limit for key, limit in written["budget"].items() if limit is not None}
    text = yaml.safe_dump(written, sort_keys=False, allow_unicode=True)
    return Story(
        facts={"About": experiment.description, **told},
        command=facts.command,
        files={"experiment.yaml": text, "space.yaml": space_text},
    )


def resolution(score: Score, *, chance: float, finest: float) -> str:
    """What the least score is, and how fine scores are, in words.

    >>> from nas.tasks import DEFAULT_TASK, TASKS
    >>> resolution(DEFAULT_TASK.score, chance=0.5, finest=1 / 96)
    'Chance level is 50.00%; one of the 96 validation images is 1.04 points'

    An image may change a score that is no share of them by more or by less:

    >>> resolution(TASKS["segmentation"].score, chance=1 / 3, finest=1 / 96)
    'Chance level is 33.33%; there are 96 validation images'
    """
    images = f"{round(1 / finest):,} validation images"
    said = f"one of the {images} is {score.points(finest)} points" if score.is_share else f"there are {images}"
    return f"Chance level is {score.text(chance)}; {said}"


def machine() -> str:
    """This machine in one line, without starting TensorFlow."""
    cores = usable_cpus()
    return f"{platform.system()} {platform.machine()}, {cores} processor cores, Python {platform.python_version()}"


def versions() -> dict[str, str]:
    """Of the packages that shape the numbers, by name."""
    found = {"nas": __version__}
    for name in _PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def flattened(settings: Mapping[str, Any]) -> dict[str, str]:
    """Settings with dotted keys, as text; those that say nothing are left out."""
    flat: dict[str, str] = {}

    def walk(prefix: str, value: object) -> None:
        if isinstance(value, dict):
            for key, inner in value.items():
                walk(f"{prefix}.{key}" if prefix else key, inner)
        elif value not in (None, ""):
            flat[prefix] = str(value)

    walk("", settings)
    return flat
