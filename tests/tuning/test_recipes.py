"""Searches that choose what networks are trained with, too."""

import json
import shutil

import numpy as np
import pytest

from nas.datasets import forms, in_forms, load, whole
from nas.errors import NasError
from nas.reports.front_tables import front_rows
from nas.space.recipe_space import Proposal
from nas.tracking.runs import trial_content
from nas.training import evaluate
from nas.tuning import Search, run
from nas.tuning.journal import JournalError
from nas.tuning.parents import nearest
from tests.tuning.edited import edit
from tests.tuning.test_search import Watcher, plan

CHOICES = {
    "dataset.image_size": [6, 8],
    "training.learning_rate": [0.003, 0.03],
    "training.batch_size": [32, 64, 128, 256],
}

ORDER = ["dataset.image_size", "training.batch_size", "training.learning_rate"]


@pytest.fixture(scope="module")
def searched(tmp_path_factory):
    """Four trials, the front of which was trained again."""
    return run(plan(trials=4, **CHOICES, **{"final.seeds": 1}), runs_dir=tmp_path_factory.mktemp("runs"))


def identities(search):
    return [Proposal(trial.architecture, trial.recipe).id for trial in search.trials]


def test_each_trial_has_a_recipe_and_the_images_that_it_says(searched):
    recipes = [trial.recipe for trial in searched.trials]
    assert all(list(recipe) == ORDER for recipe in recipes)
    assert len({tuple(recipe.values()) for recipe in recipes}) > 1
    assert {trial.architecture.input_shape[0] for trial in searched.trials} == {6, 8}
    for trial in searched.trials:
        side = trial.recipe["dataset.image_size"]
        assert trial.architecture.input_shape == (side, side, 1)
    assert len(set(identities(searched))) == 4
    assert searched.finished


def test_the_scores_are_those_on_images_of_the_recipe_s_size(searched):
    data = in_forms(load(whole(searched.experiment)), forms(searched.experiment, searched.facts.input_shape))
    for trial in searched.front:
        scores = evaluate(
            trial.architecture, searched.weights_of(trial), data[trial.architecture.input_shape].validation
        )
        assert scores["score"] == pytest.approx(trial.observed, abs=1e-6)


def test_a_search_that_was_killed_goes_on_with_the_same_recipes(searched, tmp_path):
    wanted = plan(trials=4, **CHOICES, **{"final.seeds": 1})
    with pytest.raises(KeyboardInterrupt):
        run(wanted, runs_dir=tmp_path, observers=[Watcher(stop_at=2)])
    again = run(wanted, runs_dir=tmp_path)
    assert identities(again) == identities(searched)
    assert [trial.observed for trial in again.trials] == [trial.observed for trial in searched.trials]


def test_other_lists_are_another_search(searched):
    other = plan(trials=4, **CHOICES | {"training.learning_rate": [0.003, 0.01]})
    with pytest.raises(
        NasError, match=r"training.learning_rate was \[0.003, 0.03\], is \[0.003, 0.01\]\); give another --name"
    ):
        run(other, runs_dir=searched.folder.runs_dir)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"training.learning_rate": 0.5}, "trial 0 has training.learning_rate 0.5, which the search does not offer"),
        ({"training.batch_size": None}, "trial 0 has no training.batch_size, which the search chooses"),
        ({"dataset.image_size": 9}, "trial 0 has dataset.image_size 9, which the search does not offer"),
    ],
)
def test_a_journal_with_recipes_that_no_search_can_have_is_damaged(searched, tmp_path, change, message):
    recipe = searched.trials[0].recipe
    changed = {key: value for key, value in {**recipe, **change}.items() if value is not None}
    shutil.copytree(searched.folder.path, tmp_path / "digits")
    edit(tmp_path / "digits" / "trials.jsonl", *(json.dumps(each, separators=(",", ":")) for each in (recipe, changed)))
    with pytest.raises(JournalError, match=message):
        _ = Search("digits", tmp_path).trials


def test_tables_and_mlflow_have_a_column_where_recipes_differ(searched):
    trial = searched.trials[0]
    rows = front_rows(searched.front, searched.experiment.score)
    assert {"dataset.image_size", "training.learning_rate", "training.batch_size"} <= rows[0].keys()
    content = trial_content(trial, search_id="x", score=searched.experiment.score)
    assert content.params["training.learning_rate"] == f"{trial.recipe['training.learning_rate']:g}"
    page = searched.report()
    assert ">learning_rate</th>" in page or len({t.recipe["training.learning_rate"] for t in searched.front}) == 1
    assert "image_size 6 | 8; batch_size 32 | 64 | 128 | 256; learning_rate 0.003 | 0.03" in page


def test_an_export_takes_the_images_of_the_data_set_and_says_so(searched, tmp_path):
    import tensorflow as tf

    small = next(trial for trial in searched.trials if trial.recipe["dataset.image_size"] == 6)
    searched.export(tmp_path / "model", trial=small.number, format="savedmodel,keras")
    card = json.loads((tmp_path / "model" / "export.json").read_text())
    assert (card["input_shape"], card["image_shape"]) == ([6, 6, 1], [8, 8, 1])
    assert card["recipe"] == small.recipe
    loaded = tf.saved_model.load(tmp_path / "model")
    images = np.random.default_rng(0).integers(0, 256, (5, 8, 8, 1), np.uint8)
    answers = loaded.signatures["serving_default"](tf.constant(images))["probabilities"]
    floats = loaded.signatures["float_0_to_1"](tf.constant(images / 255, tf.float32))["probabilities"]
    np.testing.assert_allclose(answers, floats, atol=1e-6)


def test_weights_are_inherited_from_networks_on_the_same_images_only(searched):
    for trial in searched.trials:
        space = searched.proposals.space_of(trial.architecture)
        parent = nearest(space, searched.objectives.costs, trial.architecture, searched.front)
        assert parent is None or (searched.trials[parent].architecture.input_shape == trial.architecture.input_shape)
