from __future__ import annotations

import io
import re
from dataclasses import replace

import pytest
from PIL import Image

from nas.objectives import PARAMETERS, Score
from nas.reports.front_figures import front_figure, front_html, front_png, front_svg
from nas.results.pareto import ParetoFront
from tests.tracking.examples import OBJECTIVES, failed, random_trials, trial

BUDGETED = replace(OBJECTIVES, budget=1_000)


@pytest.mark.parametrize("count", [0, 1, 2, 40])
@pytest.mark.parametrize("budget", [None, 1_000])
def test_png_is_a_picture_whatever_there_is_to_show(count, budget):
    png = front_png(
        random_trials(count),
        title=r"100$ \frac{ $ <b>",
        objectives=replace(OBJECTIVES, budget=budget),
    )
    with Image.open(io.BytesIO(png)) as image:
        image.load()
        assert (image.format, image.size) == ("PNG", (1600, 1000))
        assert len(image.convert("RGB").getcolors(1 << 24)) > 20


def test_png_does_not_touch_pyplot_whose_state_is_global():
    import sys

    before = "matplotlib.pyplot" in sys.modules
    front_png(random_trials(3), title="t", objectives=OBJECTIVES)
    assert ("matplotlib.pyplot" in sys.modules) == before


def test_interactive_figure_has_every_trial_once():
    records = [*random_trials(30), failed(99)]
    front = ParetoFront.of(records)
    dominated, _, members = front_figure(records, title="t", objectives=BUDGETED).data
    shown = {int(row[3].split()[0]) for row in (*dominated.customdata, *members.customdata)}
    assert [int(row[3].split()[0]) for row in members.customdata] == [p.number for p in front]
    assert list(members.x) == [p.parameters for p in front]
    assert list(members.y) == [p.score for p in front]
    assert shown == {r.number for r in records if r.completed}


def test_the_front_is_drawn_as_steps():
    records = [trial(0, 0.5, filters=4), trial(1, 0.9, filters=16)]
    _, steps, _ = front_figure(records, title="t", objectives=BUDGETED).data
    small, large = records[0].parameters, records[1].parameters
    assert list(steps.x) == [small, small, large, large, 1_000]
    assert list(steps.y[1:]) == [0.5, 0.5, 0.9, 0.9]


def test_what_is_on_the_front_without_being_of_interest_is_drawn_apart():
    records = [trial(n, score, filters=filters) for n, (score, filters) in enumerate([(0.3, 2), (0.5, 4), (0.9, 16)])]
    small = records[1].parameters
    objectives = replace(OBJECTIVES, interest={PARAMETERS: (small, 10_000)}, floor=0.4)
    _, steps, outside, inside = front_figure(records, title="t", objectives=objectives).data
    assert (list(outside.y), list(inside.y)) == ([0.3], [0.5, 0.9])
    assert outside.name == "not of interest"
    # The line is that of the whole front.
    assert records[0].parameters in steps.x


def test_networks_that_learned_nothing_do_not_flatten_the_picture():
    records = [trial(n, 0.9 + n / 1000, filters=4 + n) for n in range(20)] + [trial(20, 0.1, filters=30)]
    figure = front_figure(records, title="t", objectives=OBJECTIVES)
    assert figure.layout.yaxis.range[0] > 0.85
    assert "1 below the plot" in figure.layout.title.text


def test_failed_trials_are_counted_and_a_front_beyond_the_budget_is_drawn():
    figure = front_figure([trial(0, 0.9, filters=16), failed(1)], title="t", objectives=replace(OBJECTIVES, budget=100))
    assert "2 trials, 1 failed, 1 on the Pareto front" in figure.layout.title.text
    assert list(figure.data[1].x) == [458, 458, 458]


def test_page_holds_the_data_and_needs_no_network():
    records = random_trials(5)
    page = front_html(records, title="t", objectives=OBJECTIVES)
    assert "conv3-" in page
    assert "%{customdata[3]}" in page
    assert not re.findall(r"<(?:script|link|img|iframe)[^>]*\b(?:src|href)\s*=", page)


def test_markup_in_a_title_is_shown_as_it_is():
    title = front_figure([trial(0, 0.9)], title="<b>a</b> & c", objectives=OBJECTIVES).layout.title.text
    assert title.startswith("&lt;b&gt;a&lt;/b&gt; &amp; c<br>")


def test_axes_and_hovers_name_the_score():
    objectives = replace(OBJECTIVES, score=Score(name="miou", heading="mIoU"))
    figure = front_figure([trial(0, 0.9)], title="t", objectives=objectives)
    assert figure.layout.yaxis.title.text == "validation mIoU"
    assert figure.data[-1].customdata[0][0] == "90.00% validation mIoU"
    assert "<br>%{customdata[0]}<" in figure.data[-1].hovertemplate
    assert b">validation mIoU</text>" in front_svg([trial(0, 0.9)], title="t", objectives=objectives)
