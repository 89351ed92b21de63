"""Searches on the real digits: run, killed, continued, refused."""

import fcntl
import json
import os
import random
import re
import shutil
import socket
import threading
import time
from functools import partial
from pathlib import Path

import numpy as np
import pytest

import nas
from nas.architecture import BudgetError
from nas.config import load_experiment
from nas.datasets import DatasetError
from nas.errors import NasError
from nas.files import durable
from nas.files.shipped import find_experiment
from nas.files.yaml_file import FileError
from nas.objectives import MACS, PARAMETERS
from nas.results.pareto import ParetoFront
from nas.results.trial import TrialStatus
from nas.space import SpaceError
from nas.space.recipe_space import Proposal
from nas.strategies import StrategyError
from nas.tasks import DEFAULT_TASK
from nas.tracking import Tracker
from nas.tuning import Plan, Search, SearchError, SearchFolder, run, searches
from nas.tuning.journal import Journal, JournalError
from nas.tuning.observer import Observer
from tests.tuning.edited import edit, without_end

QUICK = str(Path(__file__).with_name("quick.yaml"))


def plan(**overrides):
    """A small experiment; in this process unless told otherwise, as a worker takes seconds to start."""
    settings = {"space": QUICK, "strategy": "random", "budget.max_parameters": 3000, "trials": 2, "training.epochs": 1}
    return Plan.of(load_experiment(find_experiment("digits"), settings | {"workers": 0, "final.seeds": 0} | overrides))


class Watcher(Observer):
    """Remembers what it was told; may stop the search."""

    def __init__(self, stop_at=None):
        self.told, self.stop_at = [], stop_at

    def on_trial_begin(self, record):
        self.told.append(("begin", record.number))
        if record.number == self.stop_at:
            raise KeyboardInterrupt

    def on_epoch(self, record, epoch, metrics):
        self.told.append(("epoch", record.number, epoch))

    def on_trial_end(self, record):
        self.told.append(("end", record.number))

    def on_final(self, record, done, total):
        self.told.append(("final", done, total))


def test_a_search_has_trials_a_front_and_a_volume(finished_search):
    trials = finished_search.trials
    assert [trial.number for trial in trials] == [0, 1, 2]
    assert all(trial.completed and trial.parameters <= 3000 for trial in trials)
    assert len({trial.architecture.id for trial in trials}) == 3
    assert finished_search.finished
    assert 0 < finished_search.hypervolume < 1
    assert {len(trial.curves["val_score"]) for trial in trials} == {2}
    assert finished_search.best().score == max(trial.score for trial in trials)


def test_a_search_reads_its_journal_once_until_it_is_told_to_read_it_again(finished_search, tmp_path, monkeypatch):
    shutil.copytree(finished_search.folder.path, tmp_path / "digits")
    reads = []
    read = Journal.read
    monkeypatch.setattr(Journal, "read", lambda journal: reads.append(journal.path) or read(journal))
    search = Search("digits", tmp_path)
    assert (len(search.trials), search.finished, search.exhausted, search.ended_trials) == (3, True, False, 3)
    assert search.front.best() is search.best()
    assert search.hypervolume == finished_search.hypervolume
    assert search.front is search.front
    assert len(reads) == 1
    tried = {trial.architecture.id for trial in search.trials}
    drawn = search.space.sample_distinct(4, random.Random(0), search.experiment.budget)
    search.folder.journal.start(3, next(each for each in drawn if each.id not in tried))
    assert search.finished
    search.refresh()
    assert (len(search.trials), search.finished) == (4, True)
    without_end(search.folder.journal.path, 0)
    search.refresh()
    assert (len(search.front), search.finished) == (len(ParetoFront.of(search.trials)), False)
    assert len(reads) == 3


def test_facts_without_a_task_are_those_of_a_classification(finished_search, tmp_path):
    shutil.copytree(finished_search.folder.path, tmp_path / "digits")
    path = tmp_path / "digits" / "facts.json"
    facts = json.loads(path.read_text())
    assert facts.pop("task") == "classification"
    path.write_text(json.dumps(facts))
    search = Search("digits", tmp_path)
    assert search.task is DEFAULT_TASK
    assert search.facts.task == finished_search.facts.task


