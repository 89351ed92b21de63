from __future__ import annotations

import json
import re
import socket
import time
from dataclasses import replace

import pytest

from nas.errors import NasError
from nas.reports.network_diagram import diagram
from nas.results.pareto import ParetoFront, pareto_rank
from nas.results.trial import TrialStatus
from nas.tracking import SearchRun, Store, Tracker, sync, writer
from nas.tracking.projection import Projection
from tests.tracking.examples import artifact, failed, random_trials, read_runs, trial

DESCRIPTION = {"dataset": "digits", "trials": "20"}


def closed_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def away(search):
    store = Store.resolve(search.store.artifact_root.parent, f"http://127.0.0.1:{closed_port()}")
    return SearchRun(
        store=store,
        experiment=search.experiment,
        name=search.name,
        search_id=search.search_id,
        objectives=search.objectives,
    )


def test_a_whole_search(search):
    records = [trial(0, 0.91, filters=16), failed(1), trial(2, 0.85, filters=30), trial(3, 0.7, filters=4)]
    tracker = Tracker(search)
    tracker.start(DESCRIPTION)
    for record in records:
        tracker.update_front([record])
    tracker.finish()
    assert tracker.close()
    assert (tracker.pending, tracker.problem) == (0, "")

    parent, children = read_runs(search)
    assert (tracker.run_id, tracker.experiment_id) == (parent.info.run_id, parent.info.experiment_id)
    assert parent.data.params == DESCRIPTION
    assert parent.info.status == "FINISHED"
    assert parent.data.metrics["full_trials"] == 4
    assert parent.data.metrics["front_size"] == 2
    assert parent.data.metrics["best_val_accuracy"] == 0.91
    assert children.keys() == {0, 1, 2, 3}
    assert {n: c.data.tags["pareto_optimal"] for n, c in children.items()} == {
        0: "true", 1: "false", 2: "false", 3: "true",
    }  # fmt: skip

    best = children[0]
    assert best.info.status == "FINISHED"
    assert best.info.end_time - best.info.start_time == 1500
    assert best.data.tags["mlflow.parentRunId"] == parent.info.run_id
    assert best.data.params == {
        "architecture": "conv3-16, max2, conv1-8, global_pool",
        "architecture_id": records[0].architecture.id,
        "depth": "3",
        "kinds": "conv, pool",
        "max_channels": "16",
        "head": "global_pool",
    }
    # 3*3*16 + 4*16 batch normalization, 16*8 + 4*8, 8*10 + 10
    assert best.data.metrics["parameters"] == 144 + 64 + 128 + 32 + 90 == records[0].parameters
    assert best.data.metrics["log10_parameters"] == pytest.approx(2.66087)
    # The judged value, not the curve's last one.
    assert best.data.metrics["val_accuracy"] == 0.91
    assert json.loads(artifact(search, best, "architecture.json")) == records[0].architecture.to_dict()
    assert artifact(search, best, "architecture.svg") == diagram(records[0].architecture, "trial 0").svg().encode()
    history = search.store.connect().get_metric_history(best.info.run_id, "epoch/loss")
    assert [(m.step, m.value) for m in history] == [(1, 3.0), (2, 2.0), (3, 1.0)]

    broken = children[1]
    assert broken.info.status == "FAILED"
    assert broken.data.tags["nas.reason"] == "The loss became nan in epoch 2."
    assert "The loss became nan" in broken.data.tags["mlflow.note.content"]
    assert "val_accuracy" not in broken.data.metrics


def test_the_search_run_shows_the_front(search):
    records = random_trials(12)
    sync(search, records, description=DESCRIPTION)
    parent, children = read_runs(search)
    front = ParetoFront.of(records)
    document = json.loads(artifact(search, parent, "front.json"))
    assert [p["trial"] for p in document["points"]] == [p.number for p in front]
    assert 0 < document["hypervolume"] < 1
    assert artifact(search, parent, "front.csv").count(b"\n") == len(front) + 1
    assert artifact(search, parent, "report.html").startswith(b"<!DOCTYPE html>")
    assert b"validation accuracy" in artifact(search, parent, "front.svg")
    assert children[front.best().number].info.run_id in parent.data.tags["mlflow.note.content"]


