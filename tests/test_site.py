"""The documentation as a site: it is built without a warning, and each page has a place."""

import subprocess
import sys
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[1]


def test_the_site_is_built_without_a_warning(tmp_path):
    # Links between pages and into the reference are checked on the way: the configuration is strict.
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--site-dir", str(tmp_path / "site")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "WARNING -" not in done.stderr
    reference = (tmp_path / "site" / "api" / "index.html").read_text()
    for name in ("nas.api.search", "nas.tuning.search.Search.load_model", "nas.architecture.budget.Budget"):
        assert f'id="{name}"' in reference
    # A reader without a network sees all of it.
    for page in (tmp_path / "site").rglob("*.html"):
        assert "fonts.googleapis" not in page.read_text()


def test_each_page_has_a_place_in_the_menu():
    menu = yaml.safe_load((ROOT / "mkdocs.yml").read_text())["nav"]

    def pages(node):
        if isinstance(node, str):
            yield node
        for value in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
            yield from pages(value)

    assert sorted(pages(menu)) == sorted(path.name for path in (ROOT / "docs").glob("*.md"))
