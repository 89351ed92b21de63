"""The front as rows, for the terminal, for files and for other programs. Pure: no MLflow in here."""

from __future__ import annotations

import csv
import html
import io
import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from nas.objectives import COSTS, shown_costs
from nas.quantity import short_count
from nas.recipe import differing, keys, short, text
from nas.results.noise import explained_by_noise

if TYPE_CHECKING:
    from nas.objectives import Cost, Objectives, Score
    from nas.results.pareto import ParetoFront
    from nas.results.trial import TrialRecord


def front_rows(front: ParetoFront[TrialRecord], score: Score) -> list[dict[str, Any]]:
    """One row a point, in the front's order; `None` where a number was not measured or is not finite."""
    twin = _twin(front, score)
    scores = ("expected_score", "val_score", *twin, "val_loss", "test_score", "test_score_std")
    taught = ("taught_test_score", "taught_test_score_std") if any(record.taught for record in front) else ()
    noise = explained_by_noise(front)
    chosen = keys(record.recipe for record in front)
    rows = (
        {
            "trial": record.number,
            "architecture": record.architecture.describe(),
            "architecture_id": record.architecture.id,
            **{key: record.recipe.get(key) for key in chosen},
            **{cost.name: record.cost(cost) if record.has_cost(cost) else None for cost in COSTS.values()},
            **score.spelled_keys({name: record.metrics.get(name) for name in scores}),
            **score.spelled_keys({name: record.metrics.get(name) for name in taught}),
            "explained_by_noise": record.number in noise if len(record.finals) else None,
            "train_seconds": record.duration_seconds,
        }
        for record in front
    )
    return [{k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in row.items()} for row in rows]


def trial_rows(trials: Sequence[TrialRecord], front: ParetoFront[TrialRecord], score: Score) -> list[dict[str, Any]]:
    """One row a trial, in their order, with every metric and choice that one of them has."""
    on_front = {point.number for point in front}
    costs = [cost for cost in COSTS.values() if any(trial.has_cost(cost) for trial in trials)]
    chosen = keys(trial.recipe for trial in trials)
    return [
        {
            "trial": trial.number,
            "status": str(trial.status),
            **{cost.name: trial.cost(cost) if trial.has_cost(cost) else None for cost in costs},
            **score.spelled_keys({name: value for name, value in trial.metrics.items() if name not in COSTS}),
            "on_front": trial.number in on_front,
            "duration_seconds": trial.duration_seconds,
            **{key: trial.recipe.get(key) for key in chosen},
            "architecture": trial.architecture.describe(),
        }
        for trial in trials
    ]


def front_document(
    front: ParetoFront[TrialRecord], objectives: Objectives, *, search: str, hypervolume: float | None
) -> dict[str, Any]:
    """What `nas front --format json` prints: the rows, each with its whole architecture as `specification`."""
    return {
        "search": search,
        "objectives": objectives.directions(),
        "hypervolume": hypervolume,
        "points": [
            row | {"specification": json.loads(record.architecture.to_json())}
            for row, record in zip(front_rows(front, objectives.score), front, strict=True)
        ],
    }


def rows_csv(rows: Sequence[Mapping[str, Any]]) -> str:
    """Rows of the same keys as text, with a header line; an unmeasured number is an empty cell."""
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(rows[0]) if rows else ["trial"], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def front_markdown(
    front: ParetoFront[TrialRecord], score: Score, links: Mapping[int, str], *, limit: int = 4_500, rows: int = 25
) -> str:
    """The rows as a markdown table, the best first.

    Test scores have a column of their own where there are any, with what they are: a mean over training runs.

    Args:
        front: of the search.
        score: what it maximizes.
        links: address by trial number.
        limit: most characters.
        rows: most rows, because longer tables are slow in MLflow.
    """
    points = sorted(front, key=lambda point: -point.score)
    shown = table_costs(points, front.costs)
    columns = [*score_columns(points, score, "validation"), *recipe_columns(points)]
    names = (*(cost.heading for cost in shown), *(name for name, _ in columns))
    headings = "".join(f" {name} |" for name in names)
    text = f"| trial |{headings} architecture |\n"
    text += f"|---|{'---:|' * (len(shown) + len(columns))}---|\n"
    for number, point in enumerate(points):
        trial = f"[{point.number}]({links[point.number]})" if point.number in links else f"{point.number}"
        architecture = point.architecture.describe().replace("|", "\\|")
        costs = "".join(f" {cost.text(point.cost(cost))} |" for cost in shown)
        scores = "".join(f" {cell(point)} |" for _, cell in columns)
        row = f"| {trial} |{costs}{scores} {architecture} |\n"
        if len(text) + len(row) > limit - 60 or number == rows:
            return f"{text}\n{len(points) - number:,} more are in front.csv.\n"
        text += row
    return text


