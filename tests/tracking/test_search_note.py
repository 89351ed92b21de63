from __future__ import annotations

from nas.reports import Story
from nas.reports.front_tables import front_markdown
from nas.reports.search_page import report_html
from nas.results.pareto import ParetoFront
from nas.results.trial import FinalTraining
from nas.tracking import sync
from nas.tracking.search_note import NOTE_LIMIT, search_note
from tests.tracking.examples import OBJECTIVES, SCORE, artifact, failed, random_trials, read_runs, trial

STORY = Story(
    facts={"Data": "a/b'c_d <i>|`x`", "Budget": "at most 20,000 parameters", "Machine": ""},
    command="nas search 'a/b' --max-params 20k",
    files={"experiment.yaml": "name: x\n", "space.yaml": "stem: []\n"},
)


def note(records, story=STORY, **changes):
    values = {
        "score": SCORE,
        "trials": len(records),
        "hypervolume": 0.5,
        "running": False,
        "views": [("All trials", "#/a"), ("Pareto front", "#/b")],
        "links": {record.number: f"#/runs/{record.number:032d}?workflowType=machine_learning" for record in records},
    }
    return search_note(story, ParetoFront.of(records), **values | changes)


def test_links_come_first_because_only_the_first_line_shows():
    text = note([trial(0, 0.9)])
    assert text.splitlines()[0] == "[All trials](#/a) · [Pareto front](#/b)"


def test_it_tells_the_front_and_how_it_was_made():
    text = note([trial(0, 0.9), failed(1)], picture="get-artifact?x")
    assert "2 trials, 1 on the Pareto front; the best has 90.00% validation accuracy with 458 parameters" in text
    assert "![The Pareto front: accuracy against parameters](get-artifact?x)" in text
    assert "| [0](#/runs/" in text
    assert "- **Data:** a/b'c\\_d \\<i\\>\\|\\`x\\`" in text
    assert "    nas search 'a/b' --max-params 20k" in text
    assert "Machine" not in text
    assert "so far" not in text
    assert "2 trials so far" in note([trial(0, 0.9), failed(1)], running=True)


def test_without_a_completed_trial_there_is_no_table():
    text = note([failed(0)])
    assert "1 trial, 0 on the Pareto front." in text
    assert "### The front" not in text


def test_it_fits_into_mlflow_however_long_the_front_and_the_story_are():
    records = [trial(n, 0.5 + n / 400, filters=2 + n) for n in range(150)]
    long = Story(facts={f"Fact {n}": "x" * 300 for n in range(40)}, command="nas search " + "y" * 9_000)
    for story in (STORY, long):
        text = note(records, story)
        assert len(text) <= NOTE_LIMIT
        assert "more are in front.csv" in text


def test_test_scores_are_marked_as_what_they_are():
    metrics = {"val_score": 0.9, "test_score": 0.88, "test_score_std": 0.0123, "test_seeds": 3}
    text = front_markdown(ParetoFront((trial(0, 0.9, metrics=metrics), trial(1, 0.95))), SCORE, {})
    assert "| test accuracy |" in text
    assert "88.00% ± 1.23 (3 seeds)" in text
    assert "test accuracy" not in front_markdown(ParetoFront((trial(1, 0.95),)), SCORE, {})


def test_points_that_noise_explains_are_left_out():
    points = []
    for number, scores in enumerate([(0.90, 0.90), (0.89, 0.92)]):
        point = trial(number, 0.9 + number / 20, filters=16 * (number + 1))
        for seed, score in enumerate(scores):
            point = point.with_final(FinalTraining(seed=seed, val_score=score, test_score=0.8))
        points.append(point)
    text = note(points)
    assert "2 on the Pareto front (1 explained by noise); the best has 90.00% validation accuracy" in text
    assert "95.00%" not in text
    assert "Left out: trial 1; trained again, no better" in text
    page = report_html(points, name="x", story=STORY, objectives=OBJECTIVES, finished=True)
    assert "Left out: trial 1; trained again, no better" in page
    assert '<th scope="row" class="n"><a href="#trial-0">' in page
    assert '<th scope="row" class="n"><a href="#trial-1">' not in page
    assert "<dt>Best validation accuracy of the others</dt><dd>90.00%</dd>" in page
    assert page.count("(explained by noise)</summary>") == 1


def test_the_search_run_keeps_its_files_and_writes_them_once(search, monkeypatch):
    from dataclasses import replace

    told = replace(search, story=STORY)
    sync(told, random_trials(3), description={})
    parent, _ = read_runs(told)
    assert artifact(told, parent, "experiment.yaml") == b"name: x\n"
    assert artifact(told, parent, "space.yaml") == b"stem: []\n"
    assert artifact(told, parent, "front.svg").startswith(b"<?xml")
    assert "Made with:" in parent.data.tags["mlflow.note.content"]


def test_only_the_front_is_drawn_and_its_page_leads_back(search):
    sync(search, [trial(0, 0.9), trial(1, 0.5, filters=30), failed(2)], description={})
    parent, children = read_runs(search)
    assert artifact(search, children[0], "architecture.svg").startswith(b"<svg")
    client = search.store.connect()
    files = [[file.path for file in client.list_artifacts(children[n].info.run_id)] for n in range(3)]
    assert files == [["architecture.json", "architecture.svg"], ["architecture.json"], ["architecture.json"]]
    assert parent.info.run_id in children[0].data.tags["mlflow.note.content"]


def test_a_failed_trial_shows_what_it_wrote(search):
    sync(search, [trial(0, 0.5), trial_with_log()], description={})
    _, children = read_runs(search)
    text = children[1].data.tags["mlflow.note.content"]
    assert text.startswith("**Failed:** out of memory")
    assert "    Traceback" in text


def trial_with_log():
    from nas.results.trial import TrialStatus

    return trial(
        1, 0, status=TrialStatus.FAILED, metrics={}, curves={}, reason="out of memory", log="Traceback\n  line 1"
    )
