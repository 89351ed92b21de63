"""Which trials a search can have: a journal may be another's, or be edited."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from nas.config import ExperimentConfig
from nas.datasets.images import shape_of
from nas.recipe import NOT_ALWAYS, text
from nas.results.trial import TrialRecord, TrialStatus
from nas.tuning.facts import SearchFacts


@final
@dataclass(frozen=True)
class Admitted:
    """Raises a ValueError for a trial that the search cannot have."""

    experiment: ExperimentConfig
    facts: SearchFacts

    def __call__(self, record: TrialRecord) -> None:
        architecture, facts, budget = record.architecture, self.facts, self.experiment.budget
        self._check_recipe(record)
        shape = shape_of(facts.input_shape, self.experiment.with_recipe(record.recipe).dataset)
        if architecture.input_shape != shape:
            theirs, ours = ("x".join(map(str, each)) for each in (architecture.input_shape, shape))
            raise ValueError(f"trial {record.number} takes images of {theirs}, and the search has {ours}")
        classes = getattr(architecture.head, "classes", None)
        if facts.labels and classes not in (None, len(facts.labels)):
            raise ValueError(f"trial {record.number} has {classes:,} classes, and the search has {len(facts.labels):,}")
        if excess := budget.excess(architecture.count):
            raise ValueError(f"trial {record.number} has {excess}")
        epochs = self.experiment.training.epochs
        longest = max(map(len, record.curves.values()), default=0)
        if longest > epochs or (record.status is TrialStatus.STOPPED and len(record.curve) == epochs):
            raise ValueError(f"trial {record.number} was {record.status} after {longest:,} of {epochs:,} epochs")
        if record.status in (TrialStatus.COMPLETED, TrialStatus.STOPPED):
            for cost in self.experiment.measured:
                value, most = record.metrics.get(cost.name), budget.most(cost)
                if value is None:
                    raise ValueError(f"trial {record.number} was trained without a {cost.name}")
                if most is not None and value > most * (1 + 1e-6):  # seven figures are kept
                    raise ValueError(f"trial {record.number} was trained with {cost.words(value)}, over {most:g}")

    def _check_recipe(self, record: TrialRecord) -> None:
        choices, recipe = self.experiment.choices, record.recipe
        for key, value in recipe.items():
            if text(value) not in map(text, choices.get(key, ())):
                raise ValueError(f"trial {record.number} has {key} {text(value)}, which the search does not offer")
        if missing := choices.keys() - recipe.keys() - NOT_ALWAYS:
            raise ValueError(f"trial {record.number} has no {min(missing)}, which the search chooses")
