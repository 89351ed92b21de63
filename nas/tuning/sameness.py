"""Whether a search that goes on is the same search: its settings, what a program brings, its data."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

from nas.config import ExperimentConfig
from nas.datasets import DatasetInfo, DatasetSpec
from nas.files.paths import absolute
from nas.space.definition import parse_definition
from nas.tuning.facts import SearchFacts

FREE_TO_CHANGE = {
    "description",
    "trials",
    "patience",
    "time_limit",
    "trial_timeout",
    "final",
    "engine",
    "ray_address",
    "workers",
    "device",
    "gpus_per_trial",
    "trials_per_gpu",
    "tpu_runtime",
}
"""Settings that a search may go on with after they changed: they say where trials run, and how many."""

WHERE = {"engine", "ray_address", "workers", "device"}
"""Of these, the settings that measured costs depend on: a search that measures keeps to them, so that its trials
compare."""


def changed_settings(was: ExperimentConfig, now: ExperimentConfig) -> list[str]:
    """The settings that differ and must not, each with both values."""
    free = FREE_TO_CHANGE - (WHERE if any(cost.is_time for cost in now.measured) else set())
    old, new = (json.loads(each.model_dump_json()) for each in (was, now))
    return [
        f"{key} was {json.dumps(before)}, is {json.dumps(after)}"
        for key, before, after in _differences(old, new)
        if key.split(".")[0] not in free
    ]


def is_same_space(text: str, other: str) -> bool:
    """Whether two files of spaces offer the same decisions; comments and descriptions may differ.

    Raises:
        FileError: one of them is no space.
    """
    if text == other:
        return True
    one, two = map(parse_definition, (text, other))
    return one.stages == two.stages


def changed_own(facts: SearchFacts, own: Mapping[str, str]) -> list[str]:
    """What a program brings to each training, where it is another."""
    return [
        f"{key} was {facts.own.get(key, 'not given')}, is {own.get(key, 'not given')}"
        for key in sorted(facts.own.keys() | own.keys())
        if facts.own.get(key) != own.get(key)
    ]


def changed_kind(facts: SearchFacts, data: DatasetInfo) -> list[str]:
    """The first thing that differs of what is known of data before they are read."""
    pairs = {
        "the data set": (facts.dataset, data.name),
        "the task": (facts.task, data.task),
        "the images' shape": (facts.input_shape, data.input_shape),
        "the number of classes": (len(facts.labels), len(data.labels)),
    }
    changed = [f"{what} was {was}, is {now}" for what, (was, now) in pairs.items() if not _same(was, now)]
    if not changed and facts.labels != data.labels:
        was, now = next(pair for pair in zip(facts.labels, data.labels, strict=True) if pair[0] != pair[1])
        changed = [f"a class was {was!r}, is {now!r}"]
    return changed


def changed_splits(facts: SearchFacts, data: DatasetSpec) -> list[str]:
    """The splits of which an image or a target is another, or stands elsewhere."""
    changed = [name for name, split in data.splits.items() if facts.data.get(name, split.digest) != split.digest]
    if not facts.data and facts.labels_digest not in ("", _labels_digest(data)):
        changed = ["train, validation or test"]
    return changed


def _labels_digest(data: DatasetSpec) -> str:
    digest = sha256()
    for split in data.splits.values():
        digest.update(b"%d labels:" % len(split.targets) + split.targets.tobytes())
    return digest.hexdigest()


def _differences(old: Mapping[str, Any], new: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Dotted keys with both values, where they are not the same."""
    for key, was in old.items():
        now = new[key]
        if isinstance(was, dict) and isinstance(now, dict):
            yield from _differences(was, now, f"{prefix}{key}.")
        elif not _same(was, now):
            yield f"{prefix}{key}", was, now


def _same(was: object, now: object) -> bool:
    """Whether a setting is as it was; searches before version 0.2 have paths relative to the current directory."""
    if isinstance(was, list) and isinstance(now, list) and len(was) == len(now):
        return all(map(_same, was, now))
    if isinstance(was, str) and isinstance(now, str) and Path(now).is_absolute():
        was = absolute(was, Path())
    return was == now
