"""Searches for more, or for something else, than few parameters."""

import itertools
import json

import pytest

from nas.cli import main
from nas.errors import NasError
from nas.objectives import LATENCY, MACS
from nas.results.pareto import ParetoFront
from nas.results.trial import TrialStatus
from nas.tuning import Search, run
from nas.tuning.folder import SearchError
from tests.tracking.examples import read_runs
from tests.tuning.test_search import plan

OBJECTIVES = ("val_accuracy", "latency_ms", "macs")


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    """Six trials, the last two of which `ehvi` chose by its models."""
    settings = {"objectives": OBJECTIVES, "strategy": "ehvi", "trials": 6, "training.epochs": 1}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("nas.strategies.ehvi.START", 4)
        return run(plan(**settings), runs_dir=tmp_path_factory.mktemp("runs"))


def test_every_trial_was_measured_and_the_front_is_that_of_all_three(measured):
    assert all(0 < trial.metrics["latency_ms"] < 1_000 for trial in measured.trials)
    assert measured.front == ParetoFront.of(measured.trials, (LATENCY, MACS))
    for point in measured.front:
        for trial in measured.trials:
            better = (
                trial.metrics["latency_ms"] < point.metrics["latency_ms"]
                and trial.macs < point.macs
                and trial.score > point.score
            )
            assert not better
    assert 0 < measured.hypervolume < 1


def test_its_pages_show_the_objectives(measured, capsys, tmp_path):
    _, children = read_runs(measured.tracking_run())
    in_color = {run.data.tags["nas.trial"] for run in children.values() if run.data.tags["pareto_optimal"] == "true"}
    assert in_color == {str(point.number) for point in measured.front}
    assert all(
        run.data.metrics["latency_ms"] > 0 and "log10_latency_ms" in run.data.metrics for run in children.values()
    )
    runs_dir = str(measured.folder.runs_dir)
    assert main(["front", measured.name, "--runs-dir", runs_dir]) == 0
    shown = capsys.readouterr()
    assert "latency (ms)" in shown.out
    assert f"--trial {measured.front.best().number} " in shown.err
    assert main(["front", measured.name, "--runs-dir", runs_dir, "--format", "json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["objectives"] == {"latency_ms": "minimize", "macs": "minimize", "val_accuracy": "maximize"}
    assert [row["latency_ms"] for row in document["points"]] == [p.metrics["latency_ms"] for p in measured.front]
    picture = tmp_path / "front.html"
    assert main(["front", measured.name, "--runs-dir", runs_dir, "--plot", str(picture)]) == 0
    assert "latency (ms)" in picture.read_text()
    report = measured.report()
    assert "latency (ms)" in report
    assert "Points below the line are on the front for their MACs." in report
    assert "latency measured on this machine" in measured.story().facts["Objectives"]


def test_what_is_slower_than_allowed_is_refused_untrained_and_does_not_count(tmp_path, monkeypatch):
    # Real latencies depend on what else the machine does: here each second network is slow.
    latencies = itertools.cycle([2.0, 0.5])
    monkeypatch.setattr("nas.export.measure", lambda cost, architecture: next(latencies))
    limit = 1
    settings = {"budget.max_latency_ms": limit, "trials": 3, "training.epochs": 1}
    done = run(plan(**settings), runs_dir=tmp_path)
    refused = [trial for trial in done.trials if trial.status is TrialStatus.REFUSED]
    completed = [trial for trial in done.trials if trial.completed]
    assert [trial.number for trial in refused] == [0, 2, 4]
    assert [trial.number for trial in completed] == [1, 3, 5]
    assert all(trial.metrics["latency_ms"] == 0.5 for trial in completed)
    for trial in refused:
        assert trial.curve == ()
        assert trial.metrics["latency_ms"] == 2.0
        assert trial.reason == "2 ms is over max_latency_ms, 1"
    assert done.finished
    assert done.ended_trials == 3
    _, children = read_runs(done.tracking_run())
    notes = [run.data.tags["mlflow.note.content"] for run in children.values() if "nas.reason" in run.data.tags]
    assert len(notes) == len(refused)
    assert all(note.startswith("**Not trained:** ") for note in notes)
    # Going on finds it finished, with the refused trials known.
    again = run(plan(**settings), runs_dir=tmp_path)
    assert [trial.status for trial in again.trials] == [trial.status for trial in done.trials]


def test_a_limit_that_nothing_meets_ends_the_search_with_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setattr("nas.tuning.oracle.REFUSALS", 3)
    told = r"3 networks in a row were refused, the last with: .* is over max_latency_ms, 0\.001; raise the limit"
    with pytest.raises(SearchError, match=told):
        run(plan(**{"budget.max_latency_ms": 0.001, "trials": 3}), runs_dir=tmp_path)
    assert [trial.status for trial in Search("digits", tmp_path).trials] == [TrialStatus.REFUSED] * 3


def test_latency_is_not_measured_on_jax():
    with pytest.raises(NasError, match=r"latency_ms: .*received device 'jax-cpu'; use cpu or gpu, or limit macs"):
        plan(objectives=OBJECTIVES, device="jax-cpu", workers=1)
