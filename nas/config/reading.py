"""Reading an experiment file, with the command line's overrides."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from nas.boards import find_board
from nas.config.experiment import ExperimentConfig
from nas.config.mistakes import first_mistake, is_given
from nas.errors import shown
from nas.files.paths import absolute, located
from nas.files.yaml_file import FileError, YamlFile, load_yaml
from nas.objectives import ACTIVATION_BYTES, FLASH_BYTES, PARAMETERS, RAM_BYTES
from nas.quantity import whole_number


def load_experiment(path: Path | None, overrides: Mapping[str, Any] | None = None) -> ExperimentConfig:
    """Read an experiment file.

    Args:
        path: of the file; its name is the experiment's if the file gives none. None: there is none, and `overrides`
            say it all.
        overrides: values by dotted key, such as `training.batch_size`, which replace those of the file.

    Returns:
        The experiment, with absolute paths: those of the file are relative to it, those of `overrides` to the current
        directory.

    Raises:
        FileError: the file, line and key of the first mistake, and what to change.
    """
    file = YamlFile("without an experiment", {}, {}) if path is None else load_yaml(path)
    if not isinstance(file.data, dict):
        raise file.error((), "an experiment is a mapping of keys to values; see docs/experiments.md")
    data = json.loads(json.dumps(file.data, default=str))
    if path is not None:
        data.setdefault("name", path.stem)
    _open_sections(data)
    for key, value in (overrides or {}).items():
        *parents, last = key.split(".")
        node = data
        for parent in parents:
            node = node.setdefault(parent, {})
            if not isinstance(node, dict):
                raise FileError(f"--set {key}: {shown(parent)} has no keys of its own")
        node[last] = value
        _open_sections(data)
    if isinstance(board := data.get("board"), str):
        # What the budget says itself counts.
        budget = data.setdefault("budget", {})
        if isinstance(budget, dict):
            data["budget"] = {cost.limit: left for cost, left in find_board(board).limits.items()} | budget
    _imply_counted_limits(data.get("budget"))
    for key in _PATHS:
        _locate(data, key, Path() if path is None or is_given(key, overrides or {}) else path.parent)
    try:
        return ExperimentConfig.model_validate(data)
    except ValidationError as error:
        raise first_mistake(error, file, overrides or {}) from None


def _imply_counted_limits(budget: Any) -> None:
    """A walk through a space stays where a device can hold the network: in int8 a weight is a byte, a map a quarter.

    What is predicted more exactly is known of whole networks only.
    """
    if not isinstance(budget, dict):
        return
    for measured, counted, factor in ((FLASH_BYTES, PARAMETERS, 1), (RAM_BYTES, ACTIVATION_BYTES, 4)):
        if budget.get(counted.limit) is None and budget.get(measured.limit) is not None:
            with suppress(ValueError, TypeError):  # told where limits are checked
                budget[counted.limit] = factor * whole_number(budget[measured.limit])


_PATHS = ("space", "start", "final.teacher", "dataset.data_dir", "dataset.manual_dir", "dataset.name")
"""Keys that may be paths; where data sets with a name are comes before the names."""


def _locate(data: dict[str, Any], key: str, folder: Path) -> None:
    """Put an absolute path in place of one that is relative to a folder.

    Raises:
        FileError: an unknown home directory, or the name of a folder and a data set.
    """
    *section, last = key.split(".")
    node = data.get(section[0]) if section else data
    value = node.get(last) if isinstance(node, dict) else None
    if not isinstance(node, dict) or not isinstance(value, str | list) or not value:
        return
    if key == "dataset.name":
        node[last] = located(value, folder, node.get("data_dir")) if isinstance(value, str) else value
    elif isinstance(value, list):
        node[last] = [_file(each, folder) for each in value]
    else:
        node[last] = absolute(value, folder) if key.endswith("_dir") else _file(value, folder)


def _file(value: Any, folder: Path) -> Any:
    """The path of a space or a network, and anything else as it is."""
    return absolute(value, folder) if str(value).endswith((".yaml", ".yml", ".json", ".keras")) else value


def _open_sections(data: dict[str, Any]) -> None:
    """A data set by its name alone, and a section whose keys are all commented out, as mappings."""
    if isinstance(data.get("dataset"), str):
        data["dataset"] = {"name": data["dataset"]}
    for section in ("budget", "training", "final"):
        if section in data and data[section] is None:
            data[section] = {}
