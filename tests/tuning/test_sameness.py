"""What makes a search the same."""

import pytest

from nas.files.shipped import find_space
from nas.tuning.sameness import is_same_space

TINY = find_space("tiny").read_text(encoding="utf-8")


def test_a_space_is_its_decisions_and_not_its_words():
    assert is_same_space(TINY, TINY)
    reworded = "# another comment\n" + TINY.replace("Networks of a few hundred", "Those of some hundred", 1)
    assert "some hundred" in reworded
    assert is_same_space(TINY, reworded)


@pytest.mark.parametrize(("before", "after"), [("[3, 5]", "[3]"), ("[0, 1, 2]", "[0, 1, 2, 3]")])
def test_other_decisions_are_another_space(before, after):
    changed = TINY.replace(before, after, 1)
    assert changed != TINY
    assert not is_same_space(TINY, changed)