@pytest.mark.parametrize(
    ("old", "interest"),
    [
        ({"smallest": 50, "largest": 3_000}, {PARAMETERS: (50, 3_000)}),
        ({"smallest": 50, "largest": 3_000, "limits": {"macs": [9, 70_000]}}, {MACS: (9, 70_000)}),
    ],
)
def test_facts_of_older_versions_have_limits_and_no_floor(finished_search, tmp_path, old, interest):
    shutil.copytree(finished_search.folder.path, tmp_path / "digits")
    path = tmp_path / "digits" / "facts.json"
    facts = json.loads(path.read_text())
    assert [facts.pop(key) for key in ("interest", "floor", "finest")] != [{}, 0.0, 0.001]
    path.write_text(json.dumps(facts | old))
    search = Search("digits", tmp_path)
    wanted = search.objectives
    assert (wanted.interest, wanted.floor, wanted.finest) == (interest, 0.0, 0.001)
    assert 0 < search.hypervolume < 1


def test_the_most_parameters_may_be_text(finished_search, tmp_path):
    assert finished_search.best("3k") == finished_search.best(3_000)
    with pytest.raises(SearchError, match=r"^max_params must be a whole number such as .*; received 'few'$"):
        finished_search.export(tmp_path / "model", max_parameters="few")


def test_what_chooses_a_network_is_said_once(finished_search, tmp_path):
    twice = r"^max_parameters is the earlier name of max_params; give max_params alone$"
    for call in (finished_search.best, partial(finished_search.export, tmp_path), partial(nas.search, "digits")):
        with pytest.raises(SearchError, match=twice):
            call(max_params=1_000, max_parameters=3_000)
    for call in (finished_search.load_model, partial(finished_search.export, tmp_path / "model")):
        with pytest.raises(SearchError, match=r"^trial and max_params each choose the network; give one of them$"):
            call(trial=0, max_params=3_000)


def test_a_space_may_be_a_path_and_nothing_else_is_one(tmp_path):
    with pytest.raises(NasError, match=r"nosuch.yaml"):
        nas.search("digits", space=tmp_path / "nosuch.yaml", runs_dir=tmp_path)
    with pytest.raises(NasError, match=r"^space must be a name, a path, a SearchSpace, or a mapping .*; received 3$"):
        nas.search("digits", space=3, runs_dir=tmp_path)


def test_only_the_front_keeps_weights(finished_search):
    kept = {int(path.stem) for path in (finished_search.folder.path / "weights").iterdir()}
    assert kept == {point.number for point in finished_search.front}


def test_recorded_parameters_are_those_of_the_trained_model(finished_search):
    import numpy as np

    from nas.training import load_weights

    for point in finished_search.front:
        weights = load_weights(finished_search.folder.weights(point.number), point.architecture)
        assert sum(int(np.prod(array.shape)) for array in weights) == point.parameters


