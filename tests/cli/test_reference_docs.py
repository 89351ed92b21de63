"""docs/reference-networks.md: its numbers are true, its commands run, its pictures are current."""

import re
import shlex
from pathlib import Path

import pytest

from nas.cli import main
from nas.files.shipped import shipped
from nas.reports.network_diagram import diagram
from nas.space import load_space

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "reference-networks.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| `(reference/\w+)` \| ([\w ]+) \| ([\d,]+) \| ([\d,]+) \|", PAGE, re.MULTILINE)
COMMANDS = re.findall(r"^\$ nas (.*)$", PAGE, re.MULTILINE)


def test_every_network_has_a_row():
    assert sorted(name for name, *_ in ROWS) == [n for n in shipped("search_spaces") if n.startswith("reference/")]


@pytest.mark.parametrize(("name", "image", "parameters", "macs"), ROWS)
def test_the_numbers(name, image, parameters, macs):
    network = load_space(name).only()
    assert (f"{network.count.parameters:,}", f"{network.count.macs:,}") == (parameters, macs)
    if not image.startswith("any"):
        assert "x".join(map(str, network.input_shape)) == image


def test_sppnets_smallest_image():
    assert load_space("reference/sppnet", input_shape=(21, 21, 3)).only()
    with pytest.raises(Exception, match="no architecture of the space 'sppnet' fits 20x20x3 images"):
        load_space("reference/sppnet", input_shape=(20, 20, 3)).only()


@pytest.mark.parametrize("command", [line for line in COMMANDS if line.startswith("show")])
def test_the_commands_run(command, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(shlex.split(command)) == 0
    assert "parameters" in capsys.readouterr().out


def test_the_other_commands_are_tested_where_there_is_a_search():
    # tests/cli/test_own_model.py
    assert [line for line in COMMANDS if not line.startswith("show")] == [
        "search digits --space reference/lenet5",
        "front digits --with my_model.keras",
    ]


@pytest.mark.parametrize("name", ["reference/googlenet", "reference/resnet18"])
def test_the_pictures_are_current(name):
    """Draw them again with: nas show reference/NAME --diagram docs/images/NAME.svg."""
    drawn = (DOCS / "images" / f"{name.removeprefix('reference/')}.svg").read_text(encoding="utf-8")
    assert drawn == diagram(load_space(name).only(), name).svg()
