"""The pictures of MLflow, of the report, of fronts and of predictions in the documentation, from finished searches.

    python docs/make_images.py [--search digits] [--runs-dir runs] [--to docs/images]

Runs the searches first where there are none of these names. Needs chromium, chromedriver and selenium.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from nas.cli import main as nas
from nas.tuning import Search, searches
from tests.tracking.browser import Page, why_no_browser

LOADED = "return document.querySelectorAll('.js-plotly-plot .scatterlayer .point').length > 0"
TIDIED = """
const close = document.querySelector('button[aria-label="Close alert"]'); if (close) close.click();
const style = document.createElement('style');  // buttons that a browser shows under the mouse only
style.textContent = '.modebar { display: none !important }'; document.head.append(style);
"""


def pictures_of_mlflow(name: str, runs_dir: Path, to: Path, profile: str) -> None:
    from nas.tracking.mlflow_page import view_url
    from nas.tracking.ui import serve, url_of
    from nas.tracking.views import search_views

    run = Search(name, runs_dir).tracking_run()
    with serve(runs_dir) as server:
        page = Page(profile, 1500, 1100)
        try:
            page.quiet_mlflow(server.url)
            page.size(1500, 1000)
            page.open(url_of(server, run))
            page.wait(LOADED, "the chart")
            picture(page, to / "mlflow-all-trials.png")
            client = run.store.connect()
            experiment = run.store.experiment_id(client, run.experiment)
            table = search_views(run.search_id, run.name, run.objectives)[2]
            page.size(1500, 640)
            page.open(view_url(server.url, experiment, table))
            page.wait("return document.body.innerText.includes('matching run')", "the table")
            picture(page, to / "mlflow-front-table.png")
            query = f"tags.`nas.search_id` = '{run.search_id}' AND tags.`nas.role` = 'search'"
            (parent,) = client.search_runs([experiment], query)
            page.size(1500, 1000)
            page.open(
                f"{server.url}/#/experiments/{experiment}/runs/{parent.info.run_id}?workflowType=machine_learning"
            )
            page.wait("return [...document.images].some(i => i.naturalWidth > 300)", "the description")
            unfold = "const b = [...document.querySelectorAll('button')].find(b => b.innerText === 'Show more');"
            page.run(f"{unfold} if (b) b.click()")
            picture(page, to / "mlflow-search.png")
        finally:
            page.close()


def picture(page: Page, path: Path) -> None:
    page.run(TIDIED)
    page.driver.set_script_timeout(10)
    page.driver.execute_async_script("setTimeout(arguments[0], 2500)")  # animations and late lines
    page.picture(path)
    print(path)


def picture_of_report(name: str, runs_dir: Path, to: Path, profile: str) -> None:
    page = Page(profile)
    try:
        for scheme, width, height, mobile in (("light", 1100, 1250, False), ("dark", 390, 844, True)):
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder) / "report.html"
                path.write_text(Search(name, runs_dir).report(), encoding="utf-8")
                page.size(width, height, mobile=mobile)
                page.color_scheme(scheme)
                page.open(path.as_uri())
                picture(page, to / f"report-{scheme}.png")
    finally:
        page.close()


def pictures_of_predictions(runs_dir: Path, to: Path) -> None:
    for name in ("digit_scenes_segmentation", "digit_scenes_detection"):
        nas(["search", name, "--runs-dir", str(runs_dir)])
        found = Search(name, runs_dir)
        path = to / f"{name}.svg"
        shutil.copyfile(found.folder.predictions(found.best().number), path)
        print(path)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--search", default="digits")
    parser.add_argument("--runs-dir", type=Path, default=Path("runs"))
    parser.add_argument("--to", type=Path, default=Path(__file__).parent / "images")
    options = parser.parse_args()
    if options.search not in searches(options.runs_dir):
        failed = nas(["search", "digits", "--name", options.search, "--runs-dir", str(options.runs_dir)])
        if failed:
            return failed
    nas(["front", options.search, "--runs-dir", str(options.runs_dir), "--plot", str(options.to / "front.png")])
    pictures_of_predictions(options.runs_dir, options.to)
    problem = why_no_browser()
    if problem:
        print(f"no pictures of pages: {problem}", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory() as profile:
        pictures_of_mlflow(options.search, options.runs_dir, options.to, profile)
    with tempfile.TemporaryDirectory() as profile:
        picture_of_report(options.search, options.runs_dir, options.to, profile)
    return 0


if __name__ == "__main__":
    sys.exit(main())
