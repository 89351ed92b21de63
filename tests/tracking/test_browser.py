"""MLflow's real page, in a real browser, on a real search: what `nas search` and `nas ui` promise to open."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from nas.reports.front_figures import DOMINATED_COLOR, FRONT_COLOR
from tests.tracking.browser import Page, why_no_browser

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(bool(why_no_browser()), reason=why_no_browser() or "there is one"),
]

# Plotly keeps a chart's points on its element: the name of the run and the colors, as drawn.
SCATTERS = """
return [...document.querySelectorAll('.js-plotly-plot')].map(chart => ({
  kind: chart.data && chart.data[0] && chart.data[0].type + '/' + chart.data[0].mode,
  x: chart.layout && chart.layout.xaxis && chart.layout.xaxis.title && (chart.layout.xaxis.title.text || ''),
  points: (chart.data || []).flatMap(t => [...(t.x || [])].map((x, i) => [
    x, t.y[i], Array.isArray(t.marker && t.marker.color) ? t.marker.color[i] : (t.marker && t.marker.color)])),
})).filter(chart => chart.x === arguments[0])
"""
LOADED = "return document.querySelectorAll('.js-plotly-plot .scatterlayer .point').length > 0"
IMAGES = "return [...document.images].map(i => [i.getAttribute('src'), i.complete && i.naturalWidth])"


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    from nas.tracking.ui import serve

    with serve(tmp_path_factory.mktemp("server"), port=None) as server:
        yield server


@pytest.fixture(scope="session")
def searched(server, tmp_path_factory):
    """A search written to the server as it went: itself, and the address that was printed."""
    import contextlib
    import io

    import nas
    from nas.cli import main

    runs_dir = tmp_path_factory.mktemp("runs")
    arguments = ["search", "digits", "--space", "tiny", "--strategy", "random", "--max-params", "3000"]
    arguments += ["--trials", "5", "--epochs", "1", "--workers", "0", "--set", "final.seeds=0", "--runs-dir"]
    arguments.append(str(runs_dir))
    said = io.StringIO()
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(said):
        assert main([*arguments, "--tracking-uri", server.url]) == 0, said.getvalue()
    addresses = re.findall(r"http://\S+/#/\S+", said.getvalue())
    assert addresses, said.getvalue()
    return nas.Search("digits", runs_dir), addresses


@pytest.fixture(scope="session")
def browser(server, tmp_path_factory):
    page = Page(tmp_path_factory.mktemp("profile"))
    try:
        page.quiet_mlflow(server.url)
        yield page
    finally:
        page.close()


@pytest.fixture
def client(server):
    from mlflow import MlflowClient

    return MlflowClient(tracking_uri=server.url)


def runs_of(client, role):
    experiment = client.get_experiment_by_name("digits")
    return client.search_runs([experiment.experiment_id], f"tags.`nas.role` = '{role}'", max_results=100)


def view_urls(client):
    """The addresses on the first line of the search's description, by their text."""
    (parent,) = runs_of(client, "search")
    first = parent.data.tags["mlflow.note.content"].splitlines()[0]
    return dict(re.findall(r"\[([^\]]+)\]\(([^)]+)\)", first))


def test_the_address_that_search_prints_shows_every_trial_with_the_front_in_its_color(browser, searched):
    search, addresses = searched
    assert len(set(addresses)) == 1  # while it ran, and at the end
    browser.open(addresses[0])
    browser.wait(LOADED, "the scatter chart")
    charts = browser.wait(SCATTERS.replace("arguments[0]", "'log10_parameters'"), "the chart over log10_parameters")
    points = {(round(10**x), round(y, 4)): color for x, y, color in charts[0]["points"]}
    completed = [t for t in search.trials if t.completed]
    assert len(charts[0]["points"]) == len(completed) == 5
    front = {(p.parameters, round(p.score, 4)) for p in search.front}
    colors = {key: color.lower() for key, color in points.items()}
    assert {key for key, color in colors.items() if color == FRONT_COLOR} == front
    assert {color for key, color in colors.items() if key not in front} <= {DOMINATED_COLOR}
    titles = browser.text()
    for title in ("Accuracy against parameters", "Progress of the search", "Decisions, and what became"):
        assert title in titles
    # Only our charts: the page made none of its own.
    assert "Model metrics" not in titles