def test_an_interrupted_search_goes_on_as_if_it_had_not_been(tmp_path):
    whole = run(plan(trials=3), runs_dir=tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        run(plan(trials=3), runs_dir=tmp_path / "cut", observers=(Watcher(stop_at=1),))
    cut = Search("digits", tmp_path / "cut")
    assert [trial.status for trial in cut.trials] == [TrialStatus.COMPLETED, TrialStatus.RUNNING]
    assert not cut.finished
    watcher = Watcher()
    continued = run(plan(trials=3), runs_dir=tmp_path / "cut", observers=(watcher,))
    assert [event[1] for event in watcher.told if event[0] == "begin"] == [1, 2]
    assert [trial.architecture.id for trial in continued.trials] == [t.architecture.id for t in whole.trials]
    assert [trial.score for trial in continued.trials] == [trial.score for trial in whole.trials]


def test_more_trials_extend_a_finished_search(tmp_path):
    first = run(plan(trials=1), runs_dir=tmp_path).trials
    more = run(plan(trials=2), runs_dir=tmp_path).trials
    assert more[0] == first[0]
    assert len(more) == 2


def test_a_time_limit_ends_the_search_with_what_there_is(tmp_path, finished_search, monkeypatch):
    # Whatever else the machine does: a search that gives up its store and says so is not meant here.
    monkeypatch.setattr("nas.tuning.running.CLOSE_SECONDS_OVER", 120.0)
    monkeypatch.setattr("nas.tuning.running.CLOSE_SECONDS", 120.0)
    # After another search, as importing TensorFlow may take longer than that.
    done = run(plan(trials=500, time_limit=8), runs_dir=tmp_path)
    assert 0 < done.ended_trials < 500
    tracked = done.tracking_run(None)
    client = tracked.store.connect()
    experiment = tracked.store.experiment_id(client, tracked.experiment)
    (parent,) = client.search_runs([experiment], "tags.`nas.role` = 'search'")
    # It can go on, as `nas list searches` says.
    assert (parent.info.status, done.finished) == ("KILLED", False)


def test_a_search_whose_data_could_not_be_read_may_be_mended(tmp_path):
    from PIL import Image

    for label, side in (("cat", 8), ("dog", 9)):
        (tmp_path / "photos" / label).mkdir(parents=True)
        for number in range(8):
            Image.new("RGB", (side, side), (20 * number, 9 * side, 0)).save(
                tmp_path / "photos" / label / f"{number}.png"
            )
    settings = {"dataset.name": str(tmp_path / "photos"), "trials": 1}
    with pytest.raises(DatasetError, match=r"all images must have one size, or dataset\.image_size must be set"):
        run(plan(**settings), runs_dir=tmp_path)
    done = run(plan(**settings | {"dataset.image_size": 8}), runs_dir=tmp_path)
    assert done.facts.input_shape == (8, 8, 3)
    with pytest.raises(SearchError, match=r"exists with other settings \(dataset\.image_size was 8, is 9\)"):
        run(plan(**settings | {"dataset.image_size": 9}), runs_dir=tmp_path)


def test_images_need_not_be_square(tmp_path):
    """From 10x14 pictures cut to 8x12: counts, trained weights, the signature and the card are of that shape."""
    import tensorflow as tf

    images = np.random.default_rng(0).integers(0, 256, (40, 10, 14, 1), np.uint8)
    np.savez(tmp_path / "it.npz", images=images, labels=np.arange(40) % 2)
    data = {"dataset.name": str(tmp_path / "it.npz"), "dataset.image_size": "8x12", "dataset.fit": "crop"}
    done = run(plan(**data, trials=1), runs_dir=tmp_path)
    (trial,) = done.trials
    assert trial.completed
    assert trial.architecture.input_shape == done.facts.input_shape == (8, 12, 1)
    assert trial.architecture.build().count_params() == trial.parameters
    report = done.export(tmp_path / "model")
    assert report.written[0].images_checked == 6
    assert json.loads((report.path / "export.json").read_text())["input_shape"] == [8, 12, 1]
    signature = tf.saved_model.load(str(report.path)).signatures["serving_default"]
    assert signature.structured_input_signature[1]["image"].shape.as_list() == [None, 8, 12, 1]
    with pytest.raises(tf.errors.InvalidArgumentError, match="of 8x12x1; received the shape"):
        signature(image=tf.zeros((1, 12, 8, 1), tf.uint8))
    with pytest.raises(SearchError, match=r'dataset\.image_size was "8x12", is 8'):
        run(plan(**data | {"dataset.image_size": 8}, trials=1), runs_dir=tmp_path)


def test_a_data_set_is_the_same_however_its_path_is_spelled(tmp_path, monkeypatch):
    images = np.random.default_rng(0).integers(0, 256, (40, 8, 8, 1), np.uint8)
    (tmp_path / "data").mkdir()
    np.savez(tmp_path / "data" / "it.npz", images=images, labels=np.arange(40) % 2)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.yaml").write_text((Path(__file__).parent / "quick.yaml").read_text())

    def trials(name, space, count):
        return run(plan(**{"dataset.name": name, "space": space, "trials": count}), runs_dir=tmp_path / "runs").trials

    absolute = str(tmp_path / "data" / "it.npz")
    assert len(trials("data/it.npz", "mine.yaml", 1)) == 1
    kept = tmp_path / "runs" / "digits"
    assert json.loads((kept / "facts.json").read_text())["dataset"] == absolute
    assert len(trials(absolute, str(tmp_path / "mine.yaml"), 2)) == 2
    # As a search of version 0.1 has them; its name of the data stays, as MLflow has that, too.
    for file in ("experiment.json", "facts.json"):
        text = (kept / file).read_text()
        (kept / file).write_text(text.replace(absolute, "data/it.npz").replace(f"{tmp_path}/mine", "mine"))
    assert len(trials(absolute, "mine.yaml", 3)) == 3
    assert json.loads((kept / "facts.json").read_text())["dataset"] == "data/it.npz"
    shutil.copy(absolute, tmp_path / "other.npz")
    with pytest.raises(SearchError, match=r'dataset.name was ".*/data/it.npz", is ".*/other.npz"'):
        trials("other.npz", "mine.yaml", 4)


def test_arrays_in_python_are_data(tmp_path, caplog):
    images, labels = np.random.default_rng(0).integers(0, 256, (40, 8, 8, 1), np.uint8), np.arange(40) % 2
    images[39] = images[38]
    settings = {"space": QUICK, "epochs": 1, "runs_dir": tmp_path, "settings": {"workers": 0}}
    with pytest.raises(KeyboardInterrupt):
        nas.search(dataset=(images, labels), trials=3, observers=[Watcher(stop_at=1)], **settings)
    assert "data: 1 picture under more than one label" in caplog.messages
    with pytest.raises(SearchError, match=r"the data set was arrays:\w+, is arrays:\w+\); give another --name"):
        nas.search(dataset=(images[1:], labels[1:]), trials=3, **settings)
    done = nas.search(dataset={"train": (images / 255, labels.tolist())}, trials=3, **settings)
    assert [trial.completed for trial in done.trials] == [True] * 3
    assert done.export(tmp_path / "model").written[0].images_checked == 6
    # In another program they may be gone.
    assert Search("arrays", tmp_path).export(tmp_path / "model").written[0].images_checked == 64
    assert "the data are not available: 'arrays' are images that a Python program has given" in caplog.text


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({}, "^without an experiment: name: is missing$"),
        ({"name": "it"}, "^without an experiment: space: is missing$"),
        ({"name": "it", "space": "tiny"}, "^without an experiment: dataset: is missing$"),
        ({"space": "tiny", "dataset": 7}, r"dataset must be a pair \(images, labels\) .*; received int"),
    ],
)
def test_a_search_without_an_experiment_says_what_is_missing(given, told, tmp_path):
    with pytest.raises(NasError, match=told):
        nas.search(**given, runs_dir=tmp_path)


