"""Bars and rows of what decides."""

import xml.etree.ElementTree as ET

import pytest

from nas.reports.effects_chart import effect_rows, effects_svg
from nas.results.effects import Effect
from nas.tasks import DEFAULT_TASK

CLEAR = Effect(decision="training.learning_rate", best="0.01", worst="<0.1>", gain=0.1, deviation=0.02)
UNCLEAR = Effect(decision="stage1." + "x" * 40, best="16", worst="8", gain=0.02, deviation=0.03)


def test_rows_are_in_points():
    assert effect_rows([CLEAR], DEFAULT_TASK.score) == [("training.learning_rate", "0.01", "<0.1>", "10.00 ± 2.00")]
    assert (CLEAR.is_clear, UNCLEAR.is_clear) == (True, False)


def test_bars_are_as_long_as_the_gains_and_pale_if_unclear():
    root = ET.fromstring(effects_svg([CLEAR, UNCLEAR], DEFAULT_TASK.score))
    first, second = root.findall(".//{*}rect")
    assert float(first.get("width")) == pytest.approx(5 * float(second.get("width")), rel=0.01)
    assert float(first.get("fill-opacity")) > float(second.get("fill-opacity"))
    texts = [text.text for text in root.findall(".//{*}text")]
    assert texts == ["training.learning_rate", "0.01", "…" + "x" * 33, "16"]
    assert "training.learning_rate: 0.01 before <0.1>" in root.find(".//{*}title").text


def test_many_decisions_are_cut():
    assert len(ET.fromstring(effects_svg([CLEAR] * 40, DEFAULT_TASK.score)).findall(".//{*}rect")) == 12
