"""nas ui, nas report, nas front with several searches and pictures, nas export --register."""

from __future__ import annotations

import csv
import io
import json
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

import nas
from nas.tracking import running_searches

ROOT = Path(nas.__file__).parent.parent


@pytest.fixture(scope="module")
def two_searches(finished_search, tmp_path_factory):
    """The finished search twice, the second time as `other`; a runs directory."""
    runs_dir = tmp_path_factory.mktemp("two")
    for name in ("digits", "other"):
        shutil.copytree(finished_search.folder.path, runs_dir / name)
    path = runs_dir / "other" / "experiment.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"name": "other"}))
    (runs_dir / "other" / "search_id").write_text("1" * 32)
    return runs_dir


@pytest.mark.parametrize(("suffix", "start"), [(".png", b"\x89PNG"), (".svg", b"<?xml"), (".html", b"<!DOCTYPE html>")])
def test_front_draws_a_picture(run, finished_search, tmp_path, suffix, start):
    path = tmp_path / "pictures" / f"front{suffix}"
    code, out, err = run(
        "front", "digits", "--plot", path, "--format", "json", "--runs-dir", finished_search.folder.runs_dir
    )
    assert code == 0
    assert json.loads(out)["search"] == "digits"
    assert f"The picture is in {path}." in err
    assert path.read_bytes().startswith(start)


def test_several_fronts_side_by_side(run, two_searches):
    code, out, err = run("front", "digits", "other", "--runs-dir", two_searches)
    assert code == 0
    assert "2 searches on digits; hypervolume over " in out
    assert re.search(r"budget \(parameters\) +is ahead", out)
    assert "none: equal" in out
    assert "they differ in" not in out
    assert "alone" not in out
    assert "The joint front" in out
    assert "ui digits other" in err


def test_what_differs_between_searches_is_said_first(run, two_searches, tmp_path):
    shutil.copytree(two_searches, tmp_path / "runs")
    folder = tmp_path / "runs" / "other"
    experiment, facts = (json.loads((folder / f"{name}.json").read_text()) for name in ("experiment", "facts"))
    experiment["training"]["epochs"] = 7
    experiment["budget"]["max_parameters"] = 3_500
    facts["data"]["train"] = "0123456789abcdef"
    facts["interest"] = {"parameters": [75, 1_500]}
    (folder / "experiment.json").write_text(json.dumps(experiment))
    (folder / "facts.json").write_text(json.dumps(facts))
    _, out, _ = run("front", "digits", "other", "--runs-dir", tmp_path / "runs")
    lines = [" ".join(line.split()) for line in out.splitlines()]
    assert "they differ in digits other" in lines
    assert "budget.max_parameters 3000 3500" in lines
    assert "training.epochs 2 7" in lines
    assert any(line.startswith("train images digest ") and line.endswith("digest 01234567") for line in lines)
    rest = "accuracy from 10.00% to all but one of 288"
    assert out.index("they differ in") < out.index("joint front")
    assert f"alone, as in `nas front digits`: digits over 150 to 3,000 parameters, {rest}" in lines
    assert f"alone, as in `nas front other`: other over 75 to 1,500 parameters, {rest}" in lines
    document = json.loads(run("front", "digits", "other", "--format", "json", "--runs-dir", tmp_path / "runs")[1])
    assert document["differences"]["training.epochs"] == {"digits": "2", "other": "7"}
    assert "name" not in document["differences"]
    for search in document["searches"]:
        alone = json.loads(run("front", search["search"], "--format", "json", "--runs-dir", tmp_path / "runs")[1])
        assert search["hypervolume_alone"] == alone["hypervolume"] != search["hypervolume"]


def test_several_fronts_for_programs(run, two_searches, finished_search):
    document = json.loads(run("front", "digits", "other", "--format", "json", "--runs-dir", two_searches)[1])
    assert [search["search"] for search in document["searches"]] == ["digits", "other"]
    assert {search["hypervolume"] for search in document["searches"]} == {round(finished_search.hypervolume, 6)}
    assert [stretch["search"] for stretch in document["ahead"]] == [None]
    rows = list(
        csv.DictReader(io.StringIO(run("front", "digits", "other", "--format", "csv", "--runs-dir", two_searches)[1]))
    )
    assert len(rows) == 2 * len(finished_search.front)
    assert {row["on_joint_front"] for row in rows if row["search"] == "digits"} == {"True"}


def test_report_writes_one_page(run, finished_search, tmp_path):
    path = tmp_path / "out" / "digits.html"
    code, out, _ = run("report", "digits", "--to", path, "--runs-dir", finished_search.folder.runs_dir)
    page = path.read_text(encoding="utf-8")
    assert code == 0
    assert out == f"The report on 'digits' is in {path} ({path.stat().st_size:,} bytes).\n"
    assert page.startswith("<!DOCTYPE html>")
    assert "digits, 8x8x1, 10 classes" in page
    assert f"keras {nas.Search('digits', finished_search.folder.runs_dir).facts.versions['keras']}" in page


