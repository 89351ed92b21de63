"""What a network is for: one file a task, one import line here. Light to import."""

from nas.architecture.pixel_loss import IGNORED
from nas.tasks.base import TASKS, Agreement, Breakdown, Framing, Movement, TargetError, Task, register
from nas.tasks.classification import Classification
from nas.tasks.detection import Detection
from nas.tasks.segmentation import Segmentation

DEFAULT_TASK = TASKS[Classification.name]
"""Of data and spaces that do not say otherwise."""

__all__ = [
    "DEFAULT_TASK",
    "IGNORED",
    "TASKS",
    "Agreement",
    "Breakdown",
    "Classification",
    "Detection",
    "Framing",
    "Movement",
    "Segmentation",
    "TargetError",
    "Task",
    "register",
]
