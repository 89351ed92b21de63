"""Files of others are an error in one line, or right; benchmarks/fuzz.py tries many more of them."""

import random

import pytest

from benchmarks.fuzz import KINDS, kinds, outcome

MUTATIONS = 200


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return kinds(tmp_path_factory.mktemp("fuzz"))


def test_every_kind_is_tried(made):
    assert tuple(made) == KINDS


@pytest.mark.parametrize("name", KINDS)
def test_mutated_files_end_in_a_line_or_are_right(made, monkeypatch, tmp_path, name):
    monkeypatch.chdir(tmp_path)  # a mutated name of data is no folder here
    kind = made[name]
    assert outcome(kind, kind.content) == "accepted"
    wrong = {}
    for number in range(MUTATIONS):
        content = kind.mutate(kind.content, random.Random(f"{name}/{number}"))
        if (what := outcome(kind, content)) not in ("accepted", "refused"):
            wrong.setdefault(what, content)
    assert not wrong
