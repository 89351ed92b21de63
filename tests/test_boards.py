"""Boards: shipped ones, files, what they leave to a network, and what an experiment makes of them."""

import pytest

from nas.boards import board_names, find_board
from nas.cli import main
from nas.config import load_experiment
from nas.files.shipped import find_experiment
from nas.files.yaml_file import FileError
from nas.objectives import FLASH_BYTES, RAM_BYTES

OWN = """description: mine
flash_bytes: 100_000
ram_bytes: 20_000
firmware: {flash_bytes: 40_000, ram_bytes: 5_000}
source: the soldering iron
"""


@pytest.fixture
def own(tmp_path):
    (tmp_path / "own.yaml").write_text(OWN)
    return tmp_path / "own.yaml"


@pytest.mark.parametrize("name", board_names())
def test_every_board_leaves_something_and_says_where_its_numbers_are_from(name):
    board = find_board(name)
    assert board.name == name
    assert board.description
    assert board.source
    assert all(0 < left < 2**24 for left in board.limits.values())


def test_what_is_left_by_hand():
    # 512 kB less 80, 128 kB less 8.
    assert find_board("stm32f446re").limits == {FLASH_BYTES: 432 * 1024, RAM_BYTES: 120 * 1024}


def test_a_board_of_ones_own_is_a_file(own):
    board = find_board(str(own))
    assert (board.name, board.limits) == ("own", {FLASH_BYTES: 60_000, RAM_BYTES: 15_000})
    assert board.verdict({FLASH_BYTES: 60_000, RAM_BYTES: 14_000}) == (
        "60,000 of 60,000 bytes of flash, 14,000 of 15,000 bytes of RAM: fits"
    )
    assert board.verdict({FLASH_BYTES: 60_100, RAM_BYTES: 15_001}) == (
        "60,100 of 60,000 bytes of flash, 15,001 of 15,000 bytes of RAM: 100 bytes of flash too many, 1 bytes of RAM "
        "too many"
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (OWN.replace("ram_bytes: 20_000", "ram_bytes: -1"), r"own.yaml:3: ram_bytes: Input should be greater than"),
        (OWN + "color: green\n", r"own.yaml:6: color: Extra inputs are not permitted; see docs/devices.md"),
        (OWN.replace("40_000", "100_000"), r"firmware must leave bytes of flash to a network; it takes all 100,000"),
        ("[]", r"a board is a mapping of keys to values"),
    ],
)
def test_a_file_with_a_mistake_says_where(own, text, message):
    own.write_text(text)
    with pytest.raises(FileError, match=message):
        find_board(str(own))


def test_a_name_that_is_near_one():
    with pytest.raises(FileError, match=r"no board 'stm32f446r' \(did you mean 'stm32f446re'\?\); give a path"):
        find_board("stm32f446r")


def test_an_experiment_has_its_limits_and_what_the_budget_says_itself_counts(own):
    def budget(**overrides):
        return load_experiment(find_experiment("digits"), overrides).budget.to_dict()

    found = budget(board=str(own))
    assert (found["max_flash_bytes"], found["max_ram_bytes"]) == (60_000, 15_000)
    assert budget(board=str(own), **{"budget.max_ram_bytes": "9k"})["max_ram_bytes"] == 9_000
    assert budget(board=str(own), **{"budget.max_parameters": "5k"})["max_parameters"] == 5_000
    assert budget()["max_ram_bytes"] is None
    # What is surely too large is not even proposed, unless the budget says something else of it.
    assert (found["max_parameters"], found["max_activation_bytes"]) == (20_000, 4 * 15_000)
    free = budget(board=str(own), **{"budget.max_parameters": None, "budget.max_flash_bytes": "50k"})
    assert free["max_parameters"] == 50_000


def test_they_are_listed(capsys):
    assert main(["list", "boards"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == list(board_names())
    assert "leaves 442,368 bytes of flash and 122,880 bytes of RAM" in next(line for line in lines if "446re" in line)


def test_a_network_fits_or_not(own, capsys):
    assert main(["show", "reference/lenet5", "--board", str(own)]) == 0
    told = capsys.readouterr().out
    assert "own: " in told
    assert " bytes of flash too many" in told
    assert main(["show", "reference/lenet5", "--board", "stm32f446re"]) == 0
    assert capsys.readouterr().out.rstrip().endswith(": fits")
