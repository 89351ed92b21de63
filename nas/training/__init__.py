"""Training one architecture: the loops, the optimizer's course, evaluation, and its weights as a file."""

from __future__ import annotations

from nas.training.loop import clear_session, train
from nas.training.model import evaluate, probabilities, rebuild
from nas.training.result import TrainingDivergedError, TrainingResult, TrainingStoppedError
from nas.training.weights import load_weights, save_weights

__all__ = [
    "TrainingDivergedError",
    "TrainingResult",
    "TrainingStoppedError",
    "clear_session",
    "evaluate",
    "load_weights",
    "probabilities",
    "rebuild",
    "save_weights",
    "train",
]
