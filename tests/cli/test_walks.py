"""Tutorials as a reader follows them: each line copied, in its order, in one folder."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from nas.cli import main

ROOT = Path(__file__).parents[2]
SHORT = ["--trials", "2", "--epochs", "1", "--workers", "0", "--set", "final.seeds=1"]
"""So that a search ends while a test waits; nothing else is changed."""


@pytest.fixture
def desk(tmp_path, monkeypatch):
    """A folder with photos of three classes, which differ in color."""
    random = np.random.default_rng(0)
    for label, color in {"cat": (200, 90, 60), "dog": (60, 180, 80), "bird": (70, 90, 210)}.items():
        (tmp_path / "photos" / label).mkdir(parents=True)
        for number in range(1, 31):
            pixels = np.clip(random.normal(color, 40, (int(random.integers(36, 60)), 48, 3)), 0, 255)
            Image.fromarray(pixels.astype(np.uint8)).save(tmp_path / "photos" / label / f"{number:03}.jpg")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def walk(page, capsys, section=""):
    """Run the commands and programs of a page, or of a section; what each printed."""
    text = (ROOT / page).read_text(encoding="utf-8")
    if section:
        text = text.partition(f"\n## {section}\n")[2].partition("\n## ")[0]
    told = {}
    for language, block in re.findall(r"^```(\w*)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
        if language == "python":
            exec(compile(block, page, "exec"), {"__name__": "__main__"})
            told[block] = capsys.readouterr().out
            continue
        for line in re.findall(r"^(?:\$ )?nas (.*?)(?: +#.*)?$", block, re.MULTILINE):
            searches = line.startswith("search") and "--dry-run" not in line
            assert main([*shlex.split(line), *(SHORT if searches else [])]) == 0, capsys.readouterr().err
            told[line] = capsys.readouterr().out
    return told


def test_from_a_folder_of_pictures_to_a_program(desk, capsys):
    told = walk("docs/your-pictures.md", capsys)
    program = next(text for line, text in told.items() if "saved_model.load" in line)
    assert program.split()[0] in ("cat", "dog", "bird")
    assert "32x32x3, 3 classes" in told["search photos/ --max-params 20k --dry-run"]
    assert {path.name for path in desk.iterdir()} >= {"photos.html", "model", "device"}


def test_the_readme_leads_from_a_folder_of_pictures_to_a_program(desk, capsys):
    told = walk("README.md", capsys, "Your own pictures")
    program = next(text for line, text in told.items() if "saved_model.load" in line)
    assert program.split() in (["cat"], ["dog"], ["bird"])
    assert "expected" in told["front photos"] or "val accuracy" in told["front photos"]
    assert (desk / "device" / "model.cc").is_file()


def test_from_a_file_to_a_space(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    page = (ROOT / "docs/your-space.md").read_text(encoding="utf-8")
    (tmp_path / "mine.yaml").write_text(re.search(r"^```yaml\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)[1])
    told = walk("docs/your-space.md", capsys)
    assert "share with at most 5,000 parameters" in told["space stats mine.yaml --max-params 5k"]
    assert "parameters" in told["front mine"]
