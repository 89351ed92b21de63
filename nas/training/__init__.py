"""Training one architecture: devices, precision, the loop, evaluation, and its weights as a file."""

from __future__ import annotations

from nas.training.devices import Devices, open_place, select_devices
from nas.training.inheritance import Inheritance, inherit
from nas.training.loop import clear_session, train
from nas.training.machine import inspect_machine
from nas.training.model import evaluate, probabilities, rebuild
from nas.training.quiet import import_tensorflow
from nas.training.result import TrainingDivergedError, TrainingResult, TrainingStoppedError
from nas.training.weights import load_weights, save_weights

__all__ = [
    "Devices",
    "Inheritance",
    "TrainingDivergedError",
    "TrainingResult",
    "TrainingStoppedError",
    "clear_session",
    "evaluate",
    "import_tensorflow",
    "inherit",
    "inspect_machine",
    "load_weights",
    "open_place",
    "probabilities",
    "rebuild",
    "save_weights",
    "select_devices",
    "train",
]
