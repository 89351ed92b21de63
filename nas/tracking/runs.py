"""What a trial looks like as an MLflow run. Pure: no MLflow in here."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from nas.errors import printable
from nas.objectives import COSTS, PARAMETERS, Cost, Score, log_cost
from nas.quantity import counted
from nas.recipe import text
from nas.reports.front_figures import DOMINATED_COLOR, FAILED_COLOR, FRONT_COLOR
from nas.reports.front_tables import rows_csv, run_name
from nas.reports.network_diagram import diagram
from nas.results.trial import TrialRecord, TrialStatus
from nas.tasks import Breakdown
from nas.tracking.search_note import plain

SEARCH_ID = "nas.search_id"
"""Tag of every run of a search: the search's own one and its trials."""
SEARCH = "nas.search"
"""Tag of the same runs: the search's name, which may change."""
ROLE = "nas.role"
"""Tag: `search` or `trial`."""
TRIAL = "nas.trial"
"""Tag: the trial's number. With `nas.search_id` it is the key under which a trial is written once."""
STOPPED = "stopped_early"
"""Tag: whether the trial ended at a rung, so that its score is not that of a full training."""
REFUSED = "refused"
"""Tag: whether the trial was over a limit that only a measurement shows, so that it was not trained."""
EPOCHS = "epochs"
"""Metric: how many were trained."""
INHERITED = "inherited_from"
"""Tag of a trial that did not start from random weights: the trial whose weights it started with."""
PARETO = "pareto_optimal"
RANK = "pareto_rank"
NOTE = "mlflow.note.content"
PARENT = "mlflow.parentRunId"
COLOR = "mlflow.runColor"
DRAWN = "nas.drawn"
"""Tag of a trial whose files, `front_files`, are there."""

_PARAM_LIMIT, _TAG_LIMIT = 500, 5_000


@dataclass(frozen=True, kw_only=True, slots=True)
class RunContent:
    """Everything that is written of one run, within MLflow's limits.

    Attributes:
        metrics: final values, finite, six digits.
        curves: (name, epoch from 1, value). Named `epoch/...`, because a run's metric is its last step while a trial
            is judged by its best epoch.
    """

    name: str
    status: str
    tags: Mapping[str, str]
    params: Mapping[str, str]
    metrics: Mapping[str, float]
    curves: tuple[tuple[str, int, float], ...] = ()


def trial_content(
    record: TrialRecord, *, search_id: str, score: Score, search: str = "", decided: Mapping[str, str] | None = None
) -> RunContent:
    """A trial's run, without what depends on the other trials: see `standing`.

    Args:
        record: of the trial.
        search_id: of the search.
        score: of the search.
        search: its name.
        decided: the decisions of the space that made the network, by their names.
    """
    architecture = record.architecture
    kinds = architecture.kinds[:-1]
    channels = max((t.output_shape[-1] for t in architecture.traces[:-1]), default=0)
    costs = {cost: record.cost(cost) for cost in COSTS.values() if record.has_cost(cost)}
    metrics: dict[str, float] = {
        # What is expected of it, once the search knows; the charts show it, so that a run has it from the start.
        **score.spelled_keys({"expected_score": record.score} if "val_score" in record.metrics else {}),
        **score.spelled_keys(record.metrics),
        **{cost.name: value for cost, value in costs.items()},
        "train_seconds": record.duration_seconds,
        # Numbers, because MLflow sorts parameters as text.
        "depth": len(kinds),
        "max_channels": channels,
        EPOCHS: len(record.curve),
        **{log_metric(cost): log_cost(value) / math.log(10) for cost, value in costs.items()},
    }
    tags = {
        SEARCH_ID: search_id,
        SEARCH: search,
        ROLE: "trial",
        NOTE: summary(record, score),
        TRIAL: str(record.number),
        STOPPED: str(record.status is TrialStatus.STOPPED).lower(),
        REFUSED: str(record.status is TrialStatus.REFUSED).lower(),
        "mlflow.source.name": "nas",
    }
    if record.parent is not None:
        tags[INHERITED] = str(record.parent)
    if record.status is TrialStatus.STOPPED:
        epochs = counted(len(record.curve), "epoch")
        tags[NOTE] += f"\n\n**Stopped early**, after {epochs}: its {score.heading} is not that of a full training."
    if record.status is TrialStatus.REFUSED:
        tags |= {"nas.reason": record.reason, NOTE: f"**Not trained:** {plain(record.reason)}"}
    if record.status is TrialStatus.FAILED:
        reason = record.reason or "no reason was recorded"
        # Indented code shows what it holds, and so each line of it is indented.
        log = "\n".join(f"    {line}" for line in printable(record.log)[-4_000:].splitlines()[-40:])
        tags |= {"nas.reason": reason, NOTE: f"**Failed:** {plain(reason)}" + (f"\n\n{log}" if log else "")}
    return RunContent(
        name=f"{run_name(record)} ({search})" if search else run_name(record),
        status="FAILED" if record.status is TrialStatus.FAILED else "FINISHED",
        tags=clipped(tags, _TAG_LIMIT),
        params=clipped(
            {
                "architecture": architecture.describe(),
                "architecture_id": architecture.id,
                "depth": str(len(kinds)),
                "kinds": ", ".join(sorted(set(kinds))),
                "max_channels": str(channels),
                "head": architecture.kinds[-1],
                **(decided or {}),
                **{key: text(value) for key, value in record.recipe.items()},
            },
            _PARAM_LIMIT,
        ),
        metrics=tidied(metrics),
        curves=tuple(_curve_points(record, score)),
    )


