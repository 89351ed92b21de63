"""After kill -9, MLflow says RUNNING only until somebody looks, and drafts are there only until somebody works."""

from __future__ import annotations

import shutil
import sqlite3

import pytest

import nas
from nas.tracking import running_searches
from nas.tuning.killed import sync_killed
from tests.tracking.examples import read_runs


@pytest.fixture
def killed(finished_search, tmp_path):
    """A search whose process died before MLflow was told of the end, and of its last trial."""
    runs_dir = tmp_path / "runs"
    shutil.copytree(finished_search.folder.runs_dir, runs_dir)
    search = nas.Search("digits", runs_dir)
    search.tracking_run().store.connect()
    connection = sqlite3.connect(runs_dir / "mlflow.db")
    with connection:
        connection.execute("UPDATE runs SET status = 'RUNNING', end_time = NULL WHERE name = 'digits'")
        connection.execute("UPDATE runs SET status = 'RUNNING', end_time = NULL WHERE name LIKE '002%'")
    connection.close()
    return search


def statuses(search):
    parent, children = read_runs(search.tracking_run())
    return parent.info.status, {number: run.info.status for number, run in children.items()}


def test_the_next_look_ends_what_a_killed_search_left_running(killed):
    assert running_searches(killed.tracking_run().store) == {killed.tracking_run().search_id}
    sync_killed(killed.folder.runs_dir)
    assert statuses(killed) == ("FINISHED", {0: "FINISHED", 1: "FINISHED", 2: "FINISHED"})
    assert running_searches(killed.tracking_run().store) == frozenset()


def test_a_search_that_is_not_finished_was_killed(killed):
    path = killed.folder.path / "experiment.json"
    path.write_text(path.read_text().replace('"trials": 3', '"trials": 5'))
    sync_killed(killed.folder.runs_dir)
    assert statuses(killed)[0] == "KILLED"


def test_one_that_runs_is_left_alone_and_so_are_those_that_cannot_be_read(killed):
    with killed.folder.locked():
        sync_killed(killed.folder.runs_dir)
    assert statuses(killed)[0] == "RUNNING"
    (killed.folder.runs_dir / "broken").mkdir()
    (killed.folder.runs_dir / "broken" / "experiment.json").write_text("{")
    sync_killed(killed.folder.runs_dir)
    assert statuses(killed)[0] == "FINISHED"


def test_without_a_server_it_says_nothing(killed, capsys):
    sync_killed(killed.folder.runs_dir, "http://127.0.0.1:9")
    assert capsys.readouterr() == ("", "")


def test_what_a_killed_search_was_writing_is_removed_by_the_next_that_holds_it(killed):
    folder = killed.folder
    (folder.data).mkdir()
    drafts = [folder.data / "train-images.npy", folder.path / ".facts.json.new"]
    drafts += [folder.weights(3).with_name(".3.npz.abc"), folder.checkpoint(3).with_name(".3.npz.new")]
    kept = [folder.path / "notes.new", folder.weights(3).with_name("3.npz"), folder.path / ".mine"]
    folder.checkpoint(0).parent.mkdir(exist_ok=True)
    for path in (*drafts, *kept):
        path.touch()
    with folder.locked():
        assert not any(path.exists() for path in (*drafts, folder.data))
    assert all(path.exists() for path in kept)
