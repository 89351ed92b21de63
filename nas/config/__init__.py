"""The experiment as typed objects: what is searched, on which data, under which budget, trained how."""

from nas.config.experiment import (
    AugmentationConfig,
    DatasetConfig,
    ExperimentConfig,
    FinalConfig,
    TrainingConfig,
)
from nas.config.own_data import named_experiment
from nas.config.reading import load_experiment

__all__ = [
    "AugmentationConfig",
    "DatasetConfig",
    "ExperimentConfig",
    "FinalConfig",
    "TrainingConfig",
    "load_experiment",
    "named_experiment",
]
