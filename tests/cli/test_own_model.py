"""nas front --with: a model of the user's own beside the front; and reference networks as trials."""

import csv
import io
import json

import numpy as np
import pytest

import nas


def constant(units, path):
    """A model with many parameters that always answers 3."""
    import keras

    image = keras.Input((8, 8, 1))
    x = keras.layers.Dense(units)(keras.layers.Flatten()(image))
    model = keras.Model(image, keras.layers.Dense(10)(x))
    model.layers[-1].set_weights([np.zeros((units, 10)), np.eye(10)[3]])
    model.save(path)
    return model.count_params()


@pytest.fixture(scope="module")
def mine(tmp_path_factory):
    path = tmp_path_factory.mktemp("models") / "mine.keras"
    return path, constant(50, path)


def validation(search):
    from nas.datasets import load

    return load(search.experiment.dataset).validation


def test_a_dominated_model_in_the_table(run, finished_search, mine):
    path, parameters = mine
    where = ["--runs-dir", finished_search.folder.runs_dir]
    code, out, err = run("front", "digits", "--with", path, *where)
    # 64*50 + 50 and 50*10 + 10
    assert parameters == 3_760
    line = next(line.split() for line in out.splitlines() if line.split()[:1] == ["yours"])
    accuracy = (validation(finished_search).targets == 3).mean()
    assert line[1:3] == ["3,760", f"{accuracy:.2%}"]
    assert " ".join(line[3:5]) == "mine.keras (yours):"
    assert code == 0
    assert "mine.keras: scored on" in err
    assert "dominated by trial" in out


def test_a_dominated_model_in_json_and_csv(run, finished_search, mine):
    path, parameters = mine
    where = ["--runs-dir", finished_search.folder.runs_dir]
    _, out, _ = run("front", "digits", "--with", path, "--format", "json", *where)
    points = json.loads(out)["points"]
    assert [point["parameters"] for point in points] == sorted(point["parameters"] for point in points)
    (own,) = [point for point in points if point["model"]]
    assert (own["model"], own["trial"], own["parameters"], own["macs"]) == ("mine.keras", None, parameters, None)
    front = finished_search.front
    assert own["dominated_by"] in {point.number for point in front}
    assert [point["trial"] for point in points if not point["model"]] == [point.number for point in front]
    _, out, _ = run("front", "digits", "--with", path, "--format", "csv", *where)
    rows = list(csv.DictReader(io.StringIO(out)))
    assert [row["model"] for row in rows].count("mine.keras") == 1
    assert len(rows) == len(front) + 1


def test_a_small_model_is_on_the_front(run, finished_search, tmp_path):
    constant(1, tmp_path / "tiny.keras")  # 64 + 1 and 10 + 10 parameters, fewer than any trial has
    where = ["--runs-dir", finished_search.folder.runs_dir]
    assert finished_search.front.points[0].parameters > 85
    _, out, _ = run("front", "digits", "--with", tmp_path / "tiny.keras", "--format", "json", *where)
    first = json.loads(out)["points"][0]
    assert (first["model"], first["parameters"], first["dominated_by"]) == ("tiny.keras", 85, None)
    _, out, _ = run("front", "digits", "--with", tmp_path / "tiny.keras", *where)
    assert "tiny.keras (yours): on the front" in out


def test_without_it_nothing_changes(run, finished_search):
    _, out, _ = run("front", "digits", "--format", "json", "--runs-dir", finished_search.folder.runs_dir)
    assert "model" not in json.loads(out)["points"][0]


def test_a_model_that_cannot_be_read_is_one_line(run, finished_search, tmp_path):
    code, _, err = run(
        "front", "digits", "--with", tmp_path / "no.keras", "--runs-dir", finished_search.folder.runs_dir
    )
    assert code == 1
    assert err == f"Error: there is no file {tmp_path / 'no.keras'}\n"


@pytest.mark.slow
def test_a_reference_network_is_a_search_of_one_trial(run, tmp_path):
    """8x8 digits are padded to 32x32; the experiment's budget of 20,000 was not meant for it."""
    arguments = ["search", "digits", "--space", "reference/lenet5", "--epochs", "3", "--runs-dir", tmp_path]
    arguments += ["--set", "final.seeds=0", "--workers", "0"]
    code, out, err = run(*arguments)
    assert code == 0
    assert "reference/lenet5 is one network: one trial, without the experiment's budget" in err
    (trial,) = nas.Search("digits", tmp_path).trials
    assert trial.parameters == 61_706
    assert trial.score > 0.6
    assert "1 of 1 trials" in out
    assert run(*arguments)[2].count("The search 'digits' is finished") == 1


def test_a_budget_on_the_command_line_binds_a_reference_network(run, tmp_path):
    code, _, err = run(
        "search", "digits", "--space", "reference/lenet5", "--max-params", "20k", "--dry-run", "--runs-dir", tmp_path
    )
    assert code == 1
    assert "has at most 20,000 parameters: the smallest has 61,706" in err
