"""nas front --board: which points fit, by what was measured or predicted."""

import csv
import io
import json
from dataclasses import replace

import pytest

from nas.architecture import Architecture
from nas.architecture.blocks import Conv, RegionHead
from nas.boards import find_board
from nas.cli import main
from nas.cli.front_board import best_on, board_of, board_row, cost_text, verdict
from nas.errors import NasError
from nas.objectives import FLASH_BYTES, LATENCY, RAM_BYTES
from nas.results.pareto import ParetoFront

SMALL = """\
description: a board for one network
flash_bytes: {flash}
ram_bytes: 100000
firmware: {{flash_bytes: 0, ram_bytes: 0}}
source: made up
"""


@pytest.fixture
def small(finished_search, tmp_path):
    """A board that holds all of the front but its largest point."""
    most = max(point.architecture.predicted(FLASH_BYTES) for point in finished_search.front)
    path = tmp_path / "small.yaml"
    path.write_text(SMALL.format(flash=most - 10))
    return path


def front(search, *more):
    return ["front", search.name, "--runs-dir", str(search.folder.runs_dir), *more]


def test_the_table_says_what_fits_and_what_is_predicted_only(finished_search, small, capsys):
    assert main(front(finished_search, "--board", str(small))) == 0
    shown = capsys.readouterr().out
    heading = next(line for line in shown.splitlines() if "trial" in line and "architecture" in line)
    assert "flash (bytes)" in heading
    assert " small " in heading
    rows = [line for line in shown.splitlines() if line.split()[:1] == [str(finished_search.front.best().number)]]
    assert any("~10 bytes of flash too many" in line for line in rows)
    assert shown.count("~fits") == len(finished_search.front) - 1
    assert "~: predicted from the layers, not measured." in shown
    assert main(front(finished_search)) == 0
    assert "~" not in capsys.readouterr().out


@pytest.mark.parametrize("form", ["json", "csv"])
def test_programs_get_numbers(finished_search, small, form, capsys):
    assert main(front(finished_search, "--board", str(small), "--format", form)) == 0
    text = capsys.readouterr().out
    if form == "json":
        document = json.loads(text)
        assert document["board"] == {
            "name": "small",
            "flash_bytes": find_board(str(small)).limits[FLASH_BYTES],
            "ram_bytes": 100_000,
        }
        rows = document["points"]
        assert [row["fits"] for row in rows] == [row["flash_bytes_over"] == 0 for row in rows]
    else:
        rows = list(csv.DictReader(io.StringIO(text)))
    assert sorted(int(row["flash_bytes_over"]) for row in rows) == [0] * (len(rows) - 1) + [10]
    for row, point in zip(rows, finished_search.front, strict=True):
        assert int(row["predicted_ram_bytes"]) == point.architecture.predicted(RAM_BYTES)
        assert row["ram_bytes"] in (None, "")


def test_what_was_measured_stands_for_itself(finished_search, small):
    board, point = find_board(str(small)), finished_search.front.best()
    left = board.limits
    measured = replace(point, metrics={**point.metrics, FLASH_BYTES.name: left[FLASH_BYTES], RAM_BYTES.name: 100_312})
    assert cost_text(measured, RAM_BYTES) == "100,312"
    assert verdict(measured, board) == "312 bytes of RAM too many"
    assert board_row(measured, board)["ram_bytes_over"] == 312
    fitting = replace(measured, metrics={**measured.metrics, RAM_BYTES.name: 100_000})
    assert verdict(fitting, board) == "fits"
    half = replace(point, metrics={**point.metrics, FLASH_BYTES.name: left[FLASH_BYTES]})
    assert verdict(half, board) == "~fits"
    assert cost_text(point, LATENCY) == ""


@pytest.mark.parametrize(("proposals", "reason"), [("rpn", "no int8 form"), ("windows", "unmeasured bytes")])
def test_what_is_not_known_does_not_fit(finished_search, small, proposals, reason):
    head = RegionHead(classes=2, proposals=proposals, sizes=(0.3,), regions=4)
    board, network = find_board(str(small)), Architecture(input_shape=(9, 7, 1), blocks=(Conv(filters=2), head))
    point = replace(finished_search.front.best(), architecture=network)
    assert verdict(point, board) == reason
    assert [board_row(point, board)[key] for key in ("fits", "flash_bytes_over", "ram_bytes_over")] == [
        False,
        None,
        None,
    ]

    class Of:
        front = ParetoFront.of([point])

    with pytest.raises(NasError) as error:
        best_on(Of(), board)
    assert str(error.value) == (
        f"no point of the front is known to fit small; trial {point.number} has {reason}; search with --board small"
    )


def test_a_search_has_its_board_as_long_as_there_is_one(finished_search):
    class Of:
        def __init__(self, board):
            self.experiment = finished_search.experiment.model_copy(update={"board": board})

    assert board_of(finished_search, None) is None
    assert board_of(Of("stm32l010rb"), None).name == "stm32l010rb"
    assert board_of(Of("stm32l010rb"), "stm32f446re").name == "stm32f446re"
    assert board_of(Of("gone.yaml"), None) is None


def test_a_mistake_is_one_line(finished_search, capsys):
    assert main(front(finished_search, "--board", "stm32")) == 1
    assert "there is no board 'stm32'" in capsys.readouterr().err
    assert main(["front", "a", "b", "--board", "stm32l010rb"]) == 1
    assert "--board is about one search; name one" in capsys.readouterr().err


def test_an_export_takes_the_best_point_that_fits(finished_search, small, tmp_path, capsys):
    board = find_board(str(small))
    chosen = best_on(finished_search, board)
    assert chosen is max((p for p in finished_search.front if verdict(p, board) == "~fits"), key=lambda p: p.score)
    assert chosen.number != finished_search.best().number
    runs = ["--runs-dir", str(finished_search.folder.runs_dir)]
    assert main(["export", finished_search.name, "--board", str(small), "--to", str(tmp_path / "model"), *runs]) == 0
    assert capsys.readouterr().out.startswith(f"Trial {chosen.number} of ")
    small.write_text(SMALL.format(flash=100))
    assert main(["export", finished_search.name, "--board", str(small), "--to", str(tmp_path / "no"), *runs]) == 1
    told = " ".join(capsys.readouterr().err.split())
    assert "no point of the front fits small; the nearest, trial " in told
    assert "bytes of flash too many; search with --board small" in told
    assert not (tmp_path / "no").exists()