def test_pointing_at_a_trial_says_what_it_is(browser, searched):
    search, addresses = searched
    browser.open(addresses[0])
    browser.wait(LOADED, "the scatter chart")
    x, y = browser.run(
        "const box = document.querySelector('.js-plotly-plot .scatterlayer .point').getBoundingClientRect();"
        "return [box.x + box.width / 2, box.y + box.height / 2]"
    )
    browser.driver.execute_cdp_cmd("Input.dispatchMouseEvent", {"type": "mouseMoved", "x": x, "y": y})
    told = [f"{t.parameters:,} parameters, {t.score:.2%} accuracy: {t.in_words[:8]}" for t in search.trials]
    browser.wait(f"return {json.dumps(told)}.some(told => document.body.innerText.includes(told))", "what it is")


def test_the_chart_of_decisions_has_those_of_this_space(browser, searched):
    browser.open(searched[1][0])
    browser.wait(LOADED, "the scatter chart")
    browser.run(
        "[...document.querySelectorAll('*')].find(e => !e.children.length"
        " && e.textContent.startsWith('Decisions, and what')).scrollIntoView()"
    )
    browser.wait(
        "const texts = [...document.querySelectorAll('text')].map(e => e.textContent);"
        "return ['stage1.repeat', 'stage2.filters', 'val_accuracy'].every(name => texts.includes(name))",
        "the axes",
    )


def test_the_table_of_all_trials_says_the_data_set(browser, searched):
    search, addresses = searched
    browser.open(addresses[0].replace("compareRunsMode=CHART", "compareRunsMode=TABLE"))
    digests = " || ".join(f"text.includes('{digest}')" for digest in search.facts.data.values())
    browser.wait(
        f"const text = document.body.innerText; return text.includes('Dataset') && ({digests})",
        "a digest in the column of data sets",
    )


def test_the_view_has_a_name_in_the_menu(browser, searched):
    browser.open(searched[1][0])
    browser.wait("return document.body.innerText.includes('digits: all trials')", "the name of the view")


@pytest.mark.parametrize("view", ["Pareto front", "Front table"])
def test_the_front_views_list_exactly_the_front(browser, searched, server, client, view):
    search, _ = searched
    browser.open(f"{server.url}/{view_urls(client)[view]}")
    count = f"return (document.body.innerText.match(/(\\d+) matching runs?/) || [])[1] === '{len(search.front)}'"
    browser.wait(count, f"{len(search.front)} matching runs")
    names = browser.run(
        'return [...document.querySelectorAll(\'.ag-center-cols-container a[href*="/runs/"], '
        '.ag-pinned-left-cols-container a[href*="/runs/"]\')].map(a => a.innerText.trim())'
    )
    numbers = [int(name[:3]) for name in names if name]
    assert numbers == [point.number for point in search.front]  # sorted by parameters
    if view == "Front table":
        text = browser.text()
        assert all(column in text for column in ("parameters", "val_accuracy", "macs"))


def test_the_description_renders_and_its_links_lead_to_the_trials(browser, searched, server, client):
    search, _ = searched
    (parent,) = runs_of(client, "search")
    browser.open(f"{server.url}/#/experiments/{parent.info.experiment_id}/runs/{parent.info.run_id}")
    browser.wait("return document.body.innerText.includes('on the Pareto front')", "the description")
    links = browser.run(
        "return [...document.querySelectorAll('a')]"
        ".filter(a => /^\\d+$/.test(a.innerText.trim()) && a.href.includes('/runs/'))"
        ".map(a => [a.innerText.trim(), a.href])"
    )
    assert [int(text) for text, _ in links] == [point.number for point in reversed(search.front.points)]
    sources = browser.wait(f"const all = (() => {{ {IMAGES} }})(); return all.some(i => i[1]) && all", "the picture")
    assert any("front.svg" in source and width for source, width in sources)
    text = browser.text()
    for told in ("Made with:", "nas ", "digits, 8x8x1, 10 classes", "at most 3,000 parameters", "tensorflow "):
        assert told in text, told
    # The picture does not push the column beside it off the page.
    assert browser.run("return document.body.innerText.includes('About this run')")
    browser.open(links[0][1])
    best = search.best()
    browser.wait(f"return document.body.innerText.includes('{best.number:03d} - ')", "the trial's page")
    text = browser.wait("const t = document.body.innerText; return t.includes('Parent run') && t", "the parent's link")
    assert "val_accuracy" in text
    drawn = browser.wait(f"const all = (() => {{ {IMAGES} }})(); return all.some(i => i[1]) && all", "the drawing")
    assert any("architecture.svg" in source and width for source, width in drawn)


def test_the_report_renders_without_a_network(browser, searched, client, tmp_path):
    (parent,) = runs_of(client, "search")
    path = Path(client.download_artifacts(parent.info.run_id, "report.html", str(tmp_path)))
    browser.logs("performance")
    browser.open(path.as_uri())
    browser.wait("return document.querySelectorAll('circle').length >= 5", "the chart's points")
    assert remote_requests(browser) == []


