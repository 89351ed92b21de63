"""Saved views of MLflow's run page: what `nas ui` opens. Pure: states, nothing is sent.

MLflow documents none of this; the tests drive a browser through the installed version's page.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, final

from nas.objectives import COSTS, Cost, Objectives, Score, shown_costs
from nas.tracking.runs import PARETO, RANK, SEARCH_ID, log_metric

TAG = "mlflow.sharedViewState."
"""Prefix of an experiment's tag that holds a view; the view's key follows."""


@final
@dataclass(frozen=True, kw_only=True, slots=True)
class View:
    """One arrangement of the run page.

    Attributes:
        key: under which the page finds it; equal for equal searches, so that publishing again replaces it.
        name: in the page's menu of views.
        mode: charts, or the table.
        state: what the page restores. Older pages crash over a missing field, so every one is given.
    """

    key: str
    name: str
    mode: Literal["CHART", "TABLE"]
    state: Mapping[str, Any]

    @property
    def tag(self) -> str:
        return f"{TAG}{self.key}"

    @property
    def label(self) -> str:
        """The name without the search's: "All trials"."""
        label = self.name.rpartition(": ")[2]
        return label[:1].upper() + label[1:]


def search_views(
    search_id: str, name: str, objectives: Objectives, choices: Sequence[str] = ()
) -> tuple[View, View, View]:
    """A search's views: all its trials, its front, and the front as a table.

    Args:
        search_id: hexadecimal, so nothing in a filter needs quoting.
        name: of the search, any text.
        objectives: of the search; its score is drawn against its first cost.
        choices: parameters of trials that the chart of decisions has axes for, at most `_AXES` of them.
    """
    everything = f"tags.`{SEARCH_ID}` = '{search_id}'"
    front = f"{everything} AND tags.`{PARETO}` = 'true'"
    axis, score = objectives.axis, objectives.score
    rank, cost = _metric(RANK), _metric(axis.name)
    all_trials, on_front = _sections(axis, score, choices)
    names = f"{name}: all trials", f"{name}: Pareto front", f"{name}: front table"
    return (
        _view(
            search_id,
            names[0],
            "CHART",
            score,
            filter=everything,
            order=rank,
            sections=all_trials,
            columns=(_DATASET, *_columns(score)),
        ),
        _view(search_id, names[1], "CHART", score, filter=front, order=cost, sections=on_front),
        _view(search_id, names[2], "TABLE", score, filter=front, order=cost, sections=on_front),
    )


def comparison_view(names: Sequence[str], run_ids: Sequence[str], objectives: Objectives) -> View:
    """Several searches' fronts in one chart, each in its search's color, and their progress.

    Args:
        names: of the searches.
        run_ids: the searches' own runs and those of their fronts.
        objectives: of all of them; their score is drawn against their first cost.
    """
    axis, score = objectives.axis, objectives.score
    chosen = ", ".join(f"'{run_id}'" for run_id in run_ids)
    return _view(
        hashlib.blake2b("\n".join(sorted(names)).encode(), digest_size=16).hexdigest(),
        f"compare {', '.join(names)}",
        "CHART",
        score,
        filter=f"attributes.run_id IN ({chosen})",
        order=_metric(axis.name),
        sections=(("Fronts, one color a search", 1, 500, (_log_scatter(axis, score),)), _progress(score)),
        columns=(_tag("nas.search"), *_columns(score)),
    )


def _metric(name: str) -> str:
    return f"metrics.`{name}`"


def _tag(name: str) -> str:
    return f"tags.`{name}`"


_DATASET = "attributes.`Dataset`"
"""The column of a run's inputs."""


def _columns(score: Score) -> tuple[str, ...]:
    first, *others = (cost.name for cost in shown_costs(cost for cost in COSTS.values() if cost.measured))
    scores = (score.spelled(name) for name in ("expected_score", "val_score", "test_score"))
    return *map(_metric, (first, *scores, *others, "depth")), "params.`architecture`", "params.`head`"


_Card = dict[str, Any]
_Section = tuple[str, int, int, tuple[_Card, ...]]
"""Title, columns, height of a card in pixels, cards."""


def _scatter(x: str, x_title: str, score: Score) -> _Card:
    y = score.spelled("expected_score")
    axes = {"xaxis": {"key": x, "type": "METRIC"}, "yaxis": {"key": y, "type": "METRIC"}}
    return {"type": "SCATTER", "displayName": f"{y} against {x_title}", "runsCountToCompare": 1000, **axes}


def _log_scatter(axis: Cost, score: Score) -> _Card:
    return _scatter(log_metric(axis), f"log10({axis.name})", score)


def _line(metric: str, title: str) -> _Card:
    return {
        "type": "LINE",
        "displayName": title,
        "runsCountToCompare": 1000,
        "metricKey": metric,
        "selectedMetricKeys": [metric],
        "xAxisKey": "step",
        "selectedXAxisMetricKey": "",
        "xAxisScaleType": "linear",
        "scaleType": "linear",
        "lineSmoothness": 0,
        "range": {},
        "yAxisKey": "metric",
        "yAxisExpressions": [],
        "ignoreOutliers": False,
        "useGlobalXaxisKey": False,
        "useGlobalLineSmoothing": True,
    }


_AXES = 8
"""Decisions in one chart; more are not legible."""


