from __future__ import annotations

import csv
import io
import json
import math

from nas.objectives import Score
from nas.reports.front_tables import front_document, front_markdown, front_rows, rows_csv
from nas.results.pareto import ParetoFront
from tests.tracking.examples import OBJECTIVES, SCORE, failed, random_trials, trial

FRONT = ParetoFront.of(
    [
        trial(3, 0.8, filters=4, metrics={"val_score": 0.8, "val_loss": math.nan}),
        failed(4),
        trial(5, 0.9, filters=16, metrics={"val_score": 0.9, "test_score": 0.875}),
    ]
)


def test_rows_by_hand():
    small, large = front_rows(FRONT, SCORE)
    assert (small["trial"], large["trial"]) == (3, 5)
    assert large == {
        "trial": 5,
        "architecture": "conv3-16, max2, conv1-8, global_pool",
        "architecture_id": FRONT.points[1].architecture.id,
        "parameters": 458,
        "macs": 64 * 9 * 16 + 16 * 16 * 8 + 80,
        "activation_bytes": 4 * (64 * 16 + 16 * 16),
        "latency_ms": None,
        "ram_bytes": None,
        "flash_bytes": None,
        "expected_accuracy": None,
        "val_accuracy": 0.9,
        "val_loss": None,
        "test_accuracy": 0.875,
        "test_accuracy_std": None,
        "explained_by_noise": None,
        "train_seconds": 1.5,
    }
    assert small["val_loss"] is None


def test_rows_spell_the_score():
    rows = front_rows(FRONT, Score(name="miou", heading="mIoU"))
    assert (rows[1]["val_miou"], rows[1]["test_miou"], rows[1]["test_miou_std"]) == (0.9, 0.875, None)


def test_json_keeps_the_contract_and_is_strict():
    document = front_document(FRONT, OBJECTIVES, search="a", hypervolume=0.5)
    assert json.loads(json.dumps(document, allow_nan=False)) == document
    assert document.keys() == {"search", "objectives", "hypervolume", "points"}
    assert document["points"][1]["specification"] == FRONT.points[1].architecture.to_dict()


def test_csv_reads_back():
    rows = list(csv.DictReader(io.StringIO(rows_csv(front_rows(FRONT, SCORE)))))
    assert [(r["trial"], r["val_accuracy"], r["test_accuracy"]) for r in rows] == [
        ("3", "0.8", ""),
        ("5", "0.9", "0.875"),
    ]
    assert rows_csv(front_rows(ParetoFront(), SCORE)) == "trial\n"


def test_markdown_links_and_starts_with_the_best():
    lines = front_markdown(FRONT, SCORE, {5: "#/run"}).splitlines()
    assert lines[2].startswith("| [5](#/run) | 458 | ")
    assert lines[3].startswith("| 3 | ")


def test_markdown_stops_at_a_whole_row():
    front = ParetoFront.of(random_trials(200))
    text = front_markdown(front, SCORE, {}, limit=600)
    assert len(text) <= 600
    shown = text.count("\n| ") - 0
    assert text.endswith(f"\n{len(front) - shown} more are in front.csv.\n")
