from __future__ import annotations

from dataclasses import replace
from html.parser import HTMLParser

import pytest

from nas.objectives import ACTIVATION_BYTES, LATENCY, Objectives, Score
from nas.reports import Story
from nas.reports.search_page import report_html
from nas.results.pareto import ParetoFront
from nas.results.trial import FinalTraining
from tests.tracking.examples import OBJECTIVES, SCORE, failed, random_trials, trial

STORY = Story(facts={"Data": "<script>alert(1)</script>"}, command="nas search 'x' && y", files={"a.yaml": "</pre><b>"})

MIOU = Score(name="miou", heading="mIoU")
FINAL = FinalTraining(seed=0, val_score=0.8, test_score=0.8)


class Page(HTMLParser):
    """Elements in order, and the problems that a browser would silently repair."""

    VOID = ("meta", "link", "img", "br")

    def __init__(self, text):
        super().__init__()
        self.open, self.elements, self.problems = [], [], []
        self.feed(text)
        self.problems += self.open

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.problems.append(tag)

    def of(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]


def report(records, **changes):
    usual = {"name": 'a/b\'c "d" <i>', "story": STORY, "objectives": OBJECTIVES, "finished": True}
    return report_html(records, **usual | changes)


@pytest.mark.parametrize("count", [0, 1, 40])
@pytest.mark.parametrize("budget", [None, 1_000])
def test_the_page_is_whole_whatever_there_is_to_show(count, budget):
    page = Page(report(random_trials(count), objectives=replace(OBJECTIVES, budget=budget)))
    assert page.problems == []
    identities = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(identities) == len(set(identities))
    links = [a["href"] for a in page.of("a")]
    assert all(link.startswith("#") and link[1:] in identities for link in links)


def test_only_failed_trials():
    text = report([failed(0), failed(1)])
    assert Page(text).problems == []
    assert "No trial has completed." in text
    assert "The loss became nan in epoch 2." in text


def test_nothing_is_fetched_and_nothing_runs():
    text = report(random_trials(10))
    page = Page(text)
    assert page.of("script") == []
    assert "http://" not in text.replace("http://www.w3.org", "")
    assert "https://" not in text
    assert all(image["src"].startswith("data:") for image in page.of("img"))
    assert "default-src 'none'" in page.of("meta")[1]["content"]


def test_what_comes_from_outside_is_escaped():
    text = report([trial(0, 0.9), failed(1, "<img src=x onerror=alert(1)>")])
    assert "<script>" not in text
    assert "<i>" not in text
    assert "<b>" not in text
    assert "&lt;img src=x onerror=alert(1)&gt;" in text
    assert "nas search &#x27;x&#x27; &amp;&amp; y" in text


def test_landmarks_headings_and_names_for_screen_readers():
    page = Page(report(random_trials(20)))
    tags = [tag for tag, _ in page.elements]
    assert [tags.count(tag) for tag in ("header", "nav", "main", "footer", "h1")] == [1] * 5
    assert page.of("html") == [{"lang": "en"}]
    assert all(image["alt"] for image in page.of("img"))
    assert all(svg["aria-label"] for svg in page.of("svg"))
    assert all(head.get("scope") in ("col", "row") for head in page.of("th"))
    assert all(region["aria-label"] for _, region in page.elements if region.get("role") == "region")
    # Whatever scrolls by itself can be scrolled with the keyboard.
    assert all("tabindex" in a for _, a in page.elements if a.get("class") in ("scroll", "drawing"))


def test_every_point_of_the_front_is_linked_listed_and_drawn():
    records = random_trials(40)
    front = ParetoFront.of(records)
    page = Page(report(records))
    targets = {f"trial-{point.number}" for point in front}
    assert {a["id"] for a in page.of("p") if a.get("id", "").startswith("trial-")} == targets
    assert len(page.of("img")) == len(front)
    # Twice in charts of two sizes, once in the table.
    assert sorted(a["href"][1:] for a in page.of("a") if a["href"].startswith("#trial-")) == sorted([*targets] * 3)


def test_test_scores_have_a_column_that_says_what_they_are():
    metrics = {"val_score": 0.9, "test_score": 0.88, "test_score_std": 0.01, "test_seeds": 3}
    text = report([trial(0, 0.9, metrics=metrics)])
    assert "88.00% ± 1.00 (3 seeds)" in text
    assert "mean ± standard deviation over trainings" in text
    assert "test accuracy" not in report([trial(0, 0.9)])


def test_all_trials_have_a_column_for_each_cost_that_the_search_is_after():
    slow = trial(1, 0.8, metrics={"val_score": 0.8, "latency_ms": 0.4321})
    interest = {LATENCY: (0.001, 1_000), ACTIVATION_BYTES: (10, 10**6)}
    text = report([failed(0), slow], objectives=Objectives(score=SCORE, interest=interest))
    table = text[text.index("Every trial by number") :]
    heads = [part.split(">")[-1] for part in table[: table.index("</thead>")].split("</th>")[:-1]]
    assert heads[:5] == ["trial", "parameters", "MACs", "latency (ms)", "activation bytes"]
    row = table[table.index("<tbody>") :].split("</tr>")
    # The trial that failed before its latency was measured has an empty cell.
    assert [part.split(">")[-1] for part in row[0].split("</td>")][2] == ""
    assert [part.split(">")[-1] for part in row[1].split("</td>")][2] == "0.432"


def test_an_unfinished_search_says_so():
    assert "\u00a0· not finished yet</p>" in report([trial(0, 0.9)], finished=False)
    assert "not finished" not in report([trial(0, 0.9)])


def test_the_numbers_say_whether_noise_has_left_points_out():
    small, large = trial(0, 0.90, filters=4), trial(1, 0.95, filters=16)
    assert "<dt>On the Pareto front</dt><dd>2</dd>" in (text := report([small, large]))
    assert "<dt>Best validation accuracy</dt><dd>95.00%</dd>" in text
    for seed, (low, high) in enumerate([(0.90, 0.89), (0.90, 0.92)]):
        small = small.with_final(FinalTraining(seed=seed, val_score=low, test_score=0.8))
        large = large.with_final(FinalTraining(seed=seed, val_score=high, test_score=0.8))
    assert "<dt>On the Pareto front</dt><dd>2, 1 explained by noise</dd>" in (text := report([small, large]))
    assert "<dt>Best validation accuracy of the others</dt><dd>90.00%</dd>" in text


def test_the_score_has_its_own_name_wherever_it_is_shown():
    records = [trial(n, 0.8 + n / 100, filters=4 + n) for n in range(3)]
    text = report([records[0].with_final(FINAL), *records[1:]], objectives=replace(OBJECTIVES, score=MIOU))
    for told in ("<dt>Best validation mIoU</dt><dd>82.00%</dd>", "Best mIoU</figcaption>", ">test mIoU</th>"):
        assert told in text
    assert "No trial is both smaller and higher in validation mIoU than one" in text
    assert "<p>Highest validation mIoU first.</p>" in text
    assert "accura" not in text
