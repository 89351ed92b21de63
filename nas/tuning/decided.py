"""What was decided for each trial, by the names of the space's decisions: parameters of its MLflow run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nas.space.encoding import EncodingError, as_written

if TYPE_CHECKING:
    from nas.results.trial import TrialRecord
    from nas.space.recipe_space import RecipeSpace

MOST = 80
"""Decisions of a trial; MLflow takes 100 parameters at once."""

ABSENT = "-"
"""Of a decision that a network does not meet, such as the filters of a stage that it leaves out."""


def choices(proposals: RecipeSpace) -> tuple[str, ...]:
    """Decisions about whole stages and the training that are open, in their order: the axes of a chart."""
    found: list[str] = []
    for stage in proposals.forms[0].space.definition.stages:
        offered = {"repeat": stage.repeat, "filters": stage.filters, "downsample": stage.downsample, "skip": stage.skip}
        found += [f"{stage.name}.{what}" for what, values in offered.items() if len(values) > 1]
    return (*found, *proposals.choices)


def decided(proposals: RecipeSpace, record: TrialRecord) -> dict[str, str]:
    """The open decisions about stages and kinds of blocks that made a trial's network, by their names.

    The options of blocks are left out: they are many, and the architecture says them. Empty for a network of another
    space, such as one that a search starts with.
    """
    axes = choices(proposals)
    slots = {stage.name: stage.slots for stage in proposals.forms[0].space.definition.stages}
    try:
        genes = proposals.space_of(record.architecture).encode(record.architecture)
    except (EncodingError, KeyError):
        return {}
    found = {name: as_written(genes.get(name, ABSENT)) for name in axes if name not in record.recipe}
    for name, value in sorted(genes.items()):
        place, _, last = name.rpartition(".")
        if last == "kind":
            stage, _, slot = place.split(".")
            if len(slots[stage][int(slot)]) > 1:
                found[name] = value
    return dict(list(found.items())[:MOST])
