"""The command line is a contract: what goes where, exit codes, one line for each mistake."""

import base64
import csv
import gc
import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import nas
from tests.children import spawned_by
from tests.tuning.edited import edit, without_end

ROOT = Path(nas.__file__).parent.parent
FAST = [
    "--space",
    "tiny",
    "--strategy",
    "random",
    "--max-params",
    "3000",
    "--epochs",
    "1",
    "--trials",
    "1",
    "--workers",
    "0",
    "--set",
    "final.seeds=0",
]


@pytest.fixture
def runs_dir(finished_search):
    return finished_search.folder.runs_dir


def test_version(run):
    assert run("--version") == (0, f"nas {nas.__version__}\n", "")


def test_windows_is_told_where_to_go(run, monkeypatch):
    monkeypatch.setattr(sys, "platform", "win32")
    assert run("list") == (1, "", "Error: nas needs Linux or macOS; on Windows, install and run it in WSL 2\n")


def test_help_answers_at_once():
    """The limit is 0.5 s; the best of three, as the machine may be busy."""
    seconds = []
    for _ in range(3):
        started = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-c", "from nas.cli import run; run()", "--help"], cwd=ROOT, capture_output=True, text=True
        )
        seconds.append(time.perf_counter() - started)
        assert done.returncode == 0
        assert "Pareto front" in done.stdout
    assert min(seconds) < 1.5


def test_front_as_a_table(run, runs_dir, finished_search):
    code, out, err = run("front", "digits", "--runs-dir", runs_dir)
    best = finished_search.best()
    assert code == 0
    assert f"{len(finished_search.front)} of 3 trials" in out
    assert f"{best.parameters:,}" in out
    assert f"{best.score:.2%}" in out
    assert f"export digits --max-params {best.parameters} --to digits-model" in err


def test_a_narrow_terminal_leaves_the_architectures_legible(run, runs_dir, finished_search, monkeypatch):
    monkeypatch.setattr("nas.cli.terminal.output.width", 60)
    _, out, _ = run("front", "digits", "--runs-dir", runs_dir)
    assert "…" not in out
    lines = [line.strip() for line in out.splitlines()]
    for point in finished_search.front:
        (place,) = (number for number, line in enumerate(lines) if line.startswith(f"{point.number} "))
        described = point.architecture.describe()
        assert " ".join(lines[place + 1 : place + 4]).startswith(described), described


def test_a_front_says_what_guessing_and_one_image_come_to(run, runs_dir, finished_search, monkeypatch):
    told = "Chance level is 10.00%; one of the 288 validation images is 0.35 points."
    out = run("front", "digits", "--runs-dir", runs_dir)[1]
    assert told in out
    assert "Not distinguishable from chance" not in out
    assert finished_search.story().facts["Scores"] == told[:-1]
    assert finished_search.story().facts["Of interest"] == "150 to 3,000 parameters; accuracy above 10.00%"
    # 10 % and two standard errors of 288 images are 13.5 %.
    smallest = min(finished_search.trials, key=lambda trial: trial.parameters)
    trials = [
        replace(trial, metrics={"val_score": 0.13 if trial is smallest else 0.14, "val_loss": 2.3})
        for trial in finished_search.trials
    ]
    monkeypatch.setattr("nas.tuning.Search.trials", trials)
    out = run("front", "digits", "--runs-dir", runs_dir)[1]
    assert f"Not distinguishable from chance: trial {smallest.number}." in out


def test_front_as_json_is_the_contract(run, runs_dir, finished_search):
    code, out, err = run("front", "digits", "--format", "json", "--runs-dir", runs_dir)
    document = json.loads(out)
    assert (code, err) == (0, "")
    assert document["search"] == "digits"
    assert [point["trial"] for point in document["points"]] == [point.number for point in finished_search.front]
    wanted = {"trial", "architecture", "parameters", "macs", "val_accuracy", "test_accuracy"}
    assert all(wanted <= point.keys() for point in document["points"])


def test_front_as_csv(run, runs_dir, finished_search):
    _, out, _ = run("front", "digits", "--format", "csv", "--runs-dir", runs_dir)
    rows = list(csv.DictReader(io.StringIO(out)))
    assert [int(row["parameters"]) for row in rows] == [point.parameters for point in finished_search.front]