def test_an_export_does_not_need_the_data(tmp_path, finished_search, monkeypatch, caplog):
    import tensorflow as tf

    shutil.copytree(finished_search.folder.path, tmp_path / "runs" / "digits")
    kept = tmp_path / "runs" / "digits" / "experiment.json"
    experiment = json.loads(kept.read_text())
    experiment["dataset"]["name"] = "/nowhere/at all"
    kept.write_text(json.dumps(experiment))
    moved = Search("digits", tmp_path / "runs")
    report = moved.export(tmp_path / "model")
    assert report.written[0].images_checked == 64
    assert "checked on 64 random images, because the data are not available: an existing folder" in caplog.text
    there = finished_search.export(tmp_path / "there")
    assert there.written[0].images_checked == 288
    predict = [tf.saved_model.load(tmp_path / name).signatures["serving_default"] for name in ("model", "there")]
    first, second = (next(iter(each(tf.zeros((5, 8, 8, 1), tf.uint8)).values())).numpy() for each in predict)
    np.testing.assert_array_equal(first, second)


def test_first_proposals_are_those_of_the_search(finished_search):
    proposals = [Proposal(trial.architecture) for trial in finished_search.trials]
    assert Plan.of(finished_search.experiment).first_proposals(3) == proposals


def test_a_time_limit_does_not_wait_for_a_trial(tmp_path, finished_search):
    began = time.monotonic()
    endless = {"training.epochs": 100_000, "training.batch_size": 4}
    with pytest.raises(SearchError, match=r"^no trial ended in the time limit of 4 seconds; give more time, or fewer"):
        run(plan(trials=2, time_limit=4, **endless), runs_dir=tmp_path)
    assert time.monotonic() - began < 30
    assert [trial.status for trial in Search("digits", tmp_path).trials] == [TrialStatus.RUNNING]


