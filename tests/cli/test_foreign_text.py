"""What comes from a file is shown and not obeyed, and a message has room for the rest."""

import io

import pytest

from nas.cli import terminal
from nas.errors import NasError, printable, shown

RED = "\x1b[31m"


def test_a_space_is_shown_without_its_escapes(run, tmp_path):
    path = tmp_path / "red.yaml"
    path.write_text('description: "a \\e[31m b \\u202e"\nhead: global_pool\n')
    code, out, _ = run("space", "show", path)
    assert code == 0
    assert r"a \x1b[31m b \u202e" in out
    assert RED not in out


@pytest.mark.parametrize("text", ['"\\e[31mx": 1', 'head: "\\e[31mx"', 'head: global_pool\nclasses: "\\e[31m"'])
def test_a_mistake_is_told_without_escapes(run, tmp_path, text):
    path = tmp_path / "red.yaml"
    path.write_text(text)
    code, _, err = run("space", "check", path)
    assert code == 1
    assert r"\x1b[31m" in err
    assert RED not in err


def test_cells_and_tables_are_shown_too(monkeypatch):
    from rich.table import Table

    console = terminal._Console(file=io.StringIO(), width=80)
    table = Table("a" + RED, title="t" + RED)
    table.add_row("b" + RED)
    console.print(table, "c" + RED, markup=False)
    assert RED not in console.file.getvalue()
    assert console.file.getvalue().count(r"\x1b[31m") == 4


@pytest.mark.parametrize(
    "value",
    ["x" * 10**6, b"x" * 10**6, list(range(10**5)), {"x" * 10**5: 1}, 10**4_000, 10**5_000, [10**5_000]],
    ids=range(7),
)
def test_a_long_value_is_echoed_in_its_beginning(value):
    assert len(shown(value)) <= 210


def test_every_error_is_printable():
    class OwnError(NasError):
        pass

    assert str(OwnError(f"no {RED}\ud800\ttab")) == "no \\x1b[31m\\ud800\ttab"
    assert printable("lines\nstay") == "lines\nstay"


@pytest.mark.parametrize(
    ("key", "value"),
    [("space", "x" * 10_000), ("dataset", "x" * 10_000), ("x" * 10_000, 1), ("trials", "x" * 10_000)],
    ids=["space", "dataset", "key", "trials"],
)
def test_a_message_about_a_long_value_can_be_read(run, tmp_path, key, value):
    path = tmp_path / "long.yaml"
    fields = {"space": "tiny", "dataset": "digits"} | {key: value}
    path.write_text("".join(f"{name}: {word}\n" for name, word in fields.items()))
    code, _, err = run("search", path, "--dry-run")
    assert code == 1
    assert err.startswith("Error: ")
    assert len(err) < 2_000


@pytest.mark.parametrize("name", ["../outside", "..", ".", "a/../../outside", "/etc"])
def test_no_name_of_a_search_leads_out_of_the_runs_folder(run, tmp_path, name):
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "experiment.json").write_text("{}")
    (tmp_path / "runs" / "a").mkdir(parents=True)
    for command in ("front", "sync"):
        code, _, err = run(command, name, "--runs-dir", tmp_path / "runs")
        assert code == 1
        assert "there is no search" in err
