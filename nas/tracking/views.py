"""Saved views of MLflow's run page: what `nas ui` opens. Pure: states, nothing is sent.

MLflow documents none of this; the tests drive a browser through the installed version's page.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, final

from nas.objectives import COSTS, LATENCY
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


def search_views(search_id: str, name: str, axis: str) -> tuple[View, View, View]:
    """A search's views: all its trials, its front, and the front as a table.

    Args:
        search_id: hexadecimal, so nothing in a filter needs quoting.
        name: of the search, any text.
        axis: the cost against which accuracy is drawn; one of `nas.objectives.COSTS`.
    """
    everything = f"tags.`{SEARCH_ID}` = '{search_id}'"
    front = f"{everything} AND tags.`{PARETO}` = 'true'"
    rank, cost = _metric(RANK), _metric(axis)
    all_trials, on_front = _sections(axis)
    return (
        _view(search_id, f"{name}: all trials", "CHART", filter=everything, order=rank, sections=all_trials),
        _view(search_id, f"{name}: Pareto front", "CHART", filter=front, order=cost, sections=on_front),
        _view(search_id, f"{name}: front table", "TABLE", filter=front, order=cost, sections=on_front),
    )


def comparison_view(names: Sequence[str], run_ids: Sequence[str], axis: str) -> View:
    """Several searches' fronts in one chart, each in its search's color, and their progress.

    Args:
        names: of the searches.
        run_ids: the searches' own runs and those of their fronts.
        axis: the cost against which accuracy is drawn; one of `nas.objectives.COSTS`.
    """
    chosen = ", ".join(f"'{run_id}'" for run_id in run_ids)
    return _view(
        hashlib.blake2b("\n".join(sorted(names)).encode(), digest_size=16).hexdigest(),
        f"compare {', '.join(names)}",
        "CHART",
        filter=f"attributes.run_id IN ({chosen})",
        order=_metric(axis),
        sections=(("Fronts, one color a search", 1, 500, (_log_scatter(axis),)), _PROGRESS),
        columns=(_tag("nas.search"), *_COLUMNS),
    )


def _metric(name: str) -> str:
    return f"metrics.`{name}`"


def _tag(name: str) -> str:
    return f"tags.`{name}`"


_COLUMNS = (
    _metric("parameters"),
    _metric("val_accuracy"),
    _metric("test_accuracy"),
    _metric("macs"),
    _metric(LATENCY),
    _metric("depth"),
    "params.`architecture`",
    "params.`head`",
)

_Card = dict[str, Any]
_Section = tuple[str, int, int, tuple[_Card, ...]]
"""Title, columns, height of a card in pixels, cards."""


def _scatter(x: str, title: str) -> _Card:
    axes = {"xaxis": {"key": x, "type": "METRIC"}, "yaxis": {"key": "val_accuracy", "type": "METRIC"}}
    return {"type": "SCATTER", "displayName": title, "runsCountToCompare": 1000, **axes}


def _log_scatter(axis: str) -> _Card:
    return _scatter(log_metric(axis), f"val_accuracy against log10({axis})")


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


def _parallel(axis: str) -> _Card:
    return {
        "type": "PARALLEL",
        "displayName": "Choices, and what became of them",
        "runsCountToCompare": 1000,
        "selectedParams": ["head"],
        "selectedMetrics": ["depth", "max_channels", log_metric(axis), "val_accuracy"],
        "showAllRuns": False,
    }


_PROGRESS: _Section = (
    "Progress of the search, by trial",
    3,
    280,
    (
        _line("hypervolume", "Hypervolume of the front"),
        _line("best_val_accuracy", "Best validation accuracy"),
        _line("front_size", "Trials on the front"),
    ),
)
_CURVES: _Section = ("Learning curves, by epoch", 1, 400, (_line("epoch/val_accuracy", "Validation accuracy"),))


def _sections(axis: str) -> tuple[tuple[_Section, ...], tuple[_Section, ...]]:
    """Of the page of all trials, and of the front's."""
    linear = _scatter(axis, f"val_accuracy against {axis}")
    on_linear_axis: _Section = (f"{COSTS[axis][:1].upper()}{COSTS[axis][1:]} on a linear axis", 1, 500, (linear,))
    return (
        (
            (f"Accuracy against {COSTS[axis]}, the Pareto front in color", 1, 500, (_log_scatter(axis),)),
            _PROGRESS,
            ("Main choices", 1, 400, (_parallel(axis),)),
            on_linear_axis,
            _CURVES,
        ),
        (("The Pareto front alone", 1, 500, (_log_scatter(axis),)), on_linear_axis, _CURVES),
    )


QUIETED = (
    "val_accuracy",
    "val_loss",
    "accuracy",
    "loss",
    "epochs",
    *COSTS,
    *(log_metric(name) for name in COSTS),
    "depth",
    "max_channels",
    "train_seconds",
    "full_trials",
    "hypervolume",
    "best_val_accuracy",
    "front_size",
    "test_accuracy",
    "test_accuracy_std",
    "test_seeds",
    "final_val_accuracy",
    RANK,
    "epoch/accuracy",
    "epoch/loss",
    "epoch/val_accuracy",
    "epoch/val_loss",
)
"""Metrics for which the page would make charts of its own below ours."""


def _view(
    seed: str,
    name: str,
    mode: Literal["CHART", "TABLE"],
    *,
    filter: str,
    order: str,
    sections: tuple[_Section, ...],
    columns: tuple[str, ...] = _COLUMNS,
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
        for metric in QUIETED
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
        "selectedColumns": list(columns),
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