def front_html_table(front: ParetoFront[TrialRecord], score: Score) -> str:
    """The rows as an HTML table, for notebooks."""
    shown = table_costs(front, front.costs)
    columns = [*score_columns(front, score, "validation"), *recipe_columns(front)]
    headings = ["trial", *(cost.heading for cost in shown), *(name for name, _ in columns), "architecture"]
    rows = [
        [
            f"{point.number}",
            *(cost.text(point.cost(cost)) for cost in shown),
            *(cell(point) for _, cell in columns),
            point.architecture.describe(),
        ]
        for point in front
    ]

    def row(cells: Sequence[str], tag: str) -> str:
        return f"<tr>{''.join(f'<{tag}>{html.escape(cell)}</{tag}>' for cell in cells)}</tr>"

    return (
        f"<table><thead>{row(headings, 'th')}</thead><tbody>{''.join(row(each, 'td') for each in rows)}</tbody></table>"
    )


def recipe_columns(points: Iterable[TrialRecord]) -> list[tuple[str, Callable[[TrialRecord], str]]]:
    """A column for each choice in which trials differ: heading, and what stands below it."""

    def cells(key: str) -> Callable[[TrialRecord], str]:
        return lambda point: text(point.recipe[key]) if key in point.recipe else ""

    return [(short(key), cells(key)) for key in differing(point.recipe for point in points)]


def table_costs(points: Iterable[TrialRecord], costs: Iterable[Cost]) -> tuple[Cost, ...]:
    """The costs that a table of trials has a column for: what the search is after, and what all were measured for."""
    points = tuple(points)
    measured = (cost for cost in COSTS.values() if cost.measured and all(point.has_cost(cost) for point in points))
    return shown_costs((*costs, *(measured if points else ())))


def score_columns(
    points: Iterable[TrialRecord], score: Score, validation: str
) -> list[tuple[str, Callable[[TrialRecord], str]]]:
    """The columns of scores that a table of trials has: heading, and what stands below it.

    What is expected comes first where there is any, then what was observed, beside it the score of the int8 file or of
    the trained network, whichever is not the search's own, then the score on the test images.

    Args:
        points: of the table.
        score: of the search.
        validation: how the heading spells that word.
    """
    points = tuple(points)
    expected: list[tuple[str, Callable[[TrialRecord], str]]] = [
        (f"expected {score.heading}", lambda point: score.text(point.score))
    ]
    twin: list[tuple[str, Callable[[TrialRecord], str]]] = [
        (f"{validation} {(score.trained or score.in_int8).heading}", partial(_of_twin, score=score, name=name))
        for name in _twin(points, score)
    ]
    test: list[tuple[str, Callable[[TrialRecord], str]]] = [
        (f"test {score.heading}", lambda point: point.test_text(score))
    ]
    taught: list[tuple[str, Callable[[TrialRecord], str]]] = [
        (f"test {score.heading}, taught", lambda point: point.taught_text(score))
    ]
    return [
        *expected * any(point.is_expected for point in points),
        (f"{validation} {score.heading}", lambda point: score.text(point.observed)),
        *twin,
        *test * any(point.is_tested for point in points),
        *taught * any(point.taught for point in points),
    ]


def _twin(points: Iterable[TrialRecord], score: Score) -> tuple[str, ...]:
    """The inner name of the other network's score, of the int8 file or the trained one, if there is any."""
    name = "int8_val_score" if score.trained is None else "trained_val_score"
    return (name,) if score.trained is not None or any(name in point.metrics for point in points) else ()


def _of_twin(point: TrialRecord, score: Score, name: str) -> str:
    return score.text(point.metrics[name]) if name in point.metrics else ""


def run_name(record: TrialRecord) -> str:
    """Number, size, and what it is made of, which a narrow column may cut: `017 - 8.4k - inception`."""
    shown = sorted(set(record.architecture.kinds[:-1]) - {"pool"}) or ["pool"]
    return f"{record.number:03d} - {short_count(record.parameters)} - {'+'.join(shown)}"[:200]


def costs_in_words(record: TrialRecord, objectives: Objectives) -> str:
    """For example: 7,466 parameters, 312,004 MACs."""
    return ", ".join(cost.words(record.cost(cost)) for cost in objectives.costs)