def test_show_a_trial(run, runs_dir, finished_search):
    best = finished_search.best()
    code, out, _ = run("show", f"digits/{best.number}", "--runs-dir", runs_dir)
    assert code == 0
    assert f"{best.parameters:,} parameters" in out
    assert best.architecture.id in out


def test_show_a_file_as_json(run, tmp_path, finished_search):
    path = tmp_path / "a.json"
    path.write_text(finished_search.best().architecture.to_json())
    _, out, _ = run("show", path, "--format", "json")
    document = json.loads(out)
    assert document["parameters"] == finished_search.best().parameters
    assert sum(layer["parameters"] for layer in document["layers"]) == document["parameters"]


def test_export_writes_what_plain_tensorflow_reads(run, runs_dir, tmp_path, finished_search):
    best = finished_search.best()
    to = tmp_path / "model"
    code, out, _ = run("export", "digits", "--max-params", best.parameters, "--to", to, "--runs-dir", runs_dir)
    assert code == 0
    assert f"Trial {best.number} of 'digits': {best.parameters:,} parameters" in out
    import tensorflow as tf

    model = tf.saved_model.load(str(to))
    images = tf.constant(np.zeros((2, 8, 8, 1), np.uint8))
    probabilities = model.signatures["serving_default"](image=images)["probabilities"].numpy()
    assert probabilities.shape == (2, 10)
    assert np.allclose(probabilities.sum(axis=1), 1, atol=1e-5)
    assert (to / "labels.txt").read_text().split() == [str(digit) for digit in range(10)]


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("spaces", "mixed"),
        ("experiments", "digits"),
        ("datasets", "8x8x1, 10 classes"),
        ("strategies", "random"),
        ("blocks", "inception"),
    ],
)
def test_list(run, runs_dir, kind, expected):
    code, out, _ = run("list", kind, "--runs-dir", runs_dir)
    assert code == 0
    assert expected in out


def test_an_empty_list_of_searches_says_where_it_looked(run, tmp_path):
    told = f"no searches in {tmp_path} yet; nas search digits makes one\n"
    assert run("list", "searches", "--runs-dir", tmp_path) == (0, "", told)


def test_a_damaged_search_does_not_hide_the_others(run, runs_dir, tmp_path):
    for name in ("damaged", "digits"):
        shutil.copytree(runs_dir / "digits", tmp_path / name)
    (tmp_path / "damaged" / "trials.jsonl").write_text("")
    code, out, _ = run("list", "searches", "--runs-dir", tmp_path)
    assert code == 0
    _, whole, damaged = out.splitlines()
    assert damaged.startswith("damaged: ")
    assert "has not even its first line; restore the file from a backup, or start over with --fresh" in damaged
    assert whole.split()[:3] == ["digits", "digits", "3"]


def test_search_dry_run_writes_nothing(run, tmp_path):
    code, out, _ = run("search", "digits", "--dry-run", "--baseline", "random", "--runs-dir", tmp_path)
    assert "begins    with 10 given or recommended networks\n" in out
    assert code == 0
    assert "baseline  random, for as many epochs, as digits-random\n" in out
    assert "digits: 8x8x1, 10 classes" in out
    assert "at most 20,000 parameters" in out
    assert list(tmp_path.iterdir()) == []