@pytest.mark.slow
def test_export_registers_the_exported_trial(run, finished_search, tmp_path):
    best = finished_search.best()
    where = ["--runs-dir", finished_search.folder.runs_dir, "--to", tmp_path / "model"]
    code, out, _ = run("export", "digits", "--best", *where, "--register", "digits-small")
    assert code == 0
    version = re.search(r"Version (\d+) of the registered model 'digits-small': models:/digits-small/\1\n", out)
    client = finished_search.tracking_run().store.connect()
    found = client.get_model_version_by_alias("digits-small", "champion")
    assert version
    assert (found.version, found.tags["nas.parameters"]) == (int(version[1]), str(best.parameters))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["front", "digits", "--plot", "x.pdf"], "--plot writes .html, .png, .svg; received 'x.pdf'"),
        (
            ["front", "digits", "other", "--plot", "x.png"],
            "--plot draws one search; name one, or compare several with nas ui",
        ),
        (["front", "digits", "digits"], "a comparison names each search once; received digits, digits"),
        (["front", "digits", "nope"], "there is no search 'nope' in "),
        (["front", "digits", "other", "--with", "x.keras"], "--with is about one search; name one"),
        (["report", "digits", "--to", "x.pdf"], "--to takes a .html file; received 'x.pdf'"),
        (["ui", "digits", "--wait", "soon"], "--wait must be a duration such as 90s, 30m or 1h30m; received 'soon'"),
        (["ui", "nope"], "there is no search 'nope' in "),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_mistake_is_one_line_and_exit_1(run, two_searches, arguments, message, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    code, _, err = run(*arguments, "--runs-dir", two_searches)
    assert code == 1
    assert f"Error: {message}" in err
    assert err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("uri", "message"),
    [
        ("http://127.0.0.1:9", "MLflow at http://127.0.0.1:9 does not answer (Connection refused)"),
        ("sqlite:////proc/no/mlflow.db", "MLflow at sqlite:////proc/no/mlflow.db cannot be read: "),
    ],
)
@pytest.mark.parametrize("names", [[], ["digits"]], ids=["all", "one"])
def test_ui_of_an_mlflow_that_is_not_there_is_one_line(run, two_searches, names, uri, message):
    code, out, err = run("ui", *names, "--no-open", "--tracking-uri", uri, "--runs-dir", two_searches)
    assert (code, out) == (1, "")
    assert f"Error: {message}" in err
    assert "a fault in nas" not in err


def test_searches_on_different_data_are_not_compared(run, two_searches, tmp_path):
    shutil.copytree(two_searches, tmp_path / "runs")
    path = tmp_path / "runs" / "other" / "facts.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"dataset": "mnist", "data": {"train": "0123"}}))
    code, _, err = run("front", "digits", "other", "--runs-dir", tmp_path / "runs")
    assert code == 1
    told = "received digits: digits of 8x8x1, other: mnist of 8x8x1"
    assert f"only searches on the same images can be compared; {told}" in err


def test_a_port_that_is_taken_is_said_in_one_line(run, finished_search):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        code, _, err = run("ui", "digits", "--port", port, "--runs-dir", finished_search.folder.runs_dir)
    assert code == 1
    assert f"port {port} cannot be used (Address already in use); give another one with --port" in err


@pytest.mark.slow
def test_ui_prints_the_address_when_it_is_ready_and_ctrl_c_ends_the_server_too(finished_search):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    connection = sqlite3.connect(finished_search.folder.runs_dir / "mlflow.db")
    with connection:  # as after kill -9
        connection.execute("UPDATE runs SET status = 'RUNNING' WHERE name = 'digits'")
    connection.close()
    command = [sys.executable, "-c", "from nas.cli import run; run()", "ui", "digits", "--no-open", "--port", str(port)]
    command += ["--runs-dir", str(finished_search.folder.runs_dir)]
    process = subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        url = process.stdout.readline().strip()
        assert re.fullmatch(
            rf"http://127\.0\.0\.1:{port}/#/experiments/\d+/runs\?workflowType=machine_learning&compareRunsMode=CHART"
            r"&viewStateShareKey=[0-9a-f-]{36}",
            url,
        )
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=30) as answer:
            assert answer.status == 200
        assert running_searches(finished_search.tracking_run().store) == frozenset()
    finally:
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 0
    assert "The MLflow UI has stopped." in err
    assert "Traceback" not in err
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0


@pytest.mark.slow
def test_the_example_of_the_documentation_runs(finished_search, tmp_path):
    shutil.copytree(finished_search.folder.runs_dir, tmp_path / "runs")
    text = (ROOT / "docs" / "mlflow.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(ROOT)!r})\n{example}"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3_000:]


def test_the_experiment_that_a_search_leaves_in_mlflow_can_be_searched_again(run, finished_search, tmp_path):
    for name, text in finished_search.story().files.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    arguments = ["--space", tmp_path / "space.yaml", "--name", "again", "--dry-run", "--runs-dir", tmp_path / "runs"]
    code, out, _ = run("search", tmp_path / "experiment.yaml", *arguments)
    assert code == 0
    assert "at most 3,000 parameters" in out
