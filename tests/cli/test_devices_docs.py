"""docs/devices.md: its commands run, in their order, from a search for a board to the source."""

import json
import re
import shlex
from pathlib import Path

import pytest

from nas.boards import find_board
from nas.cli import main
from nas.devices import import_tensorflow
from nas.export import FORMATS, measure
from nas.objectives import FLASH_BYTES, RAM_BYTES
from nas.results.trial import TrialStatus
from nas.space import load_space
from nas.tuning import Search

PAGE = (Path(__file__).parents[2] / "docs" / "devices.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"^\$ nas (.*)$", PAGE, re.MULTILINE)
BOARD_FILE = re.search(r"^\$ cat (my_board.yaml)\n(.*?)^\$", PAGE, re.MULTILINE | re.DOTALL)


def test_every_format_has_a_row():
    assert re.findall(r"^\| `([\w-]+)` \| `(?:saved_model|model)", PAGE, re.MULTILINE) == [
        "savedmodel",
        "keras",
        "litert",
        "litert-int8",
        "onnx",
        "c",
    ]
    assert len(FORMATS) == 6


def test_from_a_board_to_its_source(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / BOARD_FILE[1]).write_text(BOARD_FILE[2])
    told = {}
    for command in COMMANDS:
        # The page says as many trials and epochs as a reader has patience for.
        short = command.replace("--trials 12 --epochs 8", "--trials 4 --epochs 1 --set final.seeds=0 --workers 0")
        short += " --allow-loss 100" * command.startswith("export")
        assert main(shlex.split(short)) == 0
        told[command.split()[0]] = capsys.readouterr().out
    limits = find_board("stm32l010rb").limits
    trials = Search("digits").trials
    trained = [trial for trial in trials if trial.status is TrialStatus.COMPLETED]
    assert len(trained) == 4
    for cost, left in limits.items():
        assert all(trial.cost(cost) <= left for trial in trained)
        assert cost.heading in told["front"]
    facts = json.loads((tmp_path / "device" / "export.json").read_text())["formats"]
    best = Search("digits").best()
    assert facts["c"]["arena_bytes"] == best.metrics["ram_bytes"] <= 16_384
    assert facts["litert-int8"]["bytes"] == facts["c"]["array_bytes"] == best.metrics["flash_bytes"]
    assert (tmp_path / "device" / "model.cc").is_file()
    assert "my_board: " in told["show"]


NUMBERS = r" \| ([\d,]+)" * 5
ROWS = re.findall(rf"^\| `(mlperf_tiny/\w+)` \| [^|]*{NUMBERS} \|", PAGE, re.MULTILINE)


def test_the_networks_that_everybody_knows_have_their_numbers():
    assert [name for name, *_ in ROWS] == [
        "mlperf_tiny/ds_cnn",
        "mlperf_tiny/resnet8",
        "mlperf_tiny/resnet8_wide",
        "mlperf_tiny/mobilenet_v1_025",
    ]
    import_tensorflow()
    for name, *numbers in ROWS:
        network = load_space(name).only()
        count = network.count
        parameters, macs, flash, ram, maps = (int(number.replace(",", "")) for number in numbers)
        assert (count.parameters, count.macs, count.activation_bytes) == (parameters, macs, 4 * maps)
        # Other versions of the converter and of TFLM need a little more or less.
        assert measure(FLASH_BYTES, network) == pytest.approx(flash, rel=0.05)
        assert measure(RAM_BYTES, network) == pytest.approx(ram, rel=0.05)