def test_dry_run_help_show_and_front_do_not_import_tensorflow(runs_dir):
    for arguments in (
        ["search", "digits", "--dry-run"],
        ["show", "digits/0", "--runs-dir", str(runs_dir)],
        ["front", "digits", "--runs-dir", str(runs_dir)],
        ["space", "stats", "tiny"],
    ):
        code = (
            "import sys; from nas.cli import main; code = main(sys.argv[1:]); "
            "heavy = {'tensorflow', 'keras', 'keras_tuner', 'mlflow'} & set(sys.modules); "
            "sys.exit(code or (str(heavy) if heavy else 0))"
        )
        done = subprocess.run([sys.executable, "-c", code, *arguments], cwd=ROOT, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr


def test_search_prints_progress_on_stderr_and_the_front_on_stdout(run, tmp_path):
    code, out, err = run("search", "digits", *FAST, "--runs-dir", tmp_path)
    assert code == 0
    assert out.startswith("Pareto front of 'digits': 1 of 1 trials")
    assert "   1/1  trial 0 " in err
    assert "Searching 'tiny' on digits (8x8x1, 10 classes), at most 3,000 parameters; 1 trial of 1 epoch." in err
    code, again, err = run("search", "digits", *FAST, "--runs-dir", tmp_path)
    assert (code, again) == (0, out)
    assert "The search 'digits' is finished; --trials with more than 1 adds trials, --fresh starts over." in err


def test_a_search_leaves_no_temporary_files(run, tmp_path, monkeypatch):
    """Neither TFDS, which prepares the data here, nor AutoGraph does."""
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    prepared = ["--set", f"dataset.data_dir={tmp_path / 'data'}", "--set", "objectives=[val_accuracy, latency_ms]"]
    code, _, err = run("search", "digits", *FAST, *prepared, "--runs-dir", tmp_path / "runs")
    assert code == 0, err
    assert (tmp_path / "data" / "digits").is_dir()
    assert os.listdir(tmp_path / "tmp") == []


def test_a_search_that_its_time_limit_ended_says_so(run, tmp_path):
    code, out, err = run("search", "digits", *FAST, "--time-limit", "0.01s", "--runs-dir", tmp_path)
    assert (code, out) == (1, "")
    assert "Error: no trial ended in the time limit of 0.01 seconds; give more time, or fewer epochs\n" in err


def test_a_finished_search_writes_what_mlflow_misses(run, tmp_path, monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    arguments = ("search", "digits", *FAST, "--runs-dir", tmp_path, "--tracking-uri")
    code, out, err = run(*arguments, "http://127.0.0.1:9")
    assert code == 0
    assert "1 trials are not in MLflow yet" in err
    # Still away: the front is shown, and how to write what is missing.
    code, again, err = run(*arguments, "http://127.0.0.1:9")
    assert (code, again) == (0, out)
    assert (
        "MLflow at http://127.0.0.1:9 does not answer (Connection refused). To write what is missing: nas sync "
        f"digits --tracking-uri http://127.0.0.1:9 --runs-dir {tmp_path}"
    ) in err
    there = f"sqlite:///{tmp_path / 'there.db'}"
    assert run(*arguments, there)[:2] == (0, out)
    assert run("sync", "digits", "--runs-dir", tmp_path, "--tracking-uri", there)[1].startswith("Added 0 trials")


def test_a_search_that_has_enough_is_finished_in_mlflow_too(run, tmp_path):
    """It was asked for more than it has: by its own word it is not finished, by the latest it is."""
    arguments = ("search", "digits", *FAST, "--runs-dir", tmp_path)
    assert run(*arguments)[0] == 0
    path = nas.Search("digits", tmp_path).folder.path / "experiment.json"
    path.write_text(path.read_text().replace('"trials": 1', '"trials": 2'))
    search = nas.Search("digits", tmp_path)
    assert not search.finished
    assert "is finished" in run(*arguments)[2]
    tracked = search.tracking_run()
    client = tracked.store.connect()
    experiment = client.get_experiment_by_name(tracked.experiment)
    (parent,) = client.search_runs([experiment.experiment_id], "tags.`nas.role` = 'search'")
    assert parent.info.status == "FINISHED"


def test_a_search_of_which_every_trial_failed_is_an_error_each_time(run, tmp_path):
    arguments = ["search", "digits", *FAST, "--runs-dir", tmp_path]
    assert run(*arguments)[0] == 0
    journal = tmp_path / "digits" / "trials.jsonl"
    edit(journal)
    journal.write_text(journal.read_text().replace('"COMPLETED"', '"FAILED"'))
    for path in (tmp_path / "digits" / "weights").iterdir():
        path.unlink()
    code, _, err = run(*arguments)
    assert code == 1
    told, error = err.splitlines()
    assert "without a checksum, as earlier versions wrote them" in told
    assert error.startswith("Error: every trial failed, the last with: ")


def test_a_baseline_that_is_another_search_is_told_before_anything_runs(run, tmp_path):
    arguments = ["search", "digits", *FAST, "--runs-dir", tmp_path]
    assert run(*arguments, "--name", "digits-random", "--seed", "7")[0] == 0
    code, _, err = run(*arguments, "--baseline", "random")
    assert code == 1
    assert "Error: the search 'digits-random' exists with other settings (seed was 7, is 0)" in err
    assert not (tmp_path / "digits").exists()


def test_a_baseline_is_searched_at_the_same_cost_and_compared(run, tmp_path):
    arguments = ["search", "digits", *FAST, "--strategy", "local", "--baseline", "random", "--runs-dir", tmp_path]
    arguments += ["--space", ROOT / "tests" / "tuning" / "quick.yaml"]
    arguments += ["--early-stopping", "pareto-asha", "--epochs", "3", "--trials", "4"]
    code, out, _ = run(*arguments)
    assert code == 0
    ours, other = nas.Search("digits", tmp_path), nas.Search("digits-random", tmp_path)
    epochs = sum(len(trial.curve) for trial in ours.trials)
    assert epochs <= 12
    assert len(other.trials) == -(-epochs // 3)
    assert (other.experiment.strategy, other.experiment.early_stopping) == ("random", "none")
    assert out.count("Pareto front of") == 2
    assert "digits-random" in out.rpartition("Pareto front of")[2]
    # Once more: everything is finished, and only shown.
    assert run(*arguments)[2].count("is finished") == 2


def test_sync_adds_what_mlflow_misses(run, runs_dir, tmp_path):
    elsewhere = f"sqlite:///{tmp_path / 'other.db'}"
    code, out, _ = run("sync", "digits", "--runs-dir", runs_dir, "--tracking-uri", elsewhere)
    assert (code, out) == (0, f"Added 3 trials of 'digits' to {elsewhere}\n")
    assert run("sync", "digits", "--runs-dir", runs_dir, "--tracking-uri", elsewhere)[1].startswith("Added 0 trials")


def test_sync_waits_for_the_search_to_end(run, runs_dir, finished_search, tmp_path):
    elsewhere = f"sqlite:///{tmp_path / 'other.db'}"
    with finished_search.folder.locked():
        code, out, err = run("sync", "digits", "--runs-dir", runs_dir, "--tracking-uri", elsewhere)
    assert (code, out) == (1, "")
    assert f"Error: the search 'digits' is being run by process {os.getpid()}; wait for it" in err
    assert not (tmp_path / "other.db").exists()


def test_space_stats_show_sample_check(run):
    code, out, _ = run("space", "stats", "tiny", "--max-params", "2k")
    assert code == 0
    assert "tiny on 28x28x1, 10 classes\n" in out
    assert "(exact)" in out
    assert "at most 2,000 parameters" in out
    code, out, _ = run("space", "stats", "tiny", "--max-params", "2k", "--device", "tpu")
    assert code == 0
    assert re.search(r"of the multiply-adds of 64 samples, \d+% make channels in multiples of 8", out)
    document = json.loads(run("space", "stats", "tiny", "--max-params", "2k", "--format", "json")[1])
    assert 0 < document["share"] < 1
    lines = run("space", "sample", "tiny", "-n", "4", "--max-params", "2k", "--format", "json")[1].splitlines()
    assert len({nas.Architecture.from_json(line).id for line in lines}) == 4
    assert "stage1" in run("space", "show", "tiny")[1]
    assert "tiny works on" in run("space", "check", "tiny")[1]
    assert "$schema" in json.loads(run("space", "schema")[1])


def test_doctor_says_what_would_be_used(run, tmp_path):
    code, out, _ = run("doctor", "--format", "json", "--runs-dir", tmp_path)
    found = json.loads(out)
    assert code == 0
    assert found["choice"]["device"] in ("cpu", "gpu")
    assert found["versions"]["nas"] == nas.__version__
    assert found["probe"]["ok"]


def test_doctor_tells_each_thing_as_soon_as_it_is_known(run, monkeypatch):
    from nas.cli.terminal import output
    from nas.devices import machine

    told = []

    def ask(*arguments, **options):
        told.append(output.file.getvalue())
        return {}, "TensorFlow did not answer"

    monkeypatch.setattr(machine, "ask", ask)
    monkeypatch.setattr(output, "_file", io.StringIO())  # `file` would stay set
    run("doctor")
    (before,) = told
    assert [line.split()[0] for line in before.splitlines()] == ["versions", "machine", "runs"]
    assert "problem         TensorFlow did not answer" in output.file.getvalue()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["search", "digitz"],
            "Error: there is no experiment 'digitz' (did you mean 'digits'?); give a path ending in",
        ),
        (["search", "digits", "--space", "mixd"], "Error: there is no search space 'mixd' (did you mean 'mixed'?)"),
        (["search", "digits", "--strategy", "rnd"], "Error: there is no strategy 'rnd'"),
        (["search", "digits", "--baseline", "randm"], "Error: there is no strategy 'randm' (did you mean 'random'?)"),
        (
            ["search", "digits", "--name", "n" * 95, "--baseline", "random"],
            "-random', and that name is not valid (String should have at most 100 characters); give a shorter --name",
        ),
        (["search", "digits", "--device", "tpu", "--workers", "0"], "Error: workers: device 'tpu' trains in worker "),
        (
            ["search", "digits", "--max-params", "20q"],
            "Error: budget.max_parameters: must be a whole number such as 20000, 20k",
        ),
        (["search", "digits", "--max-params", "10"], "has at most 10 parameters: the smallest has "),
        (
            ["search", "digits", "--set", "training.augmentation.cutout=8"],
            "Error: augmentation shift and cutout must be smaller than the images' side of 8 pixels",
        ),
        (["search", "digits", "--set", "epochs"], "Error: --set takes KEY=VALUE such as training.batch_size=32"),
        (["search", "digits", "--set", "traning.epochs=3"], "unknown key (did you mean 'training'?)"),
        (["search", "digits", "--dataset", "no/such/folder"], "Error: "),
        (["front", "nope"], "Error: there is no search 'nope' in "),
        (["show", "digits/99"], "Error: the search 'digits' has no trial 99; it has 3, from 0"),
        (["show", "mixed"], "architectures, and only one can be shown; see nas space sample mixed"),
        (["show", "digits"], "Error: 'digits' is a search; name a trial of it, such as digits/0"),
        (
            ["show", "digits/0", "--input", "32x32x3"],
            "Error: --input is for a space; digits/0 cannot take other images",
        ),
        (["show", "nothing.json"], "Error: cannot read nothing.json: No such file or directory"),
        (["show", "tiny", "--input", "8x8"], "Error: --input must be HEIGHTxWIDTHxCHANNELS such as 28x28x1"),
        (
            ["space", "stats", "mixed", "--max-params", "20x"],
            "--max-params must be a whole number such as 20000, 20k or",
        ),
        (["export", "digits", "--to", "x", "--max-params", "3"], "no trial on the front has at most 3 parameters"),
        (["export", "digits", "--to", "x", "--best", "--trial", "0"], "each choose the network; give one of them"),
        (["export", "digits", "--to", "x", "--format", "tflite"], "Error: "),
        (["space", "stats", "tiny", "--max-params", "1"], "has at most 1 parameters: the smallest has "),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_mistake_is_one_line_and_exit_1(run, runs_dir, arguments, message, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    where = ["--runs-dir", runs_dir] if arguments[0] in ("search", "front", "show", "export") else []
    code, _, err = run(*arguments, *where)
    assert code == 1
    assert message in err
    assert err.count("\n") == 1
    assert "Traceback" not in err
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_no_network_is_named(run, tmp_path):
    for content, message in ((b"\xff{}", "it is not UTF-8 text"), (b"{}", "an architecture is an object with")):
        path = tmp_path / "network.json"
        path.write_bytes(content)
        code, _, err = run("show", path)
        assert code == 1
        assert str(path) in err
        assert message in err
        assert "a fault in nas" not in err


LIST_SPACES = "import sys; from nas.cli import main; sys.exit(main(['list', 'spaces']))"


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_full_disk_behind_stdout_is_one_line(unbuffered):
    environment = os.environ | {"PYTHONUNBUFFERED": unbuffered}
    with Path("/dev/full").open("w") as full:
        done = subprocess.run([sys.executable, "-c", LIST_SPACES], stdout=full, stderr=subprocess.PIPE, env=environment)
    assert (done.returncode, done.stderr) == (1, b"Error: the disk is full; free some space and run again\n")


def test_closed_files_are_no_fault():
    """As a service may start a program."""
    shell = f'"{sys.executable}" -c "{LIST_SPACES}" >&- 2>&-'
    assert subprocess.run(["sh", "-c", shell]).returncode == 0


def test_output_that_has_no_such_letter_shows_another():
    code = "import sys; from nas.cli import run; sys.argv = ['nas', 'bench', '--help']; run()"
    environment = os.environ | {"PYTHONIOENCODING": "ascii"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, env=environment)
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"?" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("search", "digits", "--dry-run", "--workers", "²"), "workers: "),
        (("show", "digits/²"), "a trial is named by its number, such as digits/17; received 'digits/²'"),
    ],
)
def test_a_digit_that_is_no_number_is_one_line(arguments, message, run, runs_dir):
    code, out, error = run(*arguments, "--runs-dir", runs_dir)
    assert (code, out) == (1, "")
    assert message in error
    assert "a fault in nas" not in error


