"""Data in place of an experiment: `nas search photos/`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nas.config.experiment import ExperimentConfig
from nas.config.reading import load_experiment
from nas.files.shipped import find_experiment, shipped

_EXPERIMENT = "pictures"
"""The shipped experiment that says the rest."""


def named_experiment(given: str, overrides: Mapping[str, Any]) -> ExperimentConfig:
    """What to search: a shipped experiment, one of a file, or data of one's own in its place.

    Args:
        given: name of an experiment, path of a .yaml file, or a folder of class folders or an .npz file, on which the
            shipped experiment `pictures` searches under their name. Arrays keep their size.
        overrides: as for `load_experiment`.

    Raises:
        FileError: it is none of these, or there is a mistake in it.
    """
    path = Path(given)
    is_arrays = path.suffix == ".npz" and path.is_file()
    if given in shipped("experiments") or not (is_arrays or path.is_dir()):
        return load_experiment(find_experiment(given), overrides)
    name = re.sub(r"[^A-Za-z0-9_.-]+", "-", path.resolve().stem).lstrip("-_.")[:100]
    settings: dict[str, Any] = {"dataset.name": given, "name": name or _EXPERIMENT}
    if is_arrays:
        settings |= {"dataset.image_size": None, "dataset.fit": "stretch"}
    return load_experiment(find_experiment(_EXPERIMENT), settings | dict(overrides))
