from __future__ import annotations

import json
from dataclasses import replace
from urllib.parse import parse_qs, urlsplit

import pytest

from nas.objectives import Score
from nas.results.trial import FinalTraining
from nas.tracking import mlflow_page, publishing, sync, views
from nas.tracking.runs import trial_content
from tests.tracking.examples import OBJECTIVES, random_trials, read_runs, trial

FINAL = FinalTraining(seed=0, val_score=0.8, test_score=0.8)

VIEWS = views.search_views("0" * 32, 'a/b\'s "search" | `x`', OBJECTIVES)


def experiment_of(search):
    client = search.store.connect()
    return client, client.get_experiment_by_name(search.experiment)


@pytest.mark.parametrize("version", [(2, 18), (3, 14), (3, 15), (3, 17)])
@pytest.mark.parametrize("view", VIEWS, ids=lambda view: view.label)
def test_a_view_fits_into_a_tag_and_comes_back(view, version):
    value = mlflow_page.encode(view, version=version, created_ms=5, now_ms=7)
    assert len(value) < 4_000
    state, created = mlflow_page.decode(value)
    assert state == view.state
    assert value.startswith("{") == (version >= (3, 15))
    assert created == (5 if version >= (3, 15) else 0)


def test_a_new_mlflow_lists_a_view_by_its_name():
    document = json.loads(mlflow_page.encode(VIEWS[0], version=(3, 17), created_ms=5, now_ms=7))
    assert document["name"] == 'a/b\'s "search" | `x`: all trials'
    assert (document["createdAt"], document["updatedAt"]) == (5, 7)


@pytest.mark.parametrize("value", ["", "{}", "[1]", "deflate;", "deflate;eJw", '{"state": 1}', "null", "nonsense"])
def test_what_is_no_view_is_none(value):
    assert mlflow_page.decode(value) in (None, ({}, 0))


def test_views_are_the_same_whenever_they_are_made_and_differ_between_searches():
    assert views.search_views("0" * 32, "x", OBJECTIVES) == views.search_views("0" * 32, "x", OBJECTIVES)
    keys = [view.key for name in "xy" for view in views.search_views("0" * 32, name, OBJECTIVES)]
    keys += [view.key for view in views.search_views("1" * 32, "x", OBJECTIVES)]
    assert len(set(keys)) == 9


@pytest.mark.parametrize("view", VIEWS, ids=lambda view: view.label)
def test_every_card_is_in_a_section_that_is_there(view):
    sections = {section["uuid"] for section in view.state["compareRunSections"]}
    cards = view.state["compareRunCharts"]
    assert {card["metricSectionId"] for card in cards} <= sections
    assert len({card["uuid"] for card in cards}) == len(cards)
    assert all("search" not in json.dumps(card) for card in cards)  # names go nowhere but into the view's name


@pytest.mark.parametrize(
    ("version", "shown"),
    [("3.17.2", True), ("2.18.0", True), ("2.17.9", False), ("4.0.0", False), ("", False), ("unknown", False)],
)
def test_only_versions_that_are_known_get_views(version, shown):
    assert mlflow_page.can_show(mlflow_page.parse_version(version)) == shown


def test_a_search_publishes_its_views_once(search, monkeypatch):
    records = random_trials(5)
    sync(search, records, description={})
    client, experiment = experiment_of(search)
    published = {key: value for key, value in experiment.tags.items() if key.startswith(views.TAG)}
    wanted = views.search_views(search.search_id, search.name, search.objectives)
    assert {key: mlflow_page.decode(value)[0] for key, value in published.items()} == {v.tag: v.state for v in wanted}

    from mlflow import MlflowClient

    def refuse(*args, **kwargs):
        raise AssertionError("a view was written again")

    monkeypatch.setattr(MlflowClient, "set_experiment_tag", refuse)
    assert publishing.publish(client, search.store, experiment.experiment_id, wanted)


def test_a_damaged_view_is_mended_and_keeps_its_age(search):
    sync(search, random_trials(2), description={})
    client, experiment = experiment_of(search)
    first, second, _ = views.search_views(search.search_id, search.name, search.objectives)
    client.set_experiment_tag(experiment.experiment_id, first.tag, "cut off")
    old = mlflow_page.encode(second, version=(3, 14), created_ms=0, now_ms=0)
    client.set_experiment_tag(experiment.experiment_id, second.tag, old)
    assert publishing.publish(client, search.store, experiment.experiment_id, (first, second))
    tags = client.get_experiment(experiment.experiment_id).tags
    assert [mlflow_page.decode(tags[view.tag])[0] for view in (first, second)] == [first.state, second.state]
    assert json.loads(tags[second.tag])["name"].endswith("Pareto front")


def test_a_store_that_refuses_views_still_takes_the_search(search, monkeypatch):
    from mlflow import MlflowClient

    def refuse(*args, **kwargs):
        raise PermissionError("read-only experiment")

    monkeypatch.setattr(MlflowClient, "set_experiment_tag", refuse)
    assert sync(search, random_trials(3), description={}) == 3
    assert len(read_runs(search)[1]) == 3


def test_views_name_the_score_and_every_metric_of_a_trial_is_quieted():
    miou = Score(name="miou", heading="mIoU")
    shown = views.search_views("0" * 32, "x", replace(OBJECTIVES, score=miou))
    assert "accuracy" not in json.dumps([view.state for view in shown])
    assert shown[0].state["compareRunSections"][0]["name"] == "mIoU against parameters, the Pareto front in color"
    content = trial_content(trial(0, 0.5).with_final(FINAL).with_final(FINAL), search_id="s", score=miou)
    assert {*content.metrics, *(name for name, _, _ in content.curves)} <= {*views.quieted(miou)}


def test_addresses():
    shared = mlflow_page.view_url("http://host", "3", VIEWS[0])
    path, query = urlsplit(shared).fragment.split("?")
    assert path == "/experiments/3/runs"
    assert parse_qs(query) == {
        "workflowType": ["machine_learning"],
        "compareRunsMode": ["CHART"],
        "viewStateShareKey": [VIEWS[0].key],
    }
    _, query = urlsplit(mlflow_page.plain_url("http://host", "3", VIEWS[1])).fragment.split("?")
    assert parse_qs(query)["searchFilter"] == [VIEWS[1].state["searchFilter"]]
    assert "viewStateShareKey" not in query


def test_searches_of_one_experiment_have_colors_of_their_own(search):
    other = replace(search, search_id="1" * 32, name="other")
    for run in (search, other, search):
        sync(run, random_trials(4), description={})
    client, experiment = experiment_of(search)
    query = "tags.pareto_optimal = 'true' AND tags.`nas.search_id` = '{}'"
    colors = [
        {
            run.data.tags["mlflow.runColor"]
            for run in client.search_runs([experiment.experiment_id], query.format(identity))
        }
        for identity in (search.search_id, other.search_id)
    ]
    assert [len(found) for found in colors] == [1, 1]
    assert colors[0] != colors[1]
