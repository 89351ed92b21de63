"""nas rename, delete, gc and list searches: on disk and in MLflow alike."""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
import sys

import pytest

import nas
from nas.tracking import Store
from nas.tracking.views import TAG


@pytest.fixture
def runs(finished_search, tmp_path):
    """A runs directory with one search of three trials, and MLflow's database with its runs."""
    shutil.copytree(finished_search.folder.runs_dir, tmp_path / "runs")
    return tmp_path / "runs"


def client(runs):
    return Store.resolve(runs).connect()


def runs_of(runs, name="digits"):
    from mlflow.entities import ViewType

    store = client(runs)
    experiment = store.get_experiment_by_name(nas.Search(name, runs).facts.dataset)
    return store.search_runs([experiment.experiment_id], run_view_type=ViewType.ALL)


def views(runs):
    (experiment,) = (each for each in client(runs).search_experiments() if each.name != "Default")
    return [value for tag, value in experiment.tags.items() if tag.startswith(TAG)]


def test_a_renamed_search_has_its_new_name_everywhere_and_goes_on(run, runs):
    before = nas.Search("digits", runs).front
    assert run("rename", "digits", "eights", "--runs-dir", runs) == (0, "Renamed 'digits' to 'eights'\n", "")
    assert not (runs / "digits").exists()
    search = nas.Search("eights", runs)
    assert search.front == before
    assert search.experiment.name == "eights"
    (parent,) = (each for each in runs_of(runs, "eights") if each.data.tags["nas.role"] == "search")
    assert parent.info.run_name == parent.data.tags["nas.search"] == "eights"
    assert len(views(runs)) == 3
    assert all(json.loads(value)["name"].startswith("eights: ") for value in views(runs))
    code, out, _ = run("list", "searches", "--runs-dir", runs, "--format", "json")
    assert (code, [row["search"] for row in json.loads(out)]) == (0, ["eights"])


def test_a_search_is_renamed_where_mlflow_is_away(run, runs):
    code, out, err = run("rename", "digits", "eights", "--runs-dir", runs, "--tracking-uri", "http://127.0.0.1:9")
    assert (code, out) == (0, "Renamed 'digits' to 'eights'\n")
    assert "does not answer" in err
    assert "nas sync eights --tracking-uri http://127.0.0.1:9" in err.replace("\n", " ")


@pytest.mark.parametrize(
    ("names", "sentence"),
    [
        (("nothing", "x"), "there is no search 'nothing'"),
        (("digits", "a/b"), "a search's name is at most 100 letters, digits, '.', '_' and '-', begins with a letter"),
        (("digits", "mlflow.db"), "is not one of MLflow's; received 'mlflow.db'"),
        (("digits", "other"), "other exists; give another name"),
    ],
)
def test_what_cannot_be_renamed_is_told_and_stays(run, runs, names, sentence):
    (runs / "other").mkdir()
    code, _, err = run("rename", *names, "--runs-dir", runs)
    assert code == 1
    assert sentence in err.replace("\n", " ")
    assert nas.Search("digits", runs).experiment.name == "digits"


def test_a_deleted_search_is_gone_with_its_runs_and_files(run, runs):
    def files():
        """Of runs; what other tests have registered stays."""
        return [path for path in (runs / "mlartifacts").rglob("*") if path.is_file() and "models" not in path.parts]

    assert files()
    code, out, _ = run("delete", "digits", "--yes", "--runs-dir", runs)
    assert code == 0
    assert out.startswith("Removed 'digits': ")
    assert out.endswith(" and 4 runs in MLflow\n")
    assert sorted(path.name for path in runs.iterdir() if not path.name.startswith("mlflow.db")) == ["mlartifacts"]
    assert files() == []
    with sqlite3.connect(runs / "mlflow.db") as database:
        assert database.execute("SELECT COUNT(*) FROM runs").fetchone() == (0,)
    assert views(runs) == []


def test_only_its_own_runs_are_deleted(run, runs):
    shutil.copytree(runs / "digits", runs / "other")
    (runs / "other" / "search_id").unlink()
    nas.Search("other", runs).sync()
    registered = nas.Search("digits", runs).register("small")
    assert run("delete", "digits", "--yes", "--runs-dir", runs)[0] == 0
    assert len(runs_of(runs, "other")) == 4
    assert len(views(runs)) == 3
    # A registered model answers as before.
    import mlflow

    mlflow.set_tracking_uri(Store.resolve(runs).uri)
    assert mlflow.pyfunc.load_model(registered.uri) is not None


