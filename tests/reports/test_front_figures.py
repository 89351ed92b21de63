from __future__ import annotations

import io
from dataclasses import replace

import pytest
from PIL import Image

from nas.objectives import PARAMETERS, Score
from nas.reports.front_chart import FrontChart
from nas.reports.front_figures import front_png, front_svg
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


def test_every_completed_trial_is_in_the_chart_once():
    records = [*random_trials(30), failed(99)]
    chart = FrontChart.of(records, BUDGETED)
    front = ParetoFront.of(records)
    assert [r.number for r in (*chart.outside, *chart.inside)] == [p.number for p in front]
    shown = {r.number for r in (*chart.dominated, *chart.outside, *chart.inside)}
    assert shown == {r.number for r in records if r.completed}


def test_the_front_is_drawn_as_steps():
    records = [trial(0, 0.5, filters=4), trial(1, 0.9, filters=16)]
    x, y = zip(*FrontChart.of(records, BUDGETED).steps, strict=True)
    small, large = records[0].parameters, records[1].parameters
    assert list(x) == [small, small, large, large, 1_000]
    assert list(y[1:]) == [0.5, 0.5, 0.9, 0.9]


def test_what_is_on_the_front_without_being_of_interest_is_drawn_apart():
    records = [trial(n, score, filters=filters) for n, (score, filters) in enumerate([(0.3, 2), (0.5, 4), (0.9, 16)])]
    small = records[1].parameters
    chart = FrontChart.of(records, replace(OBJECTIVES, interest={PARAMETERS: (small, 10_000)}, floor=0.4))
    assert ([r.score for r in chart.outside], [r.score for r in chart.inside]) == ([0.3], [0.5, 0.9])
    # The line is that of the whole front.
    assert records[0].parameters in [x for x, _ in chart.steps]


def test_networks_that_learned_nothing_do_not_flatten_the_picture():
    records = [trial(n, 0.9 + n / 1000, filters=4 + n) for n in range(20)] + [trial(20, 0.1, filters=30)]
    chart = FrontChart.of(records, OBJECTIVES)
    assert chart.y_range[0] > 0.85
    assert "1 below the plot" in chart.subtitle


def test_failed_trials_are_counted_and_a_front_beyond_the_budget_is_drawn():
    chart = FrontChart.of([trial(0, 0.9, filters=16), failed(1)], replace(OBJECTIVES, budget=100))
    assert "2 trials, 1 failed, 1 on the Pareto front" in chart.subtitle
    assert [x for x, _ in chart.steps] == [458, 458, 458]


def test_the_axis_says_whether_scores_are_expected_or_were_observed():
    observed = trial(0, 0.9, filters=4)
    expected = replace(observed, metrics={**observed.metrics, "expected_score": 0.8})
    assert FrontChart.of([observed], OBJECTIVES).score_heading == "validation accuracy"
    assert FrontChart.of([expected], OBJECTIVES).score_heading == "expected accuracy"
    assert b"expected accuracy" in front_svg([expected], title="t", objectives=OBJECTIVES)


def test_axes_name_the_score():
    objectives = replace(OBJECTIVES, score=Score(name="miou", heading="mIoU"))
    assert b">validation mIoU</text>" in front_svg([trial(0, 0.9)], title="t", objectives=objectives)
