"""A file is there as a whole or not at all."""

import pytest

from nas.files.durable import StateError, write_atomically


def test_a_file_is_replaced_as_a_whole(tmp_path, full_disk):
    path = tmp_path / "a.json"
    write_atomically(path, "old")
    with full_disk(1), pytest.raises(StateError, match="File too large"):
        write_atomically(path, "new")
    assert path.read_text() == "old"
