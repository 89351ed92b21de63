from __future__ import annotations

import math
from dataclasses import replace

from nas.objectives import Score
from nas.results.trial import TrialStatus
from nas.tracking.runs import NOTE, clipped, standing, tidied, trial_content
from tests.tracking.examples import SCORE, failed, trial


def test_name_says_number_kinds_and_size():
    content = trial_content(trial(17, 0.9), search_id="s", score=SCORE)
    assert content.name == "017 - 458 - conv"
    assert (content.status, trial_content(failed(1), search_id="s", score=SCORE).status) == ("FINISHED", "FAILED")


def test_the_first_line_of_a_description_says_what_a_chart_shall_show():
    record = trial(17, 0.9)
    assert trial_content(record, search_id="s", score=SCORE).tags[NOTE] == (
        "458 parameters, 90.00% accuracy: conv3-16, max2, conv1-8, global_pool"
    )
    stopped = replace(record, status=TrialStatus.STOPPED)
    first, _, second = trial_content(stopped, search_id="s", score=SCORE).tags[NOTE].splitlines()
    assert first.startswith("458 parameters, 90.00% accuracy: ")
    assert second.startswith("**Stopped early**, after ")


def test_metrics_are_finite_and_short():
    metrics = {
        "val_accuracy": 0.123456789,
        "val_loss": math.inf,
        "f1 (macro)": math.nan,
        "parameters": 12345678,
    }
    assert tidied(metrics) == {"val_accuracy": 0.123457, "parameters": 12345678}
    assert tidied({"a:b(c)": 1.0}) == {"a_b_c_": 1.0}


def test_curves_count_epochs_from_one_and_leave_out_what_is_not_finite():
    record = trial(0, 0.9, curves={"loss": (2.0, math.nan, 1.0)})
    assert trial_content(record, search_id="s", score=SCORE).curves == (("epoch/loss", 1, 2.0), ("epoch/loss", 3, 1.0))


def test_a_reason_longer_than_a_tag_is_cut():
    tags = trial_content(failed(0, "x" * 9_000), search_id="s", score=SCORE).tags
    assert len(tags["nas.reason"]) == 5_000
    assert tags["nas.reason"].endswith("x...")
    assert clipped({"a": "12345"}, 5) == {"a": "12345"}


def test_standing():
    front, _ = standing(trial(0, 0.9), 0)
    dominated, metrics = standing(trial(0, 0.9), 3)
    broken, none = standing(failed(0), None)
    assert [t["pareto_optimal"] for t in (front, dominated, broken)] == ["true", "false", "false"]
    assert len({t["mlflow.runColor"] for t in (front, dominated, broken)}) == 3
    assert (metrics, none) == ({"pareto_rank": 3.0}, {})


def test_scores_are_spelled_and_costs_have_logarithms():
    miou = Score(name="miou", heading="mIoU")
    record = trial(0, 0.5, metrics={"val_score": 0.5, "val_loss": 0.7, "latency_ms": 0.1}, curves={"val_score": (0.5,)})
    content = trial_content(record, search_id="s", score=miou)
    numbers = {"parameters", "macs", "activation_bytes", "latency_ms"}
    expected = {"expected_miou", "val_miou", "val_loss", "train_seconds", "depth", "max_channels", "epochs", *numbers}
    assert content.metrics.keys() == expected | {f"log10_{name}" for name in numbers}
    # Until more is known, what was observed is expected.
    assert content.metrics["expected_miou"] == content.metrics["val_miou"] == 0.5
    believed = replace(record, metrics={**record.metrics, "expected_score": 0.4})
    content = trial_content(believed, search_id="s", score=miou)
    assert (content.metrics["expected_miou"], content.metrics["val_miou"]) == (0.4, 0.5)
    assert content.metrics["log10_latency_ms"] == -1
    assert content.curves == (("epoch/val_miou", 1, 0.5),)


def test_the_note_of_a_trial_that_failed_holds_no_markup_of_its_own():
    reason, log = "<script>alert(1)</script> [x](javascript:1)", "<b>" * 2_000 + "\n<img src=x>\x1b[31m"
    record = failed(3, reason)
    content = trial_content(replace(record, log=log), search_id="s", score=SCORE)
    first, code = content.tags[NOTE].split("\n\n")
    assert first == r"**Failed:** \<script\>alert(1)\</script\> \[x\](javascript:1)"
    assert all(line.startswith("    ") for line in code.splitlines())
    assert code.endswith(r"<img src=x>\x1b[31m")
    refused = replace(record, status=TrialStatus.REFUSED)
    assert trial_content(refused, search_id="s", score=SCORE).tags[NOTE].startswith(r"**Not trained:** \<script\>")