def test_wrong_usage_is_exit_2(run):
    assert run("serch")[0] == 2
    assert run("search")[0] == 2
    assert run("front", "digits", "--format", "yaml")[0] == 2


def test_debug_shows_the_traceback(run):
    with pytest.raises(nas.NasError, match="there is no search 'nope'"):
        run("front", "nope", "--debug")


def test_a_trial_that_has_not_ended_is_counted_as_such_everywhere(run, runs_dir, tmp_path):
    shutil.copytree(runs_dir / "digits", tmp_path / "digits")
    journal = tmp_path / "digits" / "trials.jsonl"
    without_end(journal, 2)
    assert "of 3 trials (1 not ended), hypervolume" in run("front", "digits", "--runs-dir", tmp_path)[1]
    assert " 2 of 3 " in run("list", "searches", "--runs-dir", tmp_path)[1]
    settings = ["--space", "tiny", "--max-params", "3000", "--strategy", "random", "--trials", "3", "--epochs", "2"]
    settings += ["--workers", "0", "--set", "final.seeds=0", "--runs-dir", tmp_path]
    assert "Resuming 'digits' after 2 trials." in run("search", "digits", *settings)[2]


@pytest.mark.slow
def test_ctrl_c_prints_how_to_go_on(tmp_path):
    command = [sys.executable, "-c", "from nas.cli import run; run()", "search", "digits", *FAST]
    command += ["--trials", "50", "--runs-dir", str(tmp_path), "--set", "description=http://me:secret@host"]
    colored = os.environ | {"FORCE_COLOR": "1"}
    process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True, env=colored)
    journal = tmp_path / "digits" / "trials.jsonl"
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and not (journal.exists() and '"end"' in journal.read_text()):
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert re.search(r"Interrupted; kept \d+ finished trials?\. Resume", err)
    assert ". Resume with:\n  nas search digits --space tiny" in err
    assert "Traceback" not in err
    # Nothing is drawn over in what is no terminal, and a password is not kept.
    assert "\x1b[2K" not in err
    search = nas.Search("digits", tmp_path)
    assert "description=http://me:***@host" in err
    assert "description=http://me:***@host" in search.facts.command
    assert search.ended_trials >= 1


