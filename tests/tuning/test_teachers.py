"""A final stage with a teacher: beside the plain numbers, resumable, told in tables."""

import json

import pytest

from nas.errors import NasError
from nas.reports.front_tables import front_rows
from nas.results.trial import FinalTraining
from nas.tasks import DEFAULT_TASK
from nas.tuning import Search, run
from nas.tuning.final import final_seeds, missing
from nas.tuning.journal import Journal
from nas.tuning.teacher import teacher_of
from tests.tracking.examples import architecture, trial
from tests.tuning.test_search import Watcher, plan

FINAL = {"trials": 2, "final.seeds": 1, "final.teacher": "best"}


@pytest.fixture(scope="module")
def searched(tmp_path_factory):
    runs = tmp_path_factory.mktemp("runs")
    # Plain first, then with a teacher, which is free to change.
    run(plan(trials=2, **{"final.seeds": 1}), runs_dir=runs)
    watcher = Watcher()
    return run(plan(**FINAL), runs_dir=runs, observers=[watcher]), watcher


def test_each_network_of_the_front_is_taught_once_a_seed_and_keeps_its_plain_number(searched):
    search, watcher = searched
    final = [record for record in search.observed_trials if record.finals]
    assert final
    best = teacher_of(search, search.experiment).name
    for record in final:
        assert [each.seed for each in record.taught] == [each.seed for each in record.finals]
        assert {each.teacher for each in record.taught} == {best}
        assert record.metrics["taught_test_score"] == record.taught[0].test_score
        assert record.metrics["test_score"] == record.finals[0].test_score
    assert best.endswith(", temperature 2, weight 0.5")
    total = 2 * len(final)
    assert [event for event in watcher.told if event[0] == "final"] == [
        ("final", done, total) for done in range(len(final) + 1, total + 1)
    ]


def test_nothing_is_trained_twice_and_another_weight_is_another_lesson(searched):
    search, _ = searched
    assert search.is_done(plan(**FINAL).experiment)
    assert not search.is_done(plan(**FINAL, **{"final.weight": 0.3}).experiment)
    assert not search.is_done(plan(**FINAL | {"final.seeds": 2}).experiment)


def test_the_journal_and_the_tables_have_both(searched):
    search, _ = searched
    lines = [json.loads(line) for line in (search.folder.path / "trials.jsonl").read_text().splitlines()]
    taught = [line for line in lines if line.get("event") == "final" and "teacher" in line]
    plain = [line for line in lines if line.get("event") == "final" and "teacher" not in line]
    assert len(taught) == len(plain) > 0
    assert Search(search.name, search.folder.runs_dir).observed_trials == search.observed_trials
    row = front_rows(search.front, search.experiment.score)[0]
    assert {"test_accuracy", "taught_test_accuracy"} <= row.keys()
    assert "test accuracy, taught</th>" in search.report()


def test_a_teacher_that_failed_is_not_in_the_way_of_another(tmp_path):
    journal = Journal(tmp_path / "trials.jsonl", DEFAULT_TASK.score)
    journal.create()
    journal.start(0, architecture(4))
    journal.end(trial(0, 0.75, filters=4))
    for name in ("right", "wrong"):
        (tmp_path / f"{name}.keras").touch()
    named = {name: plan(**FINAL | {"final.teacher": str(tmp_path / f"{name}.keras")}) for name in ("right", "wrong")}
    (seed,) = final_seeds(named["right"].experiment.seed, 0, 1)
    journal.final_failed(0, seed, "It takes other images.", "wrong.keras, temperature 2, weight 0.5")
    assert [each.taught for each in missing(journal.read().trials, named["wrong"].experiment)] == [False]
    assert [each.taught for each in missing(journal.read().trials, named["right"].experiment)] == [False, True]
    right = FinalTraining(seed=seed, val_score=0.7, test_score=0.6, teacher="right.keras, temperature 2, weight 0.5")
    journal.final(0, right)
    assert journal.read().trials[0].taught_text(DEFAULT_TASK.score) == "60.00% (1 seed)"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"final.seeds": 0}, "final.teacher needs final.seeds of at least 1; received 0"),
        ({"final.teacher": "/nowhere/x.keras"}, "final.teacher: there is no file /nowhere/x.keras"),
    ],
)
def test_a_teacher_that_cannot_teach_is_refused(settings, message):
    with pytest.raises(NasError) as error:
        plan(**FINAL | settings)
    assert str(error.value) == message


def test_another_word_is_no_teacher():
    with pytest.raises(
        NasError, match=r"final\.teacher: must be none, best, or the path of a \.keras file; received 'me'"
    ):
        plan(**FINAL | {"final.teacher": "me"})
