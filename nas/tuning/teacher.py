"""Whose answers the final stage teaches: the user's model, or the front's most accurate network."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from nas.files import outside
from nas.results.pareto import ParetoFront
from nas.tuning.folder import SearchError

if TYPE_CHECKING:
    from nas.config import ExperimentConfig, FinalConfig
    from nas.training.distillation import Teacher
    from nas.tuning.search import Search


def teacher_of(search: Search, experiment: ExperimentConfig) -> Teacher:
    """That of a final stage: a file, or the network of the front with the highest score before it.

    Raises:
        NasError: the file cannot be read, or the network's weights were not kept.
    """
    from nas.training.distillation import Teacher

    final = experiment.final
    how = how_taught(final)
    if final.teacher != "best":
        path = Path(final.teacher)
        content = outside.read_bytes(path, lambda reason: SearchError(f"final.teacher: cannot read {path}: {reason}"))
        name = f"{path.name}{how}"
        return Teacher(name=name, file=content, temperature=final.temperature, weight=final.weight)
    plain = search.expected([replace(trial, finals=()) for trial in search.observed_trials])
    best = ParetoFront.of(plain, search.objectives.costs).best()
    return Teacher(
        name=f"trial {best.number}{how}",
        architecture=best.architecture.to_json(),
        weights=search.weights_of(best),
        temperature=final.temperature,
        weight=final.weight,
    )


def how_taught(final: FinalConfig) -> str:
    """What distinguishes trainings with a teacher, beside who that is."""
    return f", temperature {final.temperature:g}, weight {final.weight:g}"
