"""What a plan makes of tasks: heads and targets are for the same one, and its score is what the search maximizes."""

from dataclasses import replace

import pytest

from nas.architecture import BudgetError
from nas.datasets import load
from nas.errors import NasError
from nas.objectives import PARAMETERS, SCORES, Score
from nas.space import load_definition
from nas.tasks import TASKS, Classification
from nas.tuning import plan as planning
from tests.tuning.test_search import plan

COUNTING = Score(name="hits", heading="hits")


class Counting(Classification):
    """Another task of the same shape."""

    name = "counting"
    score = COUNTING
    others = ()


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
        return replace(load_definition(*args, **kwargs), task="counting")

    monkeypatch.setattr(planning, "load_definition", load)


def test_heads_and_targets_of_two_tasks_are_refused(other_data):
    with pytest.raises(NasError) as error:
        plan(space="tiny")
    assert str(error.value) == (
        "the heads of the space 'tiny' are for classification, and the data set 'digits' has targets for counting; "
        "choose a space for counting, or other data"
    )


def test_spaces_that_fit_the_data_are_named():
    with pytest.raises(NasError, match=r"choose a space for segmentation \(segment\), or other data$"):
        plan(space="tiny", dataset={"name": "digit_scenes_segmentation"})


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


def test_what_is_wanted_follows_from_the_data_and_the_budget():
    made = plan(**{"budget.max_parameters": 3_000})
    images = len(load(made.experiment.dataset).validation)
    wanted = made.objectives
    assert wanted.interest == {PARAMETERS: (150, 3_000)}
    # Ten classes to guess among, and one image as the least error that can be told.
    assert (wanted.floor, wanted.finest, wanted.budget) == (0.1, 1 / images, 3_000)
    assert made.early_stopping.objectives is made.strategy.objectives is wanted
    facts = made.facts()
    assert (facts.interest, facts.floor, facts.finest) == ({"parameters": (150, 3_000)}, 0.1, 1 / images)


def test_what_is_wanted_may_be_said():
    made = plan(**{"budget.max_parameters": 3_000, "budget.interest": "500..2k", "floor": 0.6})
    assert (made.objectives.interest, made.objectives.floor) == ({PARAMETERS: (500, 2_000)}, 0.6)
    with pytest.raises(
        BudgetError, match=r"^interest must overlap the networks that may be proposed, with .* to 3,000 "
    ):
        plan(**{"budget.max_parameters": 3_000, "budget.interest": "4k..5k"})