def test_an_unknown_mlflow_gets_the_plain_page_with_a_filter(browser, searched, server, monkeypatch):
    from nas.tracking import publishing, ui

    search, _ = searched
    monkeypatch.setattr(publishing, "_version", lambda store: "9.0.0")
    url = ui.url_of(server, search.tracking_run(server.url))
    assert "viewStateShareKey" not in url
    browser.open(url)
    browser.wait("return document.body.innerText.includes('6 matching runs')", "the search and its five trials")


def test_several_searches_in_one_chart(browser, searched, server):
    from nas.tracking import SearchRun, sync
    from nas.tracking.ui import comparison_url_of

    search, _ = searched
    first = search.tracking_run(server.url)
    second = SearchRun(
        store=first.store, experiment=first.experiment, name="other's", search_id="1" * 32, objectives=first.objectives
    )
    sync(second, search.trials, description={})
    browser.open(comparison_url_of(server, [first, second]))
    browser.wait(LOADED, "the scatter chart")
    charts = browser.wait(SCATTERS.replace("arguments[0]", "'log10_parameters'"), "the chart of both")
    colors = [color for _, _, color in charts[0]["points"]]
    assert len(colors) == 2 * len(search.front)
    assert len(set(colors)) == 2


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("width", "mobile"), [(1200, False), (375, True)], ids=["desk", "phone"])
def test_the_report_opens_offline_and_fits(browser, searched, tmp_path, scheme, width, mobile):
    search, _ = searched
    path = tmp_path / "report.html"
    path.write_text(search.report(), encoding="utf-8")
    browser.logs("performance")
    browser.logs("browser")
    browser.size(width, 900, mobile=mobile)
    browser.color_scheme(scheme)
    try:
        browser.open(path.as_uri())
        assert browser.run("return document.querySelectorAll('h1').length") == 1
        assert browser.run("return document.documentElement.scrollWidth") <= width
        assert browser.run("return [...document.images].every(i => i.complete && i.naturalWidth > 0 && i.alt)")
        # Scores are seen without a scroll to the side.
        score = "[...document.querySelectorAll('th')].find(th => th.textContent.startsWith('validation accuracy'))"
        assert browser.run(f"return {score}.getBoundingClientRect().right") < width - 16
        ink, page = browser.run("const s = getComputedStyle(document.body); return [s.color, s.backgroundColor]")
        assert (luminance(ink) < luminance(page)) == (scheme == "light")
        for selector in ("p.lead", "nav a", "td", "th", "figcaption", "summary", "footer p", "svg .tick"):
            assert contrast(browser, selector) >= 4.5, selector
        # One of the two charts, and its points by keyboard.
        shown = browser.run(
            "return [...document.querySelectorAll('#front svg')].filter(s => s.getBoundingClientRect().width > 0)"
            ".map(s => [...s.querySelectorAll('a')].map(a => a.getAttribute('aria-label')))"
        )
        assert [len(labels) for labels in shown] == [len(search.front)]
        # A point leads to its network, which unfolds.
        browser.run("location.hash = arguments[0]", f"trial-{search.front.points[0].number}")
        browser.wait(
            f"return document.querySelector('#trial-{search.front.points[0].number}').closest('details').open",
            "the unfolded network",
        )
    finally:
        browser.color_scheme("light")
        browser.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    assert remote_requests(browser) == []
    assert [entry for entry in browser.logs("browser") if entry["level"] in ("SEVERE", "WARNING")] == []


def remote_requests(browser):
    """Addresses that the pages since the last look asked a network for."""
    found = []
    for entry in browser.logs("performance"):
        message = json.loads(entry["message"])["message"]
        if message["method"] == "Network.requestWillBeSent":
            found.append(message["params"]["request"]["url"])
    return [url for url in found if not url.startswith(("file:", "data:", "about:", "blob:"))]


def luminance(color):
    """Of CSS rgb(...), as the accessibility guidelines define it."""
    channels = [int(number) / 255 for number in re.findall(r"\d+", color)[:3]]
    red, green, blue = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(browser, selector):
    """Of an element's text with the first background behind it that is not transparent."""
    text, behind = browser.run(
        """
        const e = document.querySelector(arguments[0]);
        let b = e;
        while (b && /rgba\\(0, 0, 0, 0\\)/.test(getComputedStyle(b).backgroundColor)) b = b.parentElement;
        const s = getComputedStyle(e);
        return [e.closest('svg') ? s.fill : s.color, getComputedStyle(b || document.body).backgroundColor];
        """,
        selector,
    )
    lighter, darker = sorted((luminance(text), luminance(behind)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)
