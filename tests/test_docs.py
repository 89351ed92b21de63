"""Every example in the documentation runs, and its tables list exactly what there is."""

import dataclasses
import json
import re
from pathlib import Path

import jsonschema
import pytest
import yaml

from nas.architecture.blocks import BLOCKS
from nas.architecture.fields import ActivationName, field_types
from nas.space import SearchSpace, parse_definition
from nas.space.definition import DOWNSAMPLE, OF_THE_DATA, STAGE_KEYS, TOP_KEYS
from nas.space.schema import schema

ELSEWHERE = ("mlflow", "your-pictures")
"""Pages whose programs need what the page did before: run by tests/cli/test_tracking_commands.py and test_walks.py."""
PAGES = Path(__file__).resolve().parent.parent / "docs"
DOCS = [path for path in sorted(PAGES.glob("*.md")) if path.stem not in ELSEWHERE]
SPACES = next(path for path in DOCS if path.name == "search-spaces.md")


def blocks(language):
    for path in DOCS:
        text = path.read_text(encoding="utf-8")
        for match in re.finditer(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
            line = text[: match.start()].count("\n") + 2
            yield pytest.param(match[1], id=f"{path.name}:{line}")


def test_there_are_examples():
    assert len(list(blocks("yaml"))) >= 5
    assert len(list(blocks("python"))) >= 3


@pytest.mark.parametrize("text", list(blocks("yaml")))
def test_yaml_examples(text, tmp_path, monkeypatch):
    if "space" in yaml.safe_load(text):
        from nas.config import load_experiment

        path = tmp_path / "mine.yaml"
        path.write_text(text)
        assert load_experiment(path).space
        return
    import random

    space = SearchSpace(parse_definition(text))
    assert space.size().architectures >= 1
    network = space.sample(random.Random(0))
    assert space.fewest_parameters <= network.count.parameters <= space.most_parameters
    jsonschema.Draft202012Validator(schema()).validate(yaml.safe_load(text))


@pytest.fixture(scope="module")
def desk(tmp_path_factory):
    """Where a reader tries the examples: a search that one has run is finished for the others."""
    return tmp_path_factory.mktemp("desk")


@pytest.mark.parametrize("text", list(blocks("python")))
def test_python_examples(text, desk, monkeypatch):
    monkeypatch.chdir(desk)
    exec(compile(text, "example", "exec"), {"__name__": "__main__"})


def test_the_notebook_runs_from_top_to_bottom(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    cells = [
        cell for cell in json.loads((PAGES / "notebook.ipynb").read_text())["cells"] if cell["cell_type"] == "code"
    ]
    names = {"__name__": "__main__"}
    for cell in cells:
        exec(compile("".join(cell["source"]), "notebook", "exec"), names)
        assert cell["outputs"], "as a reader sees it, each cell shows something"
    assert len(names["search"].trials) == 6
    assert "True [" in capsys.readouterr().out


def tables(path):
    """The rows of each table under its heading, as lists of cells."""
    found, heading = {}, ""
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith("#"):
            heading = line.lstrip("# ").strip("`")
        elif line.startswith("| `"):
            found.setdefault(heading, []).append([cell.strip() for cell in line.strip("|").split(" | ")])
    return found


def written_default(cls, field):
    if field.default is dataclasses.MISSING:
        return "the stage's" if field.name == "filters" else "required"
    value = field_types(cls)[field.name].dump(field.default)
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


@pytest.mark.parametrize("kind", sorted(BLOCKS))
def test_the_table_of_a_kind_lists_exactly_its_options_with_their_defaults(kind):
    cls = BLOCKS[kind]
    rows = {row[0].strip("`"): row[1] for row in tables(SPACES).get(kind, [])}
    assert rows == {
        field.name: written_default(cls, field) for field in dataclasses.fields(cls) if field.name not in OF_THE_DATA
    }
    assert f"### `{kind}`" in SPACES.read_text(encoding="utf-8")


def test_the_tables_of_keys_are_complete():
    found = tables(SPACES)
    assert {row[0].strip("`") for row in found["The keys of a file"]} == TOP_KEYS
    assert {row[0].strip("`") for row in found["Stages"]} == STAGE_KEYS
    assert set(found) == {"The keys of a file", "Stages", *BLOCKS} - {"skip"}


def test_words_are_all_there():
    from typing import get_args

    text = SPACES.read_text(encoding="utf-8")
    for word in (*get_args(ActivationName), *DOWNSAMPLE):
        assert f"`{word}`" in text
