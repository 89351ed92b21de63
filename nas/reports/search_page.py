"""A search as one HTML file without scripts: for phones, in the dark, for screen readers, without a network. Pure."""

from __future__ import annotations

import base64
import html
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from nas import __version__
from nas.objectives import DEFAULT_COSTS, shown_costs
from nas.quantity import counted, short_count
from nas.reports.effects_chart import HEADINGS, NOTE, effect_rows, effects_svg
from nas.reports.front_tables import recipe_columns, score_columns, table_costs
from nas.reports.network_diagram import diagram
from nas.reports.page_charts import NARROW, WIDE, line_svg, plain_tick, said, scatter_svg
from nas.reports.page_style import STYLE
from nas.results.noise import explained_by_noise, left_out, without_noise
from nas.results.pareto import ParetoFront, hypervolume
from nas.results.trial import TrialRecord, TrialStatus, incomplete

if TYPE_CHECKING:
    from nas.objectives import Cost, Objectives, Score
    from nas.reports import Story
    from nas.results.effects import Effect
    from nas.tasks import Breakdown

DRAWN = 30
"""Networks that are drawn; a file with hundreds of pictures opens slowly on a phone."""
LISTED = 1_000
"""Trials in the table of all."""
BETWEEN = "\u00a0· "
"""Between facts in one line: no line begins with the dot."""


def nothing_behind(record: TrialRecord) -> Breakdown | None:
    """No more than a score."""
    del record
    return None


def report_html(
    records: Sequence[TrialRecord],
    *,
    name: str,
    story: Story,
    objectives: Objectives,
    finished: bool,
    breakdown: Callable[[TrialRecord], Breakdown | None] = nothing_behind,
    effects: Sequence[Effect] = (),
) -> str:
    """The page.

    Args:
        records: ended trials in the order in which they ended.
        name: of the search.
        story: how it came about.
        objectives: of the search.
        finished: whether no more trials are to come.
        breakdown: what lies behind the score of a trial on the front.
        effects: of the decisions, the largest first.
    """
    front = ParetoFront.of(records, objectives.costs)
    parts = [
        _head(name),
        '<body>\n<a class="skip" href="#front">Skip to the front</a>',
        _header(name, records, front, story, objectives, effects, finished=finished),
        "<main>",
        _front(records, front, objectives),
        _progress(records, objectives),
        _decides(effects, objectives.score),
        _networks(front, objectives, breakdown),
        _trials(records, front, objectives),
        _made(story),
        "</main>",
        f"<footer><p>Written by nas {html.escape(__version__)}. This page works offline.</p></footer>",
        "</body>\n</html>\n",
    ]
    return "\n".join(part for part in parts if part)


def _head(name: str) -> str:
    # The policy makes the browser itself keep the promise that nothing is fetched.
    policy = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<link rel="icon" href="data:image/gif;base64,R0lGODlhAQABAAAAACH5BAEKAAEALAAAAAABAAEAAAICTAEAOw==">\n'
        f"<title>{html.escape(name)}: architecture search</title>\n<style>{STYLE}</style>\n</head>"
    )


