"""Trials without training, and what a store has of them."""

from __future__ import annotations

import random

from nas.architecture import Architecture
from nas.architecture.blocks import Conv, GlobalPoolHead, Pool
from nas.objectives import PARAMETERS, Objectives
from nas.results.trial import TrialRecord, TrialStatus
from nas.tasks import DEFAULT_TASK

SCORE = DEFAULT_TASK.score
OBJECTIVES = Objectives(score=SCORE, interest={PARAMETERS: (10, 10_000)})


def architecture(filters):
    blocks = (Conv(filters=filters), Pool(), Conv(filters=8, kernel=1), GlobalPoolHead(classes=10))
    return Architecture(input_shape=(8, 8, 1), blocks=blocks)


def trial(number, score, *, filters=16, **changes):
    values = {
        "number": number,
        "architecture": architecture(filters),
        "status": TrialStatus.COMPLETED,
        "metrics": {"val_score": score, "val_loss": 1 - score},
        "curves": {"val_score": (score / 2, score, score / 3), "loss": (3.0, 2.0, 1.0)},
        "duration_seconds": 1.5,
    }
    return TrialRecord(**values | changes)


def failed(number, reason="The loss became nan in epoch 2."):
    return trial(number, 0, status=TrialStatus.FAILED, metrics={}, curves={}, reason=reason)


def random_trials(count, seed=0):
    rng = random.Random(seed)
    records = []
    for number in range(count):
        filters = rng.randint(2, 48)
        score = min(1.0, 0.5 + 0.1 * filters**0.4 + rng.gauss(0, 0.03))
        records.append(failed(number) if number % 7 == 5 else trial(number, score, filters=filters))
    return records


def read_runs(search):
    """The search's run and its trials by number; fails if a trial is there twice."""
    client = search.store.connect()
    experiment = client.get_experiment_by_name(search.experiment)
    runs = client.search_runs([experiment.experiment_id], max_results=1_000)
    parents = [r for r in runs if r.data.tags["nas.role"] == "search"]
    children = [r for r in runs if r.data.tags["nas.role"] == "trial"]
    numbers = [int(r.data.tags["nas.trial"]) for r in children]
    assert len(parents) == 1
    assert sorted(numbers) == sorted(set(numbers))
    return parents[0], dict(zip(numbers, children, strict=True))


def artifact(search, run, name):
    client = search.store.connect()
    with open(client.download_artifacts(run.info.run_id, name), "rb") as file:
        return file.read()
