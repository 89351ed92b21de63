"""Training one architecture: the loops, the optimizer's course, evaluation, and its weights as a file."""

from __future__ import annotations

from nas.training.loop import clear_session, train
from nas.training.model import answers_of, evaluate, rebuild
from nas.training.result import TrainingDivergedError, TrainingResult, TrainingStoppedError
from nas.training.weights import load_weights, save_weights

__all__ = [
    "TrainingDivergedError",
    "TrainingResult",
    "TrainingStoppedError",
    "answers_of",
    "clear_session",
    "evaluate",
    "load_weights",
    "rebuild",
    "save_weights",
    "train",
]