def test_nothing_is_deleted_without_a_yes(run, runs, monkeypatch):
    code, out, err = run("delete", "digits", "--runs-dir", runs)
    assert (code, out) == (1, "")
    assert "confirm with --yes where there is no terminal" in err
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("builtins.input", lambda: "n")
    assert run("delete", "digits", "--runs-dir", runs)[0] == 1
    assert nas.Search("digits", runs).finished
    monkeypatch.setattr("builtins.input", lambda: "y")
    assert run("delete", "digits", "--runs-dir", runs)[0] == 0
    assert not (runs / "digits").exists()


def test_a_damaged_search_can_be_deleted(run, runs):
    (runs / "digits" / "experiment.json").write_text("{")
    assert "cannot be read" in run("list", "searches", "--runs-dir", runs)[1]
    assert run("delete", "digits", "--yes", "--keep-runs", "--runs-dir", runs)[0] == 0
    assert not (runs / "digits").exists()


def test_a_running_search_is_not_deleted(run, runs):
    with nas.Search("digits", runs).folder.locked():
        code, _, err = run("delete", "digits", "--yes", "--runs-dir", runs)
    assert code == 1
    assert "is being run by process" in err
    assert nas.Search("digits", runs).finished


def test_where_mlflow_is_away_nothing_is_deleted(run, runs):
    away = ("--tracking-uri", "http://127.0.0.1:9", "--runs-dir", runs)
    code, _, err = run("delete", "digits", "--yes", *away)
    assert code == 1
    assert "does not answer (Connection refused); nothing was removed; --keep-runs leaves MLflow as it is" in err
    assert nas.Search("digits", runs).finished
    assert run("delete", "digits", "--yes", "--keep-runs", *away)[0] == 0


def test_garbage_is_what_was_deleted_already(run, runs):
    (runs / ".old.deleting").mkdir()
    (runs / ".old.deleting" / "weights.npz").write_bytes(b"0" * 1000)
    parent, *_ = runs_of(runs)
    client(runs).delete_run(parent.info.run_id)
    code, out, _ = run("gc", "--runs-dir", runs / "none", "--tracking-uri", "http://127.0.0.1:9")
    assert (code, out) == (0, "Freed 0 bytes; the trash of an MLflow server is emptied where it runs, with mlflow gc\n")
    code, out, _ = run("gc", "--runs-dir", runs)
    assert code == 0
    assert out.endswith("1 run in MLflow's trash removed\n")
    assert not (runs / ".old.deleting").exists()
    assert len(runs_of(runs)) == 3
    assert nas.Search("digits", runs).finished
    assert run("gc", "--runs-dir", runs)[1] == "Freed 0 bytes; 0 runs in MLflow's trash removed\n"


def test_searches_are_listed_with_what_one_asks_of_them(run, runs):
    code, out, _ = run("list", "searches", "--runs-dir", runs)
    assert code == 0
    heading, row = out.splitlines()
    assert heading.split() == ["search", "data", "trials", "best", "score", "parameters", "size", "last", "change"]
    search = nas.Search("digits", runs)
    document = json.loads(run("list", "searches", "--runs-dir", runs, "--format", "json")[1])
    (found,) = document
    assert (found["trials"], found["finished"], found["front"]) == (3, True, len(search.front))
    observed = max(trial.observed for trial in search.observed_trials)
    assert found["best"]["score"] == observed
    assert f"{100 * observed:.2f}%" in row
    assert found["bytes"] == sum(path.stat().st_size for path in (runs / "digits").rglob("*") if path.is_file())


@pytest.mark.parametrize("kind", ["spaces", "experiments", "strategies", "blocks", "boards"])
def test_each_list_has_json(run, kind):
    code, out, _ = run("list", kind, "--format", "json")
    rows = json.loads(out)
    assert code == 0
    assert all(row["name"] and row["description"] for row in rows)


def test_python_runs_it_as_a_module():
    done = subprocess.run([sys.executable, "-m", "nas", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout == f"nas {nas.__version__}\n"