def _header(
    name: str,
    records: Sequence[TrialRecord],
    front: ParetoFront[TrialRecord],
    story: Story,
    objectives: Objectives,
    effects: Sequence[Effect],
    *,
    finished: bool,
) -> str:
    score, others = objectives.score, incomplete(records)
    numbers = {"Trials": f"{len(records):,}{f', {others}' if others else ''}"}
    kept = without_noise(front)
    by_noise = f", {len(front) - len(kept):,} explained by noise" if len(kept) < len(front) else ""
    numbers["On the Pareto front"] = f"{len(front):,}{by_noise}"
    if front.points:
        best = kept.best()
        of_the_others = " of the others" if by_noise else ""
        numbers[f"Best {best.score_heading(score)}{of_the_others}"] = score.text(best.score)
        numbers[f"with {objectives.axis.heading}"] = objectives.axis.text(best.cost(objectives.axis))
        numbers["Hypervolume"] = f"{hypervolume(front, objectives):.3f}"
    shown = "".join(f"<div><dt>{html.escape(k)}</dt><dd>{html.escape(v)}</dd></div>" for k, v in numbers.items())
    about = [story.facts[k] for k in ("About", "Data", "Budget", "Strategy") if story.facts.get(k)]
    about += [] if finished else ["not finished yet"]
    links = {"front": "Front"}
    links |= {"progress": "Progress"} if records else {}
    links |= {"decides": "Which decisions matter"} if effects else {}
    links |= {"networks": "Networks"} if front.points else {}
    links |= {"trials": "All trials", "made": "How it was made"}
    menu = "".join(f'<li><a href="#{target}">{text}</a></li>' for target, text in links.items())
    return (
        f'<header>\n<h1>{html.escape(name)}</h1>\n<p class="lead">{html.escape(BETWEEN.join(about))}</p>\n'
        f'<dl class="numbers">{shown}</dl>\n<nav aria-label="Sections"><ul>{menu}</ul></nav>\n</header>'
    )


def _front(records: Sequence[TrialRecord], front: ParetoFront[TrialRecord], objectives: Objectives) -> str:
    if not front.points:
        return _section("front", "Pareto front", "<p>No trial has completed.</p>")
    axis, most, score = objectives.axis, objectives.budget, objectives.score
    budget = f" The dashed line is the budget: {axis.words(most)}." if most else ""
    others = ", ".join(cost.heading for cost in objectives.costs[1:])
    below = f" Points below the line are on the front for their {others}." if others else ""
    cheaper = "smaller" if objectives.costs == DEFAULT_COSTS else "cheaper"
    caption = (
        '<span class="key f"></span>Pareto front<span class="key d"></span>dominated, or not of interest. '
        f"No trial is both {cheaper} and higher in {front.best().score_heading(score)} than one on the front."
        f"{below}{budget}"
    )
    tested = any(point.is_tested for point in front)
    shown = table_costs(front, objectives.costs)
    columns = [*score_columns(front, score, "validation"), *recipe_columns(front)]
    # Scores beside the first cost: a phone shows some three columns.
    first, *more = [(cost.heading, partial(_cost_text, cost=cost)) for cost in shown]
    columns = [first, *columns, *more]
    heads = ["trial", *(name for name, _ in columns), "architecture"]
    head = "".join(f'<th scope="col"{_right(h != "architecture")}>{h}</th>' for h in heads)
    rows = []
    for point in without_noise(front):
        rows.append(
            f'<tr><th scope="row" class="n"><a href="#trial-{point.number}">{point.number}</a></th>'
            + "".join(f'<td class="n">{html.escape(cell(point))}</td>' for _, cell in columns)
            + f'<td class="wide">{html.escape(point.architecture.describe())}</td></tr>'
        )
    note = f"Test {score.heading}: mean ± standard deviation over trainings with different seeds. " * tested
    note += left_out(front)
    return _section(
        "front",
        "Pareto front",
        f'<figure><div class="wide-chart">{scatter_svg(records, objectives, WIDE)}</div>'
        f'<div class="narrow">{scatter_svg(records, objectives, NARROW)}</div>'
        f"<figcaption>{caption}</figcaption></figure>\n<h2>The front as a table</h2>\n"
        + _table(f"The trials on the Pareto front, the cheapest first. {note}".strip(), head, rows),
    )


def _cost_text(record: TrialRecord, *, cost: Cost) -> str:
    return cost.text(record.cost(cost))