def test_tags_follow_the_front_as_it_moves_and_only_changes_are_sent(search, monkeypatch):
    first, second, third = (
        trial(0, 0.8, filters=16),
        trial(1, 0.6, filters=20),
        trial(2, 0.9, filters=8),
    )
    projection = Projection(search, DESCRIPTION)
    projection.bring_up([first])
    projection.bring_up([first, second])
    _, children = read_runs(search)
    assert children[0].data.tags["pareto_optimal"] == "true"
    front_color = children[0].data.tags["mlflow.runColor"]

    from mlflow import MlflowClient

    batches, log_batch = [], MlflowClient.log_batch

    def spy(self, run_id, *args, **kwargs):
        batches.append(run_id)
        return log_batch(self, run_id, *args, **kwargs)

    monkeypatch.setattr(MlflowClient, "log_batch", spy)
    projection.bring_up([first, second, third])
    parent, children = read_runs(search)
    assert [children[n].data.tags["pareto_optimal"] for n in range(3)] == ["false", "false", "true"]
    assert children[2].data.tags["mlflow.runColor"] == front_color != children[0].data.tags["mlflow.runColor"]
    # Trial 1 was dominated before and after.
    assert batches == [children[0].info.run_id, children[2].info.run_id, parent.info.run_id]

    projection.bring_up([first, second, third], "FINISHED")
    _, children = read_runs(search)
    ranks = {n: c.data.metrics["pareto_rank"] for n, c in children.items()}
    assert ranks == pareto_rank([first, second, third]) == {2: 0, 0: 1, 1: 2}


def test_replaying_writes_nothing_twice(search, monkeypatch):
    records = random_trials(8)
    assert sync(search, records, description=DESCRIPTION) == 8
    before = read_runs(search)

    from mlflow import MlflowClient

    def refuse(*args, **kwargs):
        raise AssertionError("a replay wrote something")

    for name in ("create_run", "log_batch", "log_artifacts", "set_terminated", "update_run"):
        monkeypatch.setattr(MlflowClient, name, refuse)
    assert sync(search, records, description=DESCRIPTION) == 0
    after = read_runs(search)
    assert {n: r.to_dictionary() for n, r in after[1].items()} == {n: r.to_dictionary() for n, r in before[1].items()}


@pytest.mark.parametrize("answer_lost", [False, True], ids=["not written", "written, answer lost"])
@pytest.mark.parametrize("method", ["create_run", "log_batch", "set_terminated", "search_runs"])
@pytest.mark.parametrize("call", [1, 3])
def test_every_trial_arrives_once_whatever_call_fails(search, monkeypatch, method, call, answer_lost):
    """The thread itself tries again; no replay is needed."""
    from mlflow import MlflowClient

    original, calls = getattr(MlflowClient, method), []

    def flaky(self, *args, **kwargs):
        calls.append(args)
        if len(calls) == call and not answer_lost:
            raise ConnectionError("gone")
        result = original(self, *args, **kwargs)
        if len(calls) == call:
            raise ConnectionError("gone")
        return result

    monkeypatch.setattr(MlflowClient, method, flaky)
    tracker = Tracker(search, retry_seconds=(0.01, 0.02))
    tracker.start(DESCRIPTION)
    records = [trial(0, 0.9, filters=16), trial(1, 0.8, filters=8), failed(2)]
    for record in records:
        tracker.update_front([record])
    deadline = time.monotonic() + 20
    while tracker.pending and time.monotonic() < deadline:
        time.sleep(0.02)
    assert tracker.close()
    monkeypatch.undo()
    parent, children = read_runs(search)
    assert [children[n].info.status for n in range(3)] == ["FINISHED", "FINISHED", "FAILED"]
    client = search.store.connect()
    for number in (0, 1):
        run = children[number]
        assert run.data.metrics["val_accuracy"] == records[number].score
        history = client.get_metric_history(run.info.run_id, "epoch/loss")
        assert sorted((m.step, m.value) for m in history) == [(1, 3.0), (2, 2.0), (3, 1.0)]
    steps = [m.step for m in client.get_metric_history(parent.info.run_id, "front_size")]
    assert sorted(steps) == [1, 2, 3]


def test_a_server_that_is_away_costs_the_search_nothing(search):
    tracker = Tracker(away(search), retry_seconds=(0.05, 0.1))
    tracker.start(DESCRIPTION)
    records = random_trials(20)
    started = time.monotonic()
    for record in records:
        tracker.update_front([record])
    tracker.finish()
    assert time.monotonic() - started < 0.2
    assert not tracker.close(timeout=15)
    assert tracker.pending == 20
    assert re.fullmatch(r"MLflow at http://127\.0\.0\.1:\d+ does not answer \(Connection refused\)", tracker.problem)

    # The journal fills a store that never heard of the search.
    assert sync(search, records, description=DESCRIPTION) == 20
    assert read_runs(search)[1].keys() == set(range(20))


