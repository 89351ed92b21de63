"""The front trained again from scratch, scored on the test split."""

import json
import statistics
from dataclasses import replace
from operator import attrgetter

import pytest

from nas.cli import main
from nas.cli.front import print_front
from nas.config import FinalConfig
from nas.datasets import load
from nas.errors import NasError
from nas.results.trial import FinalTraining
from nas.tracking.views import quieted
from nas.training import evaluate, train
from nas.tuning import Search, run
from nas.tuning.final import candidates, final_seeds
from tests.tracking import examples
from tests.tuning.test_search import Watcher, plan

by_parameters = attrgetter("parameters")

SETTINGS = {"trials": 3, "training.epochs": 2, "final.seeds": 2}


@pytest.fixture(scope="module")
def tested(tmp_path_factory):
    return run(plan(**SETTINGS), runs_dir=tmp_path_factory.mktemp("runs"))


def test_each_point_of_the_front_has_a_score_over_seeds_and_nothing_else_has(tested):
    assert tested.finished
    front = {point.number for point in tested.front}
    for trial in tested.trials:
        assert len(trial.finals) == (2 if trial.number in front else 0)
        if trial.finals:
            scores = [training.test_score for training in trial.finals]
            assert trial.metrics["test_score"] == pytest.approx(statistics.fmean(scores))
            assert trial.metrics["test_score_std"] == pytest.approx(statistics.stdev(scores))


def test_a_final_training_is_one_from_scratch_with_another_seed(tested):
    point = tested.front.points[0]
    training = point.finals[0]
    assert [each.seed for each in point.finals] == final_seeds(tested.experiment.seed, point.number, 2)
    data = load(tested.experiment.dataset)
    again = train(point.architecture, data, tested.experiment.training, seed=training.seed)
    assert training.val_score == pytest.approx(again.metrics["val_score"], abs=0.01)
    assert training.test_score == pytest.approx(
        evaluate(point.architecture, again.weights, data.test)["score"], abs=0.01
    )


def test_it_goes_on_after_an_interrupt_and_trains_nothing_twice(tested, tmp_path):
    class Stop(Watcher):
        def on_final(self, record, done, total):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(plan(**SETTINGS), runs_dir=tmp_path, observers=(Stop(),))
    left = Search("digits", tmp_path)
    assert not left.finished
    assert sum(len(trial.finals) for trial in left.trials) == 1
    watcher = Watcher()
    done = run(plan(**SETTINGS), runs_dir=tmp_path, observers=(watcher,))
    total = 2 * len(done.front)
    assert sum(event[0] == "epoch" for event in watcher.told) == 2 * (total - 1)
    assert [event for event in watcher.told if event[0] == "final"] == [
        ("final", number, total) for number in range(2, total + 1)
    ]
    assert [[f.seed for f in trial.finals] for trial in done.trials] == [
        [f.seed for f in trial.finals] for trial in tested.trials
    ]


@pytest.mark.parametrize(("error", "times"), [(NasError("it cannot be"), 1), (RuntimeError("it crashed"), 2)])
def test_a_training_that_fails_is_done_and_named(tmp_path, monkeypatch, caplog, error, times):
    calls = []

    def scored(*given):
        calls.append(given)
        if len(calls) <= times:
            raise error
        return evaluate(*given)

    monkeypatch.setattr("nas.training.evaluate", scored)
    settings = SETTINGS | {"trials": 1, "training.epochs": 1}
    done = run(plan(**settings), runs_dir=tmp_path)
    assert done.finished
    assert len(calls) == times + 1
    (record,) = done.trials
    failed, kept = final_seeds(done.experiment.seed, 0, 2)
    assert [training.seed for training in record.finals] == [kept]
    reason = f"{'' if times == 1 else 'RuntimeError: '}{error}"
    assert record.failed_finals == {failed: reason}
    assert caplog.messages[-1] == f"1 final training failed: trial 0 ({reason})"
    assert record.test_text(done.objectives.score) == f"{record.finals[0].test_score:.2%} (1 seed, 1 failed)"
    run(plan(**settings), runs_dir=tmp_path)
    assert len(calls) == times + 1


def test_workers_score_too(tested, tmp_path):
    done = run(plan(**SETTINGS, workers=1), runs_dir=tmp_path)
    assert [len(trial.finals) for trial in done.trials] == [len(trial.finals) for trial in tested.trials]


