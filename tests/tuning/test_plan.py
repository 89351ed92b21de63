"""What a plan makes of tasks: heads and targets are for the same one, and its score is what the search maximizes."""

from dataclasses import replace

import pytest

from nas.errors import NasError
from nas.objectives import PARAMETERS, SCORES, Score
from nas.space import load_space
from nas.tasks import TASKS, Classification
from nas.tuning import plan as planning
from tests.tuning.test_search import plan

COUNTING = Score(name="hits", heading="hits")


class Counting(Classification):
    """Another task of the same shape."""

    name = "counting"
    score = COUNTING


@pytest.fixture
def other_data(monkeypatch):
    """Data sets have targets for another task."""
    peek = planning.peek
    monkeypatch.setitem(TASKS._items, "counting", Counting())
    monkeypatch.setitem(SCORES._items, "val_hits", COUNTING)
    monkeypatch.setattr(planning, "peek", lambda dataset: replace(peek(dataset), task="counting"))


@pytest.fixture
def other_heads(monkeypatch):
    """Heads are for that task, too."""

    def load(*args, **kwargs):
        space = load_space(*args, **kwargs)
        space.definition = replace(space.definition, task="counting")
        return space

    monkeypatch.setattr(planning, "load_space", load)


def test_heads_and_targets_of_two_tasks_are_refused(other_data):
    with pytest.raises(NasError) as error:
        plan(space="tiny")
    assert str(error.value) == (
        "the heads of the space 'tiny' are for classification, and the data set 'digits' has targets for counting; "
        "choose a space or a data set of the other's task"
    )


def test_the_score_is_the_task_s(other_data, other_heads):
    made = plan()
    assert made.experiment.objectives == ("val_hits", "parameters")
    assert (made.experiment.score, made.experiment.costs) == (COUNTING, (PARAMETERS,))
    assert made.facts().task == "counting"
    assert plan(objectives=["parameters", "val_hits"]).experiment.score is COUNTING


def test_another_score_than_the_task_s_is_refused(other_data, other_heads):
    with pytest.raises(NasError) as error:
        plan(objectives=["val_accuracy", "macs"])
    assert str(error.value) == (
        "objectives: the score of counting is val_hits; received val_accuracy; use val_hits, or leave objectives out"
    )