def summary(record: TrialRecord, score: Score) -> str:
    """The first line of a trial's description, which charts show where the mouse points."""
    known = "val_score" in record.metrics
    scored = f", {score.text(record.score)} {score.heading}" if known else ""
    return f"{PARAMETERS.words(record.parameters)}{scored}: {record.in_words}"


def is_ours(note: str, record: TrialRecord) -> bool:
    """Whether a trial's description is one of these, and none that a user has written."""
    begins = (f"{PARAMETERS.words(record.parameters)}", "[The search](", "**Stopped", "**Not trained:**", "**Failed:**")
    return not note or note.startswith(begins)


def trial_files(record: TrialRecord) -> dict[str, bytes]:
    """What every trial has beside its numbers: its network, to read."""
    return {"architecture.json": record.architecture.to_json().encode()}


def front_files(record: TrialRecord, behind: Breakdown | None = None) -> dict[str, bytes]:
    """What a trial on the front has: its network, to read and to look at, and what lies behind its score."""
    drawing = diagram(record.architecture, f"trial {record.number}").svg()
    files = trial_files(record) | {"architecture.svg": drawing.encode()}
    if behind is not None:
        table = rows_csv([dict(zip(behind.headings, row, strict=True)) for row in behind.rows])
        files |= {f"{behind.name}.svg": behind.drawing.encode(), f"{behind.name}.csv": table.encode()}
        files |= {"predictions.svg": behind.predictions.encode()} if behind.predictions else {}
    return files


def front_note(
    record: TrialRecord, experiment_id: str, parent_id: str, run_id: str, *, score: Score, predicted: bool = False
) -> str:
    """The description of a trial on the front: itself, the way back to its search, final numbers, its network drawn.

    With `predicted`, what it answers to some images comes first.
    """
    page = f"#/experiments/{experiment_id}/runs/{parent_id}?workflowType=machine_learning"
    parts = [summary(record, score), f"[The search]({page})"]
    if record.finals:
        parts.append(
            f"**Final stage:** test {score.heading} {record.test_text(score)}. The network was trained again from "
            "scratch with other seeds than this run's, and the test images influenced no choice."
        )
    if record.taught:
        who = plain(record.taught[0].teacher)
        parts.append(f"**With a teacher** ({who}): test {score.heading} {record.taught_text(score)}.")
    if predicted:
        parts.append(f"![Its predictions](get-artifact?path=predictions.svg&run_uuid={run_id})")
    parts.append(f"![The network, drawn](get-artifact?path=architecture.svg&run_uuid={run_id})")
    return "\n\n".join(parts)


def standing(
    record: TrialRecord, rank: int | None, *, front_color: str = FRONT_COLOR
) -> tuple[dict[str, str], dict[str, float]]:
    """Tags and metrics that change as other trials finish: front membership, its color, the Pareto rank."""
    if rank is None:
        untrained = record.status in (TrialStatus.FAILED, TrialStatus.REFUSED)
        color = FAILED_COLOR if untrained else DOMINATED_COLOR
        return {PARETO: "false", COLOR: color}, {}
    color = DOMINATED_COLOR if rank else front_color
    return {PARETO: str(rank == 0).lower(), COLOR: color}, {RANK: float(rank)}


def log_metric(cost: Cost) -> str:
    """Name of the metric with a cost's logarithm, because MLflow's charts have no logarithmic axes."""
    return f"log10_{cost.name}"


def tidied(metrics: Mapping[str, float]) -> dict[str, float]:
    """Finite values of six digits (whole numbers untouched) under names that MLflow accepts.

    MLflow would store infinity as 1.8e308, and its table shows every digit.
    """
    return {
        _metric_name(name): value if isinstance(value, int) else float(f"{value:.6g}")
        for name, value in metrics.items()
        if math.isfinite(value)
    }


def clipped(values: Mapping[str, str], limit: int = _TAG_LIMIT) -> dict[str, str]:
    """Values no longer than MLflow stores; a cut one ends in an ellipsis."""
    return {k: v if len(v) <= limit else v[: limit - 3] + "..." for k, v in values.items()}


def _curve_points(record: TrialRecord, score: Score) -> Iterator[tuple[str, int, float]]:
    for name, values in score.in_training.spelled_keys(record.curves).items():
        for epoch, value in enumerate(values, start=1):
            if math.isfinite(value):
                yield f"epoch/{_metric_name(name)}", epoch, float(f"{value:.6g}")


def _metric_name(name: str) -> str:
    return re.sub(r"[^\w./ -]", "_", name)