def test_a_search_without_it_can_have_it_later(tmp_path):
    run(plan(**SETTINGS | {"final.seeds": 0, "trials": 1}), runs_dir=tmp_path)
    done = run(plan(**SETTINGS | {"trials": 1}), runs_dir=tmp_path)
    assert all(len(point.finals) == 2 for point in done.front)


def test_some_of_a_front_are_its_ends_and_the_lonely_ones(tested):
    front = tested.front.points
    assert candidates(tested.trials, FinalConfig(top="all-front"), tested.objectives) == list(front)
    assert candidates(tested.trials, FinalConfig(top=99), tested.objectives) == list(front)
    if len(front) > 2:
        assert candidates(tested.trials, FinalConfig(top=2), tested.objectives) == [front[0], front[-1]]


def test_one_of_a_front_is_the_most_accurate():
    front = [examples.trial(n, accuracy, filters=4 + n) for n, accuracy in enumerate((0.5, 0.7, 0.9))]
    assert candidates(front, FinalConfig(top=1), examples.OBJECTIVES) == front[2:]
    assert candidates(front, FinalConfig(top=2), examples.OBJECTIVES) == [front[0], front[2]]


def test_mlflow_and_the_front_show_it(tested):
    search = tested.tracking_run()
    client = search.store.connect()
    experiment = client.get_experiment_by_name(search.experiment)
    for point in tested.front:
        query = f"tags.`nas.role` = 'trial' AND tags.`nas.trial` = '{point.number}'"
        (shown,) = client.search_runs([experiment.experiment_id], query)
        assert shown.data.metrics["test_accuracy"] == pytest.approx(point.metrics["test_score"], abs=1e-6)
        assert shown.data.metrics["test_seeds"] == 2
        # The page would make charts of its own of any other metric.
        assert set(shown.data.metrics) <= {*quieted(search.objectives.score)}
        assert (
            f"**Final stage:** test accuracy {point.test_text(tested.objectives.score)}."
            in shown.data.tags["mlflow.note.content"]
        )
    (parent,) = client.search_runs([experiment.experiment_id], "tags.`nas.role` = 'search'")
    assert set(parent.data.metrics) <= {*quieted(search.objectives.score)}
    assert "(2 seeds)" in parent.data.tags["mlflow.note.content"]
    rows = json.loads(client_text(client, parent, "front.json"))["points"]
    assert [row["test_accuracy"] for row in rows] == pytest.approx([p.metrics["test_score"] for p in tested.front])
    assert {row["explained_by_noise"] for row in rows} <= {True, False}


def test_an_export_says_what_its_network_came_to_when_it_was_trained_again(tested, tmp_path, capsys):
    folder = tested.folder
    assert main(["export", folder.name, "--to", str(tmp_path / "model"), "--runs-dir", str(folder.runs_dir)]) == 0
    best = tested.best()
    said = (
        f"{best.score:.2%} validation accuracy expected, {best.observed:.2%} observed; trained again, test accuracy "
        f"{best.test_text(tested.objectives.score)}\n"
    )
    assert said in capsys.readouterr().out


def test_what_noise_explains_is_neither_shown_nor_exported(tested, tmp_path, monkeypatch, capsys):
    small, large = sorted({t.parameters: replace(t, finals=()) for t in tested.trials}.values(), key=by_parameters)[:2]
    small, large = (replace(t, metrics={"val_score": a}) for t, a in ((small, 0.90), (large, 0.95)))
    for seed, accuracies in enumerate([(0.90, 0.89), (0.90, 0.92)]):
        small, large = (
            t.with_final(FinalTraining(seed=seed, val_score=a, test_score=0.8))
            for t, a in zip((small, large), accuracies, strict=True)
        )
    monkeypatch.setattr(Search, "trials", property(lambda search: (small, large)))
    tested = Search(tested.name, tested.folder.runs_dir)
    assert list(tested.front) == [small, large]
    assert tested.best() == small
    print_front(tested, tmp_path)
    shown = capsys.readouterr().out
    assert "2 of 2 trials, 1 explained by noise, hypervolume" in shown
    assert f"Left out: trial {large.number}; trained again, no better than a cheaper network on the front" in shown
    assert f"{small.parameters:,}" in shown
    assert f"{large.parameters:,}" not in shown


def client_text(client, run, name):
    from pathlib import Path

    return Path(client.download_artifacts(run.info.run_id, name)).read_text()
