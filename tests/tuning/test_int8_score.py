"""Searches for the score of the int8 file, which is what a device runs."""

import json
import re
from dataclasses import replace

import pytest

from nas.cli import main
from nas.config import load_experiment
from nas.datasets import load
from nas.devices import import_tensorflow
from nas.errors import NasError
from nas.export import int8_scores
from nas.files.shipped import find_experiment
from nas.results.trial import TrialStatus
from nas.tasks import TASKS
from nas.tuning import Search, run
from nas.tuning.execution import Job, Trained, attempt
from tests.tracking.examples import read_runs
from tests.tuning.test_search import plan

SETTINGS = {"objectives": ("val_accuracy_int8", "parameters"), "training.epochs": 2, "final.seeds": 1, "final.top": 1}


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    return run(plan(**SETTINGS), runs_dir=tmp_path_factory.mktemp("runs"))


def test_a_trials_score_is_that_of_the_file_and_the_trained_networks_stands_beside_it(done):
    data = load(done.experiment.dataset)
    for trial in done.trials:
        assert trial.metrics["trained_val_score"] == max(trial.curve)
    best = done.front.best()
    found = int8_scores(
        best.architecture,
        done.weights_of(best),
        calibration=data.train.images,
        splits={name: (split.images, split.targets) for name, split in data.splits.items()},
    )
    assert found["validation"] == pytest.approx(best.observed)
    assert 0 < found["test"] < 1


def test_the_file_that_is_exported_has_that_score(done, tmp_path):
    """By other kernels: one image may fall on the other side."""
    best = done.front.best()
    (written,) = done.export(tmp_path / "model", trial=best.number, format="litert-int8").written
    trained, exported = written.scores["val"]
    assert exported == pytest.approx(best.observed, abs=1.5 * done.objectives.finest)
    assert trained == pytest.approx(best.metrics["trained_val_score"])


def test_the_final_stage_scores_the_file_too(done):
    (tested,) = [trial for trial in done.trials if trial.finals]
    names = {"test_accuracy_int8", "val_accuracy_int8", "event", "trial", "seed", "crc"}
    assert set(json.loads(done.folder.journal.path.read_text().splitlines()[-1])) == names
    assert 0 < tested.metrics["test_score"] < 1


def test_files_and_pages_name_what_each_score_is_of(done, capsys):
    again = Search(done.name, done.folder.runs_dir)
    assert again.trials == done.trials
    ends = [json.loads(line) for line in done.folder.journal.path.read_text().splitlines() if '"end"' in line]
    assert all({"val_accuracy", "val_accuracy_int8", "accuracy"} <= event["metrics"].keys() for event in ends)
    assert all({"val_accuracy", "accuracy"} < event["curves"].keys() for event in ends)
    _, children = read_runs(done.tracking_run())
    for child in children.values():
        assert {"val_accuracy", "val_accuracy_int8", "epoch/val_accuracy"} <= child.data.metrics.keys()
        assert not [name for name in child.data.metrics if re.fullmatch("epoch/.*int8", name)]
    command = ["front", done.name, "--runs-dir", str(done.folder.runs_dir)]
    assert main(command) == 0
    heading = capsys.readouterr().out.splitlines()[2]
    assert re.search(r"val int8 accuracy +val accuracy +test int8 accuracy", heading)
    assert main([*command, "--format", "json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["objectives"] == {"parameters": "minimize", "val_accuracy_int8": "maximize"}
    assert all(row["val_accuracy"] == max(done.trial(row["trial"]).curve) for row in document["points"])
    assert main([*command, "--with", "model.keras"]) == 1
    assert "--with needs a search for val_accuracy and parameters" in capsys.readouterr().err


def test_a_rung_reads_the_trained_networks_score_and_the_file_comes_at_the_end():
    """The same training, left after its first epoch and gone on with."""
    import_tensorflow()
    from nas.devices import Devices

    cpu = Devices(kind="cpu", names=("CPU:0",))

    experiment = load_experiment(find_experiment("digits"), {"training.epochs": 2})
    network = plan().first_proposals(1)[0].architecture
    job = Job(number=0, architecture=network.to_json(), training=experiment.training, seed=1, epochs=1, int8=True)
    images = {network.input_shape: load(experiment.dataset)}

    def outcome(job):
        found = attempt(0, job, images, cpu, lambda event: None)
        assert isinstance(found, Trained), found
        return found.result

    stopped = outcome(job)
    assert "val_score" not in stopped.metrics
    assert stopped.metrics["trained_val_score"] == stopped.curves["val_score"][0]
    ended = outcome(replace(job, epochs=2, checkpoint=stopped.checkpoint))
    assert ended.metrics["trained_val_score"] == max(ended.curves["val_score"])
    assert abs(ended.metrics["val_score"] - ended.metrics["trained_val_score"]) < 0.1


def test_a_search_that_stops_trials_early_is_read_again(tmp_path):
    settings = {
        **SETTINGS,
        "final.seeds": 0,
        "early_stopping": "one-epoch-then-top-k",
        "trials": 6,
        "training.epochs": 3,
    }
    found = run(plan(**settings), runs_dir=tmp_path)
    stopped = [trial for trial in found.trials if trial.status is TrialStatus.STOPPED]
    assert stopped
    for trial in stopped:
        assert trial.observed == max(trial.curve) == trial.metrics["trained_val_score"]
    assert Search(found.name, tmp_path).observed_trials == found.observed_trials


@pytest.mark.parametrize("task", TASKS.values(), ids=TASKS)
def test_every_score_is_known_of_the_file_too(task):
    score = task.score.in_int8
    assert score.objective == f"{task.score.objective}_int8"
    assert score.trained is score.in_training is task.score
    for name in ("val_score", "test_score_std", "final_val_score", "trained_val_score", "score", "val_loss"):
        assert score.inner(score.spelled(name)) == name


def test_a_file_is_not_made_on_jax():
    told = (
        "val_accuracy_int8: it is measured on the exported model, which workers on JAX do not have; received device "
        "'jax-cpu'; use cpu or gpu, or val_accuracy instead"
    )
    with pytest.raises(NasError, match=re.escape(told)):
        plan(**SETTINGS, device="jax-cpu", workers=1)
