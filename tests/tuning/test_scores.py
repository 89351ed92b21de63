"""A search whose objective is another score than accuracy."""

import json

import pytest

from nas.errors import NasError
from nas.tasks.classification import F1
from nas.tracking.runs import front_files
from nas.training import evaluate
from nas.tuning import run
from tests.tuning.test_search import plan


@pytest.fixture(scope="module")
def searched(tmp_path_factory):
    made = plan(trials=2, objectives=["val_f1", "parameters"], **{"training.epochs": 2})
    return run(made, runs_dir=tmp_path_factory.mktemp("runs"))


def test_the_score_is_f1_in_the_journal_and_in_python(searched):
    from nas.datasets import load

    lines = [json.loads(line) for line in (searched.folder.path / "trials.jsonl").read_text().splitlines()]
    ends = [line for line in lines if line.get("event") == "end"]
    assert all("val_f1" in end["metrics"] and "val_accuracy" not in end["metrics"] for end in ends)
    best = searched.best()
    validation = load(searched.experiment.dataset).validation
    again = evaluate(best.architecture, searched.weights_of(best), validation, F1)
    assert again["score"] == pytest.approx(best.observed, abs=1e-6)
    assert evaluate(best.architecture, searched.weights_of(best), validation)["score"] != again["score"]


def test_what_lies_behind_it_is_kept_with_the_weights_and_shown(searched):
    best = searched.best()
    found = searched.breakdown(best)
    assert sum(int(row[1]) for row in found.rows) == 288
    assert "Confusion matrix" in searched.report()
    files = front_files(best, found)
    assert files["confusion.csv"].startswith(b"class,images,recognized,precision,most often taken for\n")
    assert files["confusion.svg"] == found.drawing.encode()
    assert {int(path.stem) for path in searched.folder.evidence(0).parent.glob("*.npz")} == (
        searched.folder.kept_weights()
    )


def test_evidence_that_is_gone_or_damaged_is_no_riddle(searched):
    best = searched.best()
    path = searched.folder.evidence(best.number)
    content = path.read_bytes()
    path.write_bytes(b"?")
    with pytest.raises(NasError, match=r"is damaged \(.*\); delete it, and it is left out of reports"):
        searched.breakdown(best)
    path.unlink()
    assert searched.breakdown(best) is None
    path.write_bytes(content)
