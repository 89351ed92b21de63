"""What programs and notebooks see of a search."""

from __future__ import annotations

import re

import numpy as np
import pytest

import nas
from nas.datasets import load
from nas.results.pareto import ParetoFront


def test_all_public_names_are_listed_before_they_are_used():
    assert set(nas.__all__) <= set(dir(nas))


def test_a_front_has_places_a_length_and_one_line(finished_search):
    front = finished_search.front
    assert [front[place] for place in range(len(front))] == list(front)
    assert front[-1] is front.points[-1]
    with pytest.raises(IndexError):
        front[len(front)]
    first, last = front[0], front[-1]
    ends = f"{first.parameters:,} to {last.parameters:,} parameters, score {first.score:.3f} to {last.score:.3f}"
    assert repr(front) == f"ParetoFront({len(front)} point{'s' * (len(front) != 1)}, {ends})"
    assert repr(ParetoFront()) == "ParetoFront(no points)"


def test_a_trial_is_one_line(finished_search):
    trial = finished_search.front[0]
    told = f"TrialRecord({trial.number}, COMPLETED, {trial.parameters:,} parameters, score {trial.score:.4f}, "
    assert repr(trial) == f"{told}{trial.architecture.describe()})"


def test_the_trained_model_has_the_score_of_its_trial(finished_search):
    best = finished_search.best()
    model = finished_search.load_model()
    assert model.count_params() == best.parameters
    validation = load(finished_search.experiment.dataset).validation
    answers = model.predict(validation.images.astype("float32") / 255, verbose=0)
    assert np.mean(answers.argmax(axis=1) == validation.targets) == pytest.approx(best.observed, abs=2e-3)
    smallest = finished_search.front[0]
    assert finished_search.load_model(smallest.number).count_params() == smallest.parameters
    assert finished_search.load_model(max_params=smallest.parameters).count_params() == smallest.parameters


def test_a_table_has_a_row_a_trial(finished_search):
    table = finished_search.to_dataframe()
    assert list(table["trial"]) == [trial.number for trial in finished_search.trials]
    assert list(table["parameters"]) == [trial.parameters for trial in finished_search.trials]
    assert list(table["val_accuracy"]) == [trial.observed for trial in finished_search.trials]
    assert set(table["trial"][table["on_front"]]) == {point.number for point in finished_search.front}


def test_a_notebook_shows_the_picture_and_the_points(finished_search, tmp_path):
    finished_search.plot().save(tmp_path / "front.svg")
    picture = (tmp_path / "front.svg").read_text()
    assert picture == finished_search.plot()._repr_svg_()
    assert "validation accuracy" in picture
    with pytest.raises(nas.NasError, match=r"^a picture is saved as .svg; received 'front.png'; nas front NAME --plot"):
        finished_search.plot().save("front.png")
    page = finished_search._repr_html_()
    assert page.startswith(picture)
    assert re.findall(r"<tr><td>(\d+)</td>", page) == [str(point.number) for point in finished_search.front]


def test_searches_are_where_the_environment_says(finished_search, monkeypatch):
    monkeypatch.setenv("NAS_RUNS_DIR", str(finished_search.folder.runs_dir))
    assert nas.Search("digits").front == finished_search.front


def test_options_have_one_name_everywhere():
    import inspect

    from nas.cli.search import search as command

    options = set(inspect.signature(command).parameters) - {"set_", "baseline", "dry_run"}
    assert options <= set(inspect.signature(nas.search).parameters)


def test_a_space_is_written_where_it_is_used(tmp_path):
    text = "stem: [conv: {filters: [4, 8]}]\nstages: [{filters: 8, downsample: max_pool, choose: conv}]\n"
    text += "head: global_pool\n"
    data = {
        "stem": ({"conv": {"filters": (4, 8)}},),
        "stages": [{"filters": 8, "downsample": "max_pool", "choose": "conv"}],
        "head": "global_pool",
    }
    space = nas.SearchSpace.parse(text, input_shape=(8, 8, 1), classes=10)
    assert nas.SearchSpace.parse(data, input_shape=(8, 8, 1), classes=10).definition == space.definition
    for source in (nas.SearchSpace.parse(data), data):
        search = nas.search(
            "digits", space=source, name="written", trials=1, epochs=1, workers=0, runs_dir=tmp_path,
            settings={"final.seeds": 0},
        )  # fmt: skip
        assert search.trials[0].architecture in space
    assert len(search.trials) == 1  # the same space, so the same search
    with pytest.raises(nas.NasError, match=r"^space.yaml:1: stem\[0\]"):
        nas.SearchSpace.parse(text.replace("filters: [4, 8]", "filters: [4, -8]"))
    with pytest.raises(nas.NasError, match=r"^only dicts, .* and none are data; received np.int64\(3\)$"):
        nas.SearchSpace.parse({"stem": np.int64(3)})
    with pytest.raises(nas.NasError, match=r"^data must not contain themselves, or hundreds of levels$"):
        nas.SearchSpace.parse(data | {"stem": (itself := [], itself.append(itself))})
