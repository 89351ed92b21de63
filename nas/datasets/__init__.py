"""Labelled images, whatever they come from: TFDS, the embedded digits, folders, numpy archives."""

from nas.datasets.findings import tell
from nas.datasets.forms import forms, in_forms, whole
from nas.datasets.idx import prepare
from nas.datasets.in_memory import InMemory
from nas.datasets.sources import is_users_own, load, look, peek
from nas.datasets.spec import Arrays, DatasetError, DatasetInfo, DatasetSpec, Finding, Split
from nas.datasets.tfds_catalog import data_dir_of, known_datasets
from nas.datasets.tfds_prepare import prepare_tfds

__all__ = [
    "Arrays",
    "DatasetError",
    "DatasetInfo",
    "DatasetSpec",
    "Finding",
    "InMemory",
    "Split",
    "data_dir_of",
    "forms",
    "in_forms",
    "is_users_own",
    "known_datasets",
    "load",
    "look",
    "peek",
    "prepare",
    "prepare_tfds",
    "tell",
    "whole",
]
