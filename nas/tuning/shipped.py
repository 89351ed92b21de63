"""What the int8 files of trials take and score: measured once for a trial, and kept beside its weights."""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from nas.config import ExperimentConfig
from nas.errors import NasError
from nas.files import outside
from nas.files.durable import write_atomically
from nas.objectives import DEVICE_COSTS, Score
from nas.results.trial import TrialRecord, seven_figures

logger = logging.getLogger(__name__)

INT8_SCORE = "int8_val_score"
"""Inner name of the int8 file's score, where the trial's own is the trained network's."""


def is_for_devices(experiment: ExperimentConfig) -> bool:
    """Whether a search is after what runs on a device, so that what its front takes there is worth some seconds."""
    return experiment.score.trained is not None or bool({*DEVICE_COSTS} & {*experiment.measured})


def lacks(record: TrialRecord, score: Score) -> bool:
    """Whether something is not known of a trial's int8 file."""
    return not all(map(record.has_cost, DEVICE_COSTS)) or (score.trained is None and INT8_SCORE not in record.metrics)


def keep(path: Path, values: Mapping[str, float], score: Score) -> None:
    """Write what was measured, together with what is known already.

    Args:
        path: of the file.
        values: by inner names. The score is left out if it is the search's own, which its journal has.
        score: of the search.
    """
    known = _read(path, score) | {name: seven_figures(value) for name, value in values.items()}
    if score.trained is not None:
        known.pop(INT8_SCORE, None)
    path.parent.mkdir(exist_ok=True)
    write_atomically(path, json.dumps(score.spelled_keys(known), indent=2) + "\n")


def with_shipped(records: Sequence[TrialRecord], folder: Path, score: Score) -> tuple[TrialRecord, ...]:
    """The trials, those whose int8 files were measured with what came out. What a journal says itself comes first."""
    paths = {int(path.stem): path for path in folder.glob("*.json") if path.stem.isdigit()}
    return tuple(
        replace(record, metrics={**_read(paths[record.number], score), **record.metrics})
        if record.completed and record.number in paths
        else record
        for record in records
    )


def _read(path: Path, score: Score) -> dict[str, float]:
    """By inner names; nothing if there is no file, or none that can be used: it can be measured again."""
    if not path.exists():
        return {}
    names = {*(cost.name for cost in DEVICE_COSTS), INT8_SCORE}
    try:
        text = outside.read_text(path, NasError)
        with outside.door(NasError):
            found = score.inner_keys(outside.parse_json(text))
            if not (found.keys() <= names and all(map(_is_possible, found.items()))):
                raise ValueError("it has other numbers than bytes and a score")
    except NasError as error:
        logger.warning("%s is not used: %s", path, error)
        return {}
    return found


def _is_possible(item: tuple[str, object]) -> bool:
    name, value = item
    most = 1.0 if name == INT8_SCORE else math.inf
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= most and value < math.inf