def test_sync_says_that_the_server_is_away(search):
    with pytest.raises(NasError, match=r"MLflow at http://127\.0\.0\.1:\d+ does not answer \(Connection refused\)"):
        sync(away(search), [], description={})


def test_close_does_not_wait_longer_than_told(search, monkeypatch):
    from mlflow import MlflowClient

    monkeypatch.setattr(MlflowClient, "create_run", lambda *args, **kwargs: time.sleep(3))
    tracker = Tracker(search)
    tracker.start(DESCRIPTION)
    tracker.update_front([trial(0, 0.5)])
    started = time.monotonic()
    assert not tracker.close(timeout=0.2)
    assert time.monotonic() - started < 2
    assert tracker.problem.endswith("was not done in 0.2 seconds.")
    assert tracker.pending == 1


def test_a_resumed_search_goes_on_in_the_same_runs(search):
    tracker = Tracker(search)
    tracker.start(DESCRIPTION)
    tracker.update_front([trial(0, 0.9, filters=4)])
    tracker.finish(status="KILLED")
    assert tracker.close()
    first, _ = read_runs(search)
    assert first.info.status == "KILLED"
    assert b"not finished yet" in artifact(search, first, "report.html")

    journal = [trial(0, 0.9, filters=4)]
    resumed = Tracker(search)
    resumed.start(DESCRIPTION | {"trials": "40"}, journal)
    resumed.update_front([trial(1, 0.8, filters=16)])
    assert resumed.close()
    parent, children = read_runs(search)
    assert parent.info.run_id == first.info.run_id
    assert parent.info.status == "RUNNING"
    assert (parent.data.params["trials"], parent.data.tags["nas.trials"]) == ("20", "40")
    assert [children[n].data.tags["pareto_optimal"] for n in (0, 1)] == ["true", "false"]
    steps = search.store.connect().get_metric_history(parent.info.run_id, "full_trials")
    assert [m.step for m in steps] == [1, 2]


def test_a_search_that_had_all_its_trials_when_it_was_interrupted_is_finished_in_the_end(search):
    for status in ("KILLED", "FINISHED"):
        tracker = Tracker(search)
        tracker.start(DESCRIPTION, [trial(0, 0.9)])
        tracker.finish(status=status)
        assert tracker.close()
        page = artifact(search, read_runs(search)[0], "report.html")
        assert (b"not finished yet" in page) == (status == "KILLED")


def test_a_trial_passed_again_is_updated(search):
    tracker = Tracker(search)
    tracker.start(DESCRIPTION)
    tracker.update_front([trial(0, 0.9)])
    tracker.update_front([trial(0, 0.9, metrics={"val_score": 0.9, "test_score": 0.88})])
    tracker.update_front([trial(1, 0.5, status=TrialStatus.RUNNING)])
    assert tracker.close()
    _, children = read_runs(search)
    assert children.keys() == {0}
    assert children[0].data.metrics["test_accuracy"] == 0.88


def test_two_searches_of_one_name_do_not_mix(search):
    other = SearchRun(
        store=search.store,
        experiment=search.experiment,
        name=search.name,
        search_id="0" * 32,
        objectives=search.objectives,
    )
    sync(search, [trial(0, 0.9)], description=DESCRIPTION)
    assert sync(other, [trial(0, 0.9)], description=DESCRIPTION) == 1


def test_numbers_survive_a_file_store_out_of_reach(search, monkeypatch):
    def refuse(files, folder):
        raise PermissionError("/mlruns")

    monkeypatch.setattr(writer, "_write", refuse)
    sync(search, [trial(0, 0.9)], description=DESCRIPTION)
    _, children = read_runs(search)
    assert children[0].info.status == "FINISHED"
    assert children[0].data.tags["nas.files_missing"] == "architecture.json, architecture.svg: /mlruns"
    monkeypatch.undo()
    sync(search, [trial(0, 0.9)], description=DESCRIPTION)
    parent, children = read_runs(search)
    assert "nas.files_missing" not in children[0].data.tags | parent.data.tags
    assert artifact(search, children[0], "architecture.json").startswith(b"{")