def test_failed_trials_have_a_reason_and_no_number(tmp_path):
    space = tmp_path / "wild.yaml"
    convs = "- conv: {filters: [64, 65], kernel: [3, 5], activation: linear, normalization: none}\n"
    space.write_text(f"stem:\n{convs}{convs}{convs}head: flatten\n")
    wild = {"training.learning_rate": 10, "training.optimizer": "sgd", "budget.max_parameters": None}
    with pytest.raises(SearchError, match=r"5 trials in a row failed, the last with: Training diverged in epoch 1"):
        run(plan(space=str(space), trials=9, **wild), runs_dir=tmp_path)
    trials = Search("digits", tmp_path).trials
    assert [trial.status for trial in trials] == [TrialStatus.FAILED] * 5
    assert all("diverged" in trial.reason and not trial.metrics for trial in trials)
    # The same command goes on: what was wrong may have been mended.
    with pytest.raises(SearchError, match=r"every trial failed, the last with: Training diverged in epoch 1.*--fresh"):
        run(plan(space=str(space), trials=7, **wild), runs_dir=tmp_path)
    assert [trial.status for trial in Search("digits", tmp_path).trials] == [TrialStatus.FAILED] * 7


def test_an_exhausted_space_ends_the_search(tmp_path, caplog):
    space = tmp_path / "two.yaml"
    space.write_text("stem: [{conv: {filters: [2, 3]}}]\nhead: global_pool\n")
    done = run(plan(space=str(space), trials=9), runs_dir=tmp_path)
    assert len(done.trials) == 2
    assert "all 2 architectures inside the budget were tried" in caplog.text
    assert done.finished
    # More trials find nothing else, and nothing is written again.
    lines = done.folder.journal.path.read_text()
    assert run(plan(space=str(space), trials=12), runs_dir=tmp_path).finished
    assert done.folder.journal.path.read_text() == lines


def test_a_search_whose_space_is_used_up_is_not_finished_while_a_trial_is_open(finished_search, tmp_path):
    folder = SearchFolder(tmp_path, "digits")
    shutil.copytree(finished_search.folder.path, folder.path)
    search = Search("digits", tmp_path)
    more = search.experiment.model_copy(update={"trials": 9})
    assert not search.is_done(more)
    folder.journal.exhaust()
    search.refresh()
    assert search.is_done(more)
    without_end(folder.journal.path, 2)
    search.refresh()
    assert not search.is_done(more)


def test_workers_train_what_the_search_itself_would(tmp_path, finished_search):
    done = nas.search(
        "digits",
        space="tiny",
        max_parameters=3000,
        strategy="random",
        trials=3,
        epochs=2,
        runs_dir=tmp_path,
        settings={"workers": 2, "final.seeds": 0},
    )
    expected = finished_search.trials
    assert [trial.architecture.id for trial in done.trials] == [trial.architecture.id for trial in expected]
    for trial, same in zip(done.trials, expected, strict=True):
        assert trial.metrics["loss"] == pytest.approx(same.metrics["loss"], rel=0.02)


def test_a_wrong_tracking_address_is_told_before_anything_is_written(tmp_path):
    with pytest.raises(NasError, match="an MLflow tracking URI starts with http"):
        run(plan(), runs_dir=tmp_path, tracking_uri="file:///tmp/x")
    assert not list(tmp_path.iterdir())


def test_settings_cannot_change_in_a_search(tmp_path):
    run(plan(trials=1), runs_dir=tmp_path)
    with pytest.raises(SearchError, match=r"the search 'digits' exists with other settings \(seed was 0, is 7\); give"):
        run(plan(seed=7), runs_dir=tmp_path)
    with pytest.raises(SearchError, match=r"with other settings \(training.epochs was 1, is 3\); give"):
        run(plan(**{"training.epochs": 3}), runs_dir=tmp_path)


def test_fresh_sets_the_earlier_search_aside(tmp_path):
    folder = run(plan(trials=1), runs_dir=tmp_path).folder
    folder.data.mkdir()  # as a kill leaves it
    again = run(plan(trials=1, seed=7), runs_dir=tmp_path, fresh=True)
    assert again.experiment.seed == 7
    assert searches(tmp_path) == ["digits", "digits.1"]
    assert not SearchFolder(tmp_path, "digits.1").data.exists()


def test_two_processes_cannot_run_one_search(tmp_path):
    folder = SearchFolder(tmp_path, "digits")
    with folder.locked(), pytest.raises(SearchError, match=rf"being run by process {os.getpid()}; wait for it"):
        run(plan(), runs_dir=tmp_path)


def test_the_lock_of_a_search_that_was_set_aside_meanwhile_is_none(tmp_path, monkeypatch):
    folder, lock = SearchFolder(tmp_path, "digits"), fcntl.flock

    def late(file, flags):
        # Another process, with --fresh, between the opening of the file and this.
        monkeypatch.setattr(fcntl, "flock", lock)
        with folder.locked():
            folder.set_aside()
        lock(file, flags)

    monkeypatch.setattr(fcntl, "flock", late)
    with pytest.raises(SearchError, match=rf"being run by process {os.getpid()}; wait for it"), folder.locked():
        pass
    assert not folder.path.exists()


