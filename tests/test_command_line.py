"""Command lines that are printed work where they are copied to."""

import sys
from pathlib import Path

import pytest

from nas.command_line import RUNS_DIR, command_line, without_password


def test_only_what_is_not_the_default_is_named(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["script.py"])
    assert command_line("ui", "digits", runs_dir=RUNS_DIR) == "nas ui digits"
    there = command_line("sync", "my digits", runs_dir=Path("/data/my runs"), tracking_uri="http://host:5000")
    assert there == "nas sync 'my digits' --tracking-uri http://host:5000 --runs-dir '/data/my runs'"


def test_a_password_is_not_printed(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["script.py"])
    line = command_line("sync", "digits", runs_dir=RUNS_DIR, tracking_uri="https://me:secret@host/mlflow")
    assert line == "nas sync digits --tracking-uri 'https://me:***@host/mlflow'"


def test_a_program_that_is_not_on_the_path_is_called_as_it_was(monkeypatch, tmp_path):
    program = tmp_path / "bin" / "nas"
    monkeypatch.setattr(sys, "argv", [str(program)])
    assert command_line("list", "spaces", runs_dir=RUNS_DIR) == f"{program} list spaces"


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("https://t0ken@host", "https://***@host"),
        ("https://me:a/b@host/x", "https://me:***@host/x"),
        ("https://me:a@b@host/x", "https://me:***@host/x"),
        ("mysql://host/db?user=me&password=secret&ssl=1", "mysql://host/db?user=me&password=***&ssl=1"),
        ("API request to http://me:secret@host/api failed, see http://host/x", None),
        ("http://host:5000/#/experiments/1", "http://host:5000/#/experiments/1"),
        ("--set training.epochs=3", "--set training.epochs=3"),
    ],
)
def test_nothing_secret_of_an_address_is_shown(given, shown):
    expected = shown or "API request to http://me:***@host/api failed, see http://host/x"
    assert without_password(given) == expected