def test_the_run_of_a_search_has_its_data_as_inputs_once(search):
    data = {"train": "a" * 32, "validation": "b" * 32, "test": "c" * 32}
    for _ in range(2):
        sync(replace(search, data=data), [trial(0, 0.9)], description={})
    parent, children = read_runs(search)
    inputs = [
        (each.dataset.name, each.dataset.digest, each.tags[0].key, each.tags[0].value)
        for each in parent.inputs.dataset_inputs
    ]
    assert sorted(inputs, key=lambda each: each[1]) == [
        (search.experiment, digest, "mlflow.data.context", split) for split, digest in data.items()
    ]
    # A trial is trained and judged without the test images.
    assert {each.dataset.digest for each in children[0].inputs.dataset_inputs} == {"a" * 32, "b" * 32}
    client = search.store.connect()
    query = f"dataset.digest = '{'c' * 32}'"
    (found,) = client.search_runs([parent.info.experiment_id], query)
    assert found.info.run_id == parent.info.run_id


def test_a_server_without_inputs_keeps_the_rest(search, monkeypatch):
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException

    def refuse(self, run_id, datasets):
        raise MlflowException("no such endpoint")

    monkeypatch.setattr(MlflowClient, "log_inputs", refuse)
    assert sync(replace(search, data={"train": "a" * 32}), [trial(0, 0.9)], description={}) == 1
    assert not read_runs(search)[0].inputs.dataset_inputs


def written(tracker, count):
    deadline = time.monotonic() + 60
    while tracker.pending and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not tracker.pending
    assert len(tracker._written) == count


def test_a_database_that_is_deleted_meanwhile_is_written_anew(search, capfd):
    tracker = Tracker(search)
    tracker.start(DESCRIPTION)
    tracker.update_front([trial(0, 0.9)])
    written(tracker, 1)
    for path in search.store.artifact_root.parent.glob("mlflow.db*"):
        path.unlink()
    tracker.finish([trial(1, 0.95, filters=20)])
    assert tracker.close()
    parent, children = read_runs(search)
    assert (parent.info.status, sorted(children)) == ("FINISHED", [0, 1])
    assert artifact(search, children[0], "architecture.json")
    assert capfd.readouterr() == ("", "")


def test_a_database_that_goes_while_it_is_written_is_written_again(search, monkeypatch):
    bring_up, calls = Projection.bring_up, []

    def lose(self, *arguments):
        bring_up(self, *arguments)
        if not calls:
            for path in search.store.artifact_root.parent.glob("mlflow.db*"):
                path.unlink()
        calls.append(arguments)

    monkeypatch.setattr(Projection, "bring_up", lose)
    tracker = Tracker(search, retry_seconds=(0.1, 0.1))
    tracker.start(DESCRIPTION, [trial(0, 0.9)])
    written(tracker, 1)
    tracker.finish()
    assert tracker.close()
    assert sorted(read_runs(search)[1]) == [0]


def test_a_full_disk_is_one_line_and_no_traceback(search, full_disk, capfd):
    tracker = Tracker(search, retry_seconds=(0.1, 0.1))
    tracker.start(DESCRIPTION)
    tracker.update_front([trial(0, 0.9)])
    written(tracker, 1)
    with full_disk(1_000):
        tracker.finish([trial(1, 0.95, filters=20)])
        assert not tracker.close()
    assert tracker.pending == 1
    assert re.fullmatch(
        r"MLflow at sqlite:\S+ cannot be written: \(sqlite3\.OperationalError\) [\w /]+", tracker.problem
    )
    assert capfd.readouterr() == ("", "")


def test_a_description_that_a_user_has_written_stays(search):
    records = [trial(0, 0.9), trial(1, 0.8, filters=20)]
    sync(search, records, description=DESCRIPTION)
    _, children = read_runs(search)
    client = search.store.connect()
    for child in children.values():
        client.set_tag(child.info.run_id, "mlflow.note.content", "to be looked at")
    better = [replace(each, metrics={**each.metrics, "expected_score": 0.5 + each.number / 4}) for each in records]
    sync(search, better, description=DESCRIPTION)
    _, children = read_runs(search)
    assert [child.data.tags["mlflow.note.content"] for child in children.values()] == ["to be looked at"] * 2
    assert children[1].data.metrics["expected_accuracy"] == 0.75