def _parallel(axis: Cost, score: Score, choices: Sequence[str]) -> _Card:
    shown = score.spelled("val_score")
    return {
        "type": "PARALLEL",
        "displayName": "Decisions, and what became of them",
        "runsCountToCompare": 1000,
        "selectedParams": list(choices[:_AXES]) or ["head"],
        "selectedMetrics": [*(() if choices else ("depth", "max_channels")), log_metric(axis), shown],
        "showAllRuns": False,
    }


def _progress(score: Score) -> _Section:
    lines = (
        _line("hypervolume", "Hypervolume of the front"),
        _line(score.spelled("best_val_score"), f"Best validation {score.heading}"),
        _line("front_size", "Trials on the front"),
    )
    return "Progress of the search, by trial", 3, 280, lines


def _sections(axis: Cost, score: Score, choices: Sequence[str]) -> tuple[tuple[_Section, ...], tuple[_Section, ...]]:
    """Of the page of all trials, and of the front's."""
    front, linear = _log_scatter(axis, score), _scatter(axis.name, axis.name, score)
    on_linear_axis: _Section = (f"{_capitalized(axis.heading)} on a linear axis", 1, 500, (linear,))
    curve = _line(f"epoch/{score.in_training.objective}", f"Validation {score.in_training.heading}")
    curves: _Section = ("Learning curves, by epoch", 1, 400, (curve,))
    against = f"{_capitalized(score.heading)} against {axis.heading}"
    return (
        (
            (f"{against}, the Pareto front in color", 1, 500, (front,)),
            _progress(score),
            ("Decisions, and what became of them", 1, 400, (_parallel(axis, score, choices),)),
            on_linear_axis,
            curves,
        ),
        (("The Pareto front alone", 1, 500, (front,)), on_linear_axis, curves),
    )


def _capitalized(heading: str) -> str:
    """As a title begins; what has capitals, such as MACs, keeps them."""
    return f"{heading[:1].upper()}{heading[1:]}" if heading.islower() else heading


def quieted(score: Score) -> tuple[str, ...]:
    """Metrics for which the page would make charts of its own below ours."""
    trained = [score.spelled(name) for name in ("expected_score", "val_score", "val_loss", "score", "loss")]
    trained.append((score.trained or score.in_int8).objective)
    final = ("test_score", "test_score_std", "test_seeds", "final_val_score")
    return (
        *trained,
        "epochs",
        *COSTS,
        *map(log_metric, COSTS.values()),
        "depth",
        "max_channels",
        "train_seconds",
        "active_seconds",
        "full_trials",
        "hypervolume",
        score.spelled("best_val_score"),
        "front_size",
        *map(score.spelled, final),
        RANK,
        *(f"epoch/{name}" for name in sorted(trained)),
    )


def _view(
    seed: str,
    name: str,
    mode: Literal["CHART", "TABLE"],
    score: Score,
    *,
    filter: str,
    order: str,
    sections: tuple[_Section, ...],
    columns: tuple[str, ...] | None = None,
) -> View:
    cards: list[_Card] = []
    laid_out = []
    for number, (title, across, height, inside) in enumerate(sections):
        section = _identity(seed, name, number)
        laid_out.append(
            {
                "uuid": section,
                "name": title,
                "display": True,
                "isReordered": True,
                "deleted": False,
                "isGenerated": False,
                "columns": across,
                "cardHeight": height,
            }
        )
        for place, card in enumerate(inside):
            identity = {"uuid": _identity(seed, name, number, place), "metricSectionId": section}
            cards.append({**card, **identity, "deleted": False, "isGenerated": False})
    shown = {card["metricKey"] for card in cards if "metricKey" in card}
    cards += [
        {
            "type": "BAR",
            "uuid": _identity(seed, name, metric),
            "metricSectionId": laid_out[0]["uuid"],
            "metricKey": metric,
            "runsCountToCompare": 1000,
            "deleted": True,
            "isGenerated": False,
        }
        for metric in quieted(score)
        if metric not in shown
    ]
    state = {
        "searchFilter": filter,
        "orderByKey": order,
        "orderByAsc": True,
        "startTime": "ALL",
        "lifecycleFilter": "Active",
        "modelVersionFilter": "All Runs",
        "datasetsFilter": [],
        "selectedColumns": list(columns or _columns(score)),
        "columnOrder": [],
        "columnWidths": {},
        "runsExpanded": {},
        "runsPinned": [],
        "runsHidden": [],
        "runsVisibilityMap": {},
        "runsHiddenMode": "SHOW_ALL",
        "compareRunCharts": cards,
        "compareRunSections": laid_out,
        "isAccordionReordered": True,
        "viewMaximized": False,
        "runListHidden": False,
        "groupBy": None,
        "groupsExpanded": {},
        "autoRefreshEnabled": True,
        "useGroupedValuesInCharts": True,
        "hideEmptyCharts": True,
        "globalLineChartConfig": {"xAxisKey": "step", "lineSmoothness": 0, "selectedXAxisMetricKey": ""},
    }
    return View(key=_identity(seed, name), name=name, mode=mode, state=state)


def _identity(*parts: object) -> str:
    """The same for the same parts, so that a view that is published again is not a change."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, "nas/" + "/".join(map(str, parts))))