def test_a_tracking_server_that_is_away_stops_nothing(tmp_path, caplog):
    done = run(plan(trials=1), runs_dir=tmp_path, tracking_uri="http://127.0.0.1:9")
    assert len(done.front) == 1


def test_mlflow_is_written_while_a_network_trains(tmp_path, monkeypatch):
    watcher = Watcher()
    update = Tracker.update_front

    def told(self, records):
        records = list(records)
        watcher.told.append(("mlflow", *(record.number for record in records)))
        update(self, records)

    monkeypatch.setattr(Tracker, "update_front", told)
    run(plan(trials=2), runs_dir=tmp_path, observers=(watcher,))
    assert watcher.told == [
        ("mlflow",),
        *(("begin", 0), ("epoch", 0, 1), ("end", 0)),
        *(("begin", 1), ("epoch", 1, 1), ("mlflow", 0), ("end", 1)),
        ("mlflow", 0, 1),
    ]


def test_the_last_trials_are_in_mlflow_while_the_final_stage_runs(tmp_path, monkeypatch):
    told = []
    update = Tracker.update_front

    def note(self, records):
        records = list(records)
        told.append([(record.number, len(record.finals)) for record in records])
        update(self, records)

    monkeypatch.setattr(Tracker, "update_front", note)
    run(plan(trials=1, **{"final.seeds": 2}), runs_dir=tmp_path)
    assert told == [[], [(0, 0)], [(0, 1)], [(0, 2)], [(0, 2)]]


def test_a_search_does_not_go_on_with_other_data(tmp_path):
    data = tmp_path / "mine.npz"

    def go_on(labels, names="abcd", bright=200):
        images = np.full((len(labels), 8, 8, 1), bright, np.uint8)
        images[:, 0, 0, 0] = np.arange(len(labels))
        np.savez(data, x_train=images, y_train=labels, class_names=list(names[: labels.max() + 1]))
        return run(plan(**{"dataset.name": str(data), "trials": 1}), runs_dir=tmp_path)

    three = np.arange(30) % 3
    go_on(three)
    assert go_on(three).ended_trials == 1
    before = (tmp_path / "digits" / "facts.json").read_text()
    with pytest.raises(SearchError, match=r"other settings \(the number of classes was 3, is 4\); give another --name"):
        go_on(np.arange(30) % 4)
    with pytest.raises(SearchError, match=r"other settings \(a class was 'b', is 'x'\); give another --name"):
        go_on(three, "axcd")
    for changed in ({"labels": three[:-3]}, {"labels": three[::-1].copy()}, {"labels": three, "bright": 201}):
        with pytest.raises(
            SearchError,
            match=r"was started with other train, validation and test images of .*mine.npz: some were chang",
        ):
            go_on(**changed)
    go_on(three)
    assert (tmp_path / "digits" / "facts.json").read_text() == before


def test_a_full_disk_cannot_be_locked_and_says_so(tmp_path, full_disk):
    folder = SearchFolder(tmp_path, "digits")
    with folder.locked():
        pass
    refused = pytest.raises(SearchError, match="cannot write to the runs directory")
    with full_disk(0), refused, folder.locked():
        pass