@pytest.mark.slow
def test_ctrl_c_while_a_worker_starts_is_silent(tmp_path):
    command = [sys.executable, "-c", "from nas.cli import run; run()", "search", "digits", *FAST]
    command += ["--workers", "1", "--runs-dir", str(tmp_path)]
    process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True, start_new_session=True)

    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and not spawned_by(process.pid):
        time.sleep(0.01)
    time.sleep(0.1)  # Python is there, TensorFlow takes longer
    os.killpg(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in err
    assert "Interrupted; kept 0 finished trials." in err


@pytest.mark.parametrize(("number", "expected"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_that_python_loses_ends_the_search_all_the_same(run, tmp_path, monkeypatch, number, expected):
    journal = tmp_path / "digits" / "trials.jsonl"
    sent = []

    def interrupt(phase, info):
        if not sent and journal.exists() and '"end"' in journal.read_text():
            sent.append(phase)
            signal.raise_signal(number)

    printed = []
    monkeypatch.setattr(sys, "unraisablehook", printed.append)
    gc.callbacks.append(interrupt)
    try:
        code, _, err = run("search", "digits", *FAST, "--trials", "4", "--runs-dir", tmp_path)
    finally:
        gc.callbacks.remove(interrupt)
    assert sent
    assert not printed
    assert code == expected
    assert re.search(r"Interrupted; kept [1-3] finished trials?\. Resume with:", err)
    assert 1 <= nas.Search("digits", tmp_path).ended_trials < 4


def test_keras_backend_jax_in_the_environment_trains_on_jax(run, monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    code, _, error = run("search", "digits", "--dry-run", "--workers", "0")
    assert code == 1
    assert "workers: device 'jax-cpu' trains in worker processes" in error


def test_targets_move_with_the_images_that_are_drawn(run, tmp_path):
    boxes = np.tile(np.float32([0, 0.125, 0.5, 0.25, 0]), (8, 1, 1))
    images = np.random.default_rng(0).integers(0, 256, (8, 8, 16, 1), np.uint8)
    np.savez(tmp_path / "cells.npz", images=images, boxes=boxes)
    drawn = ("datasets", "show", tmp_path / "cells.npz", "--to", tmp_path / "it.svg", "-n", 4)
    assert run(*drawn, "--set", "training.augmentation.flip=true")[0] == 0
    found = [float(each.get("x")) for each in ET.parse(tmp_path / "it.svg").getroot().findall(".//{*}rect")]
    assert found[::6] == [2] * 4
    assert (len(found), set(found)) == (24, {2, 12})
    np.savez(tmp_path / "cells.npz", images=images, masks=(images[..., 0] > 127).astype(np.uint8))
    assert run(*drawn)[0] == 0
    # Masks are colors over the gray image; without augmentation each image is there once.
    assert len(ET.parse(tmp_path / "it.svg").getroot().findall("{*}image")) == 4
    first = ET.parse(tmp_path / "it.svg").getroot().find("{*}image").get("href")
    assert Image.open(io.BytesIO(base64.b64decode(first.partition(",")[2]))).mode == "RGB"


def test_augmented_images_are_drawn(run, tmp_path):
    path = tmp_path / "augmented.svg"
    changes = ["--set", "training.augmentation.rotation=20", "--set", "training.augmentation.mixup=0.4"]
    assert run("datasets", "show", "digits", "--to", path, "-n", 3, *changes)[0] == 0
    images = ET.parse(path).getroot().findall("{*}image")
    assert len(images) == 18
    assert len({image.get("href") for image in images}) == 18
    captions = [text.text for text in ET.parse(path).getroot().findall("{*}text")]
    assert captions[1:6] == [f"changed, {column}" for column in range(1, 6)]
    assert {*captions[::6]} <= {*"0123456789"}
    code, _, error = run("datasets", "show", "digits", "--to", "x.png")
    assert code == 1
    assert "--to writes .svg; received 'x.png'" in error
    code, _, error = run("datasets", "show", "digits", "--to", path, "--set", "training.augmentation.zoom=[0,0.2]")
    assert code == 1
    assert "one kind of images is read; received zoom 0 | 0.2; give one value each" in error
    code, _, error = run("datasets", "show", "digits", "--to", path, "--set", "training.epochs=3")
    assert code == 1
    assert "--set takes keys of dataset and training.augmentation here; received 'training.epochs'; leave" in error


def test_crops_are_checked_before_they_are_searched(run):
    code, out, _ = run("datasets", "check", "digit_scenes_detection", "--set", "dataset.as=crops")
    assert code == 0
    assert "digit_scenes_detection: 32x32x1, 11 classes; 21,230 train" in out
    code, _, error = run("datasets", "check", "digits", "--set", "dataset.as=crops")
    assert code == 1
    assert "dataset.as: crops cuts objects out, and 'digits' has no boxes; leave it out" in error