def _progress(records: Sequence[TrialRecord], objectives: Objectives) -> str:
    front: ParetoFront[TrialRecord] = ParetoFront(costs=objectives.costs)
    volumes, best, sizes = [], [], []
    for record in records:
        front = front.adding(record)
        volumes.append(hypervolume(front, objectives))
        best.append(front.best().score if front.points else 0.0)
        sizes.append(float(len(front)))
    if not records:
        return ""
    size, score = (360, 240), objectives.score
    best_title = f"best validation {score.heading}"
    charts = (
        ("Hypervolume of the front", line_svg(volumes, "hypervolume", tick=plain_tick, size=size)),
        (f"Best {score.heading}", line_svg(best, best_title, tick=score.tick, size=size)),
        ("Trials on the front", line_svg(sizes, "front size", tick=plain_tick, size=size)),
    )
    figures = "".join(f"<figure>{svg}<figcaption>{title}</figcaption></figure>" for title, svg in charts)
    return _section("progress", "Progress", f'<div class="charts">{figures}</div>')


def _decides(effects: Sequence[Effect], score: Score) -> str:
    if not effects:
        return ""
    head = "".join(f'<th scope="col"{_right(place > 0)}>{h}</th>' for place, h in enumerate(HEADINGS))
    rows = [
        f'<tr><th scope="row">{html.escape(first)}</th>'
        + "".join(f'<td class="n">{html.escape(cell)}</td>' for cell in rest)
        + "</tr>"
        for first, *rest in effect_rows(effects, score)
    ]
    table = _table("Every decision with at least two values tried.", head, rows)
    return _section(
        "decides",
        "Which decisions matter",
        f'<figure><div class="scroll" tabindex="0" role="region" aria-label="Chart of the decisions">'
        f"{effects_svg(effects, score)}</div><figcaption>Difference of {html.escape(score.heading)} between the best "
        f"value of a decision, which is shown, and its worst. {NOTE}</figcaption></figure>"
        f"<details><summary>As a table</summary>{table}</details>",
    )


def _networks(
    front: ParetoFront[TrialRecord], objectives: Objectives, breakdown: Callable[[TrialRecord], Breakdown | None]
) -> str:
    parts = []
    noise = explained_by_noise(front)
    ordered = sorted(front, key=lambda point: (point.number in noise, -point.score))
    for number, point in enumerate(ordered):
        drawing = behind = ""
        if number < DRAWN:
            picture = diagram(point.architecture, f"trial {point.number}")
            source = base64.b64encode(picture.svg().encode()).decode()
            alt = html.escape(f"The network of trial {point.number}, drawn: {point.architecture.describe()}")
            drawing = (
                f'<div class="drawing" tabindex="0" role="region" aria-label="Drawing of trial {point.number}">'
                f'<img alt="{alt}" width="{picture.width:g}" height="{picture.height:g}" '
                f'src="data:image/svg+xml;base64,{source}"></div>'
            )
            behind = _behind(breakdown(point))
        epochs = max((len(curve) for curve in point.curves.values()), default=0)
        about = (
            f"{point.in_words}. {short_count(point.macs)} multiply-adds per image, trained for "
            f"{counted(epochs, 'epoch')} in {point.duration_seconds:.1f} seconds."
        )
        parts.append(
            # The link's target is inside, because then the browser unfolds the element by itself.
            f"<details{' open' * (not number)}><summary>T{said(point, objectives)[1:]}"
            f"{' (explained by noise)' * (point.number in noise)}</summary>"
            f'<p id="trial-{point.number}">{html.escape(about)}</p>{drawing}{behind}</details>'
        )
    if not parts:
        return ""
    order = f"<p>Highest {front.best().score_heading(objectives.score)} first.</p>"
    return _section("networks", "Networks on the front", "\n".join((order, *parts)))


def _behind(found: Breakdown | None) -> str:
    if found is None:
        return ""
    head = "".join(
        f'<th scope="col"{_right(place > 0)}>{html.escape(h)}</th>' for place, h in enumerate(found.headings)
    )
    rows = [
        f'<tr><th scope="row">{html.escape(first)}</th>'
        + "".join(f'<td class="n">{html.escape(cell)}</td>' for cell in rest)
        + "</tr>"
        for first, *rest in found.rows
    ]
    source = base64.b64encode(found.drawing.encode()).decode()
    title = html.escape(found.title)
    return (
        _table("Class by class, on the validation images", head, rows)
        + f'<figure><img class="behind" alt="{title}" src="data:image/svg+xml;base64,{source}">'
        + f"<figcaption>{title}</figcaption></figure>"
        + _predictions(found)
    )


