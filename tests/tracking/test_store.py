from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from mlflow.exceptions import MlflowException

from nas.errors import NasError
from nas.tracking import Store, search_id, ui
from nas.tracking.store import _create_sqlite as create_sqlite  # before it is replaced for the tests
from nas.tracking.tracker import one_line


def test_default_is_a_database_in_the_runs_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    store = Store.resolve(Path("runs"), environ={})
    assert store.uri == f"sqlite:///{tmp_path}/runs/mlflow.db"
    assert store.artifact_root == tmp_path / "runs" / "mlartifacts"


def test_the_argument_wins_over_the_environment_and_that_over_the_default(tmp_path):
    environ = {"MLFLOW_TRACKING_URI": "http://tracking:5000"}
    assert Store.resolve(tmp_path, environ=environ) == Store(uri="http://tracking:5000", artifact_root=None)
    assert Store.resolve(tmp_path, "https://other", environ).uri == "https://other"


def test_a_relative_database_becomes_absolute(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    store = Store.resolve(tmp_path / "runs", "sqlite:///db/mine.db", {})
    assert store.uri == f"sqlite:///{tmp_path}/db/mine.db"
    assert store.artifact_root == tmp_path / "db" / "mlartifacts"


@pytest.mark.parametrize("uri", ["./mlruns", "file:///tmp/mlruns", "sqlite:///", "ftp://x"])
def test_an_address_mlflow_cannot_write_to_is_refused(tmp_path, uri):
    with pytest.raises(NasError, match=r"starts with http://, https:// or sqlite:/// .*received .*try sqlite:///"):
        Store.resolve(tmp_path, uri, {})


@pytest.mark.parametrize("name", ["what?", "95%20done"])
def test_a_folder_that_mlflow_would_misread_is_refused(tmp_path, name):
    with pytest.raises(NasError, match=r"cannot keep a database where a \? or a % with two digits is in the path; rec"):
        Store.resolve(tmp_path / name, environ={})
    assert Store.resolve(tmp_path / "100% #1 ö", environ={}).artifact_root == tmp_path / "100% #1 ö" / "mlartifacts"


def test_a_password_is_not_shown(tmp_path):
    store = Store.resolve(tmp_path, "https://me:secret@tracking/mlflow", {})
    assert store.label == "https://me:***@tracking/mlflow"
    assert store.uri == "https://me:secret@tracking/mlflow"


def test_search_id_is_made_once_a_folder(tmp_path):
    first = search_id(tmp_path / "a")
    assert search_id(tmp_path / "a") == first != search_id(tmp_path / "b")


def test_a_search_id_that_is_none_is_refused(tmp_path):
    (tmp_path / "search_id").write_text("'; drop")
    with pytest.raises(NasError, match=r"must hold 32 hexadecimal digits; received \"'; drop\""):
        search_id(tmp_path)


def test_a_search_id_that_cannot_be_kept_says_why(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(NasError, match=r"cannot keep the search's id in .*file/search_id: .*; free space or"):
        search_id(tmp_path / "file")


def test_a_deleted_experiment_is_brought_back(store):
    client = store.connect()
    identity = store.experiment_id(client, "digits")
    client.delete_experiment(identity)
    assert store.experiment_id(client, "digits") == identity
    assert client.get_experiment(identity).lifecycle_stage == "active"


@pytest.mark.parametrize("replaced", [False, True])
def test_a_client_of_a_database_that_was_deleted_or_replaced_sees_the_new_one(store, tmp_path, replaced):
    shutil.copy(tmp_path / "mlflow.db", tmp_path / "other.db")
    store.experiment_id(store.connect(), "digits")
    for path in tmp_path.glob("mlflow.db*"):
        path.unlink()
    if replaced:
        (tmp_path / "other.db").rename(tmp_path / "mlflow.db")
    client = store.connect()
    assert client.get_experiment_by_name("digits") is None
    identity = store.experiment_id(client, "digits")
    connection = sqlite3.connect(tmp_path / "mlflow.db")
    found = connection.execute("SELECT experiment_id FROM experiments WHERE name = 'digits'").fetchall()
    connection.close()
    assert found == [(int(identity),)]


def test_two_searches_that_create_one_experiment_at_once_share_it(store, monkeypatch):
    client, other = store.connect(), store.connect()
    look, seen = client.get_experiment_by_name, []

    def overtaken(name):
        found = look(name)
        if not seen:
            assert found is None
            seen.append(store.experiment_id(other, name))
        return found

    monkeypatch.setattr(client, "get_experiment_by_name", overtaken)
    assert [store.experiment_id(client, "digits")] == seen


def test_an_experiment_that_cannot_be_created_is_an_error(store):
    client = store.connect()
    with pytest.raises(MlflowException, match="exceeds the maximum length"):
        store.experiment_id(client, "e" * 501)


_SEARCH = """
import logging, os, sqlite3, sys
from pathlib import Path
root = logging.getLogger()
before = root.level, list(root.handlers)
from nas.objectives import PARAMETERS, Objectives
from nas.tasks import DEFAULT_TASK
from nas.tracking import SearchRun, Store, sync
objectives = Objectives(score=DEFAULT_TASK.score, interest={PARAMETERS: (1, 2)})
store = Store.resolve(Path("runs"))
search = SearchRun(store=store, experiment="e", name="n", search_id=sys.argv[1], objectives=objectives)
sync(search, [], description={}, status="RUNNING" if int(sys.argv[1]) else "FINISHED")
assert before == (root.level, root.handlers)
assert sqlite3.connect("runs/mlflow.db").execute("PRAGMA journal_mode").fetchone() == ("wal",)
"""


def test_processes_that_create_one_store_at_once_are_quiet_and_leave_nothing_else_behind(tmp_path):
    """Nothing on the terminal, no `mlruns` in the current directory, no draft of the database."""
    environ = {k: v for k, v in os.environ.items() if not k.startswith("MLFLOW_")}
    environ["PYTHONPATH"] = str(Path(__file__).parents[2])
    searches = [
        subprocess.Popen(
            [sys.executable, "-c", _SEARCH, f"{number:032x}"],
            cwd=tmp_path,
            env=environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        for number in range(2)
    ]
    assert [(s.communicate()[0], s.returncode) for s in searches] == [(b"", 0), (b"", 0)]
    assert os.listdir(tmp_path) == ["runs"]
    left = set(os.listdir(tmp_path / "runs")) - {"mlflow.db-shm", "mlflow.db-wal"}
    assert left == {"mlflow.db", "mlartifacts"}


@pytest.mark.parametrize(
    ("program", "seconds", "error"),
    [
        ("raise SystemExit(1)", 60, r"the MLflow UI did not start: at https://me:\*\*\*@host"),
        ("import time; time.sleep(60)", 1, r"did not answer within 1 seconds; let it take longer with --wait 20m"),
    ],
    ids=["ended", "silent"],
)
def test_a_server_that_does_not_start_shows_the_end_of_its_log(program, seconds, error, caplog):
    with tempfile.TemporaryFile() as log, subprocess.Popen([sys.executable, "-c", program]) as server:
        log.write(b"one\n" * 50 + b"at https://me:secret@host\n")
        try:
            with pytest.raises(NasError, match=error):
                ui._wait_until_ready(server, "http://127.0.0.1:9", log, seconds)
        finally:
            server.kill()
    (record,) = caplog.records
    assert record.getMessage() == "the end of the server's log:\n" + "  one\n" * 19 + "  at https://me:***@host"


def test_drafts_of_killed_processes_are_removed_and_nothing_else(tmp_path):
    database = tmp_path / "runs" / "mlflow.db"
    database.parent.mkdir()
    drafts = [f".mlflow.db.{'0' * 32}{suffix}" for suffix in ("", "-wal", "-journal")]
    others = [".mlflow.db.backup", f"mlflow.db.{'0' * 32}"]
    for name in (*drafts, *others):
        (database.parent / name).write_text("half")
    create_sqlite(database)
    assert set(os.listdir(database.parent)) == {"mlflow.db", *others}
    (database.parent / drafts[0]).write_text("half")  # killed while another process was faster
    create_sqlite(database)
    assert set(os.listdir(database.parent)) == {"mlflow.db", *others}


def test_a_password_in_a_text_of_mlflow_is_not_shown(tmp_path):
    store = Store.resolve(tmp_path, "https://me:a@b/c@host/x")
    error = RuntimeError(f"API request to {store.uri}/api failed")
    assert one_line(error, store) == (
        "MLflow at https://me:***@host/x cannot be written: API request to https://me:***@host/x/api failed"
    )


def test_the_ui_is_asked_without_a_proxy(monkeypatch, tmp_path):
    # Nothing listens on port 9, so a request that took the proxy would never be answered.
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)
    program = (
        "import http.server as h\n"
        "class A(h.BaseHTTPRequestHandler):\n"
        "    def do_GET(s): s.send_response(200); s.end_headers()\n"
        "s = h.HTTPServer(('127.0.0.1', 0), A); print(s.server_port, flush=True); s.serve_forever()"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as server:
        try:
            port = int(server.stdout.readline())
            with tempfile.TemporaryFile() as log:
                ui._wait_until_ready(server, f"http://127.0.0.1:{port}", log, 10)
        finally:
            server.kill()


def test_a_server_on_this_machine_is_asked_past_proxies(monkeypatch):
    class Nothing(BaseHTTPRequestHandler):
        def do_POST(self):
            self.send_response(200)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *arguments):
            pass

    for name in ("http_proxy", "HTTP_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.setenv(name, "intranet")
    with ThreadingHTTPServer(("127.0.0.1", 0), Nothing) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        store = Store.resolve(Path("runs"), f"http://127.0.0.1:{server.server_port}")
        assert list(store.connect().search_experiments()) == []
        server.shutdown()
    assert os.environ["no_proxy"] == "intranet,127.0.0.1"