@pytest.fixture
def silent_server():
    """Accepts connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


def test_a_server_that_never_answers_holds_up_no_time_limit(tmp_path, finished_search, silent_server, caplog):
    began = time.monotonic()
    run(plan(trials=500, time_limit=5), runs_dir=tmp_path, tracking_uri=silent_server)
    assert time.monotonic() - began < 5 + 12
    assert re.search(
        r"trials are not in MLflow yet: MLflow at \S+ was not done in 3 seconds\. To write them: nas sync digits",
        caplog.text,
    )


def test_mlflow_is_written_once_the_data_are_read(tmp_path, monkeypatch):
    # Importing TensorFlow Datasets breaks whatever another thread imports meanwhile.
    from nas import datasets

    threads = []

    def load(config):
        threads.append([thread.name for thread in threading.enumerate()])
        return real(config)

    real = datasets.load
    monkeypatch.setattr(datasets, "load", load)
    run(plan(trials=1), runs_dir=tmp_path)
    assert len(threads) == 1
    assert "nas-tracking" not in threads[0]


@pytest.mark.parametrize(
    ("overrides", "error", "message"),
    [
        ({"dataset.name": "digitz"}, DatasetError, "digits"),
        ({"space": "tinny"}, FileError, "there is no search space 'tinny' .did you mean 'tiny'"),
        ({"strategy": "randon"}, StrategyError, "there is no strategy 'randon' .did you mean 'random'"),
        ({"budget.max_parameters": 10}, BudgetError, "has at most 10 parameters: the smallest has "),
        ({"device": "tpu"}, nas.NasError, "workers: device 'tpu' trains in worker processes"),
    ],
)
def test_what_cannot_work_is_said_before_anything_runs(overrides, error, message):
    with pytest.raises(error, match=message):
        plan(**overrides)


def test_a_space_that_does_not_fit_the_images(tmp_path):
    space = tmp_path / "deep.yaml"
    space.write_text("stem: [pool, pool, pool, pool]\nhead: global_pool\n")
    with pytest.raises(SpaceError, match="no architecture of the space 'deep' fits 8x8x1 images"):
        plan(space=str(space))


def test_a_read_only_runs_directory(tmp_path):
    file = tmp_path / "file"
    file.write_text("")
    with pytest.raises(SearchError, match=r"cannot write to the runs directory .*; make it writable, or give another"):
        run(plan(), runs_dir=file)


def test_a_name_does_not_leave_the_runs_folder(finished_search):
    inside = finished_search.folder.path
    with pytest.raises(SearchError, match=r"there is no search '\.\./.*/digits' in .*; there are: digits"):
        Search(f"../{inside.parent.name}/{inside.name}", inside.parent)


def test_an_unknown_search_names_those_that_exist(finished_search):
    with pytest.raises(
        SearchError, match=r"there is no search 'digts' in .* \(did you mean 'digits'\?\); there are: digits"
    ):
        Search("digts", finished_search.folder.runs_dir)
    with pytest.raises(SearchError, match=r"there is no search 'nope' in .*; there are: digits"):
        Search("nope", finished_search.folder.runs_dir)


def test_a_damaged_experiment_is_said(tmp_path):
    run(plan(trials=1), runs_dir=tmp_path)
    (tmp_path / "digits" / "experiment.json").write_text('{"name": "digits"')
    with pytest.raises(SearchError, match=r"experiment.json cannot be read .*restore it from a backup"):
        Search("digits", tmp_path)


@pytest.mark.parametrize("settings", [{}, {"seed": 7}], ids=["the same", "another"])
def test_trials_whose_experiment_is_gone_are_no_new_search(finished_search, tmp_path, settings):
    folder = SearchFolder(tmp_path, "digits")
    shutil.copytree(finished_search.folder.path, folder.path)
    path = folder.path / "experiment.json"
    path.unlink()
    sentence = (
        f"{path} cannot be read (it is gone, and a search goes on only as what it was started as); restore it from a "
        f"backup, or start over with --fresh"
    )
    experiment = finished_search.experiment.model_copy(update=settings)
    for use in (lambda: run(Plan.of(experiment), runs_dir=tmp_path), lambda: Search("digits", tmp_path)):
        with pytest.raises(SearchError) as caught:
            use()
        assert str(caught.value) == sentence
    assert searches(tmp_path) == ["digits"]
    assert not path.exists()


@pytest.mark.parametrize("content", [None, b"", b'{"format": 1'])
def test_a_journal_that_is_gone_is_no_new_search(finished_search, tmp_path, content):
    shutil.copytree(finished_search.folder.path, tmp_path / "digits")
    path = tmp_path / "digits" / "trials.jsonl"
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(JournalError, match=r"trials.jsonl.*; restore the file from a backup, or start over with --f"):
        run(Plan.of(finished_search.experiment), runs_dir=tmp_path)


def test_a_journal_that_was_cut_between_lines_is_no_shorter_search(finished_search, tmp_path):
    folder = SearchFolder(tmp_path, "digits")
    shutil.copytree(finished_search.folder.path, folder.path)
    folder.check_whole()
    first = min(point.number for point in finished_search.front)
    lines = folder.journal.path.read_bytes().splitlines(keepends=True)
    # A kill after the weights and before the end of the trial leaves its start.
    folder.journal.path.write_bytes(b"".join(lines[: 2 + 2 * 2]))
    folder.check_whole()
    folder.journal.path.write_bytes(b"".join(lines[: 1 + 2 * first]))
    with pytest.raises(JournalError, match=rf"has lost trials: it knows {first}, and there is .*{first}\.npz; restore"):
        run(Plan.of(finished_search.experiment), runs_dir=tmp_path)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        (
            '"input_shape":[8,8,1]',
            '"input_shape":[16,16,1]',
            "trial 0 takes images of 16x16x1, and the search has 8x8x1",
        ),
        ('"classes":10', '"classes":1000', "trial 0 has 1,000 classes, and the search has 10"),
        ('"blocks":[', '"blocks":[{"kind":"conv","filters":4096},', r"trial 0 has .* parameters over 3,000"),
        ('"curves":{"', '"curves":{"x":[1,1,1,1,1,1,1,1,1],"', r"trial 0 was COMPLETED after 9 of \d epochs"),
    ],
)
def test_a_trial_that_the_search_cannot_have_is_refused(finished_search, tmp_path, old, new, says):
    shutil.copytree(finished_search.folder.path, tmp_path / "digits")
    edit(tmp_path / "digits" / "trials.jsonl", old, new)
    with pytest.raises(JournalError, match=rf"line \d of .*trials.jsonl is damaged .*{says}.*; restore the file from"):
        SearchFolder(tmp_path, "digits").trials()


def test_lines_without_checksum_are_told_once(finished_search, tmp_path, caplog):
    shutil.copytree(finished_search.folder.path, tmp_path / "digits")
    assert Search("digits", tmp_path).observed_trials == finished_search.observed_trials
    assert not caplog.messages
    path = tmp_path / "digits" / "trials.jsonl"
    edit(path)
    for _ in range(2):
        assert Search("digits", tmp_path).observed_trials == finished_search.observed_trials
    lines = len(path.read_text().splitlines())
    (told,) = caplog.messages
    assert told.startswith(f"{lines} lines of {path} without a checksum, as earlier versions wrote them: changes")


@pytest.mark.parametrize("written", [0, 1, 2, 3])
def test_a_search_that_was_killed_while_it_was_made_starts(tmp_path, monkeypatch, written):
    made, folder = plan(trials=1), SearchFolder(tmp_path, "digits")
    files = iter(range(written))

    def write(path, content):
        if next(files, None) is None:
            raise KeyboardInterrupt
        durable.write_atomically(path, content)

    with monkeypatch.context() as patch:
        for module in (nas.tuning.folder, nas.tuning.journal):
            patch.setattr(module, "write_atomically", write)
        with pytest.raises(KeyboardInterrupt):
            folder.create(made.experiment, made.space_text, made.facts())
    assert not folder.exists
    folder.create(made.experiment, made.space_text, made.facts())
    assert folder.trials() == ()


@pytest.mark.parametrize("file", ["experiment.json", "facts.json"])
def test_a_search_of_a_newer_version_is_said(finished_search, tmp_path, file):
    shutil.copytree(finished_search.folder.path, tmp_path / "digits")
    path, journal = tmp_path / "digits" / file, tmp_path / "digits" / "trials.jsonl"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"teacher": "big"}))
    with pytest.raises(SearchError, match=rf"{file} cannot be read \(unknown key 'teacher'\); upgrade keras-nas if"):
        Search("digits", tmp_path)
    edit(journal, '"format":1', '"format":2')
    with pytest.raises(JournalError, match=r"written by a newer version .format 2, this one reads 1.; upgrade keras"):
        Search("digits", tmp_path)


def test_weights_of_a_dominated_trial_are_not_there(tmp_path, finished_search):
    front = {point.number for point in finished_search.front}
    dominated = [trial.number for trial in finished_search.trials if trial.number not in front]
    if not dominated:
        pytest.skip("all three trials are on the front")
    with pytest.raises(nas.NasError, match=rf"the weights of trial {dominated[0]} were not kept: only trials"):
        finished_search.export(tmp_path / "model", trial=dominated[0])


def test_the_journal_holds_plain_json(finished_search):
    lines = finished_search.folder.journal.path.read_text().splitlines()
    header = json.loads(lines[0])
    assert header == {"format": 1, "kind": "nas trials", "crc": header["crc"]}
    assert [json.loads(line)["event"] for line in lines[1:]] == ["start", "end"] * 3