def _predictions(found: Breakdown) -> str:
    if not found.predictions:
        return ""
    source = base64.b64encode(found.predictions.encode()).decode()
    title = "Predictions for some validation images"
    return (
        f'<figure><img class="predictions" alt="{title}" src="data:image/svg+xml;base64,{source}">'
        f"<figcaption>{title}</figcaption></figure>"
    )


def _trials(records: Sequence[TrialRecord], front: ParetoFront[TrialRecord], objectives: Objectives) -> str:
    shown, score = shown_costs(objectives.costs), objectives.score
    members = {point.number for point in front}
    rows = []
    for record in sorted(records, key=lambda r: r.number)[:LISTED]:
        untrained = record.status in (TrialStatus.FAILED, TrialStatus.REFUSED)
        outcome = record.status.value.lower() if untrained else score.text(record.observed)
        if record.status is TrialStatus.STOPPED:
            outcome += f" after {counted(len(record.curve), 'epoch')}"
        remark = record.reason if untrained else record.in_words
        mark = "front" if record.number in members else ""
        costs = (cost.text(record.cost(cost)) if record.has_cost(cost) else "" for cost in shown)
        rows.append(
            f'<tr><th scope="row" class="n">{record.number}</th>'
            + "".join(f'<td class="n">{text}</td>' for text in costs)
            + f'<td class="n">{outcome}</td><td>{mark}</td><td class="n">{record.duration_seconds:.1f}</td>'
            f'<td class="wide">{html.escape(remark)}</td></tr>'
        )
    names = (("trial", 1), *((cost.heading, 1) for cost in shown))
    heads = (*names, (f"validation {score.heading}", 1), ("on the front", 0), ("seconds", 1))
    head = "".join(f'<th scope="col"{_right(bool(right))}>{h}</th>' for h, right in heads)
    head += '<th scope="col">architecture, or why it was not trained</th>'
    cut = f", the first {LISTED:,} of them" if len(records) > LISTED else ""
    table = _table(f"Every trial by number{cut}.", head, rows)
    listing = f"<details><summary>{counted(len(records), 'trial')}</summary>{table}</details>"
    return _section("trials", "All trials", listing)


def _made(story: Story) -> str:
    facts = "".join(f"<dt>{html.escape(k)}</dt><dd>{html.escape(v)}</dd>" for k, v in story.facts.items() if v)
    command = ""
    if story.command:
        command = f'<p>Made with</p><pre tabindex="0" aria-label="Command">{html.escape(story.command)}</pre>'
    files = "".join(
        f'<details><summary>{html.escape(name)}</summary><pre tabindex="0" aria-label="{html.escape(name)}">'
        f"{html.escape(text)}</pre></details>"
        for name, text in story.files.items()
    )
    return _section("made", "How it was made", f'<dl class="facts">{facts}</dl>{command}{files}')


def _section(identity: str, title: str, content: str) -> str:
    return (
        f'<section id="{identity}" aria-labelledby="h-{identity}">\n<h2 id="h-{identity}">{title}</h2>\n'
        f"{content}\n</section>"
    )


def _table(caption: str, head: str, rows: Sequence[str]) -> str:
    """A table that scrolls by itself where the page is narrower, with the keyboard too."""
    label = html.escape(caption)
    # A caption inside would be as wide as the table, and end outside of what is seen.
    return (
        f'<p class="caption">{label}</p><div class="scroll" tabindex="0" role="region" aria-label="{label}"><table>'
        f"<thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
    )


def _right(right: bool) -> str:
    return ' class="n"' if right else ""
