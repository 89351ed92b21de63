"""What a worker process does before its first task."""

import sys

import pytest

from nas.tuning.worker import _without


def test_what_is_hidden_from_an_import_can_be_imported_afterwards(monkeypatch):
    monkeypatch.delitem(sys.modules, "wave", raising=False)
    here = sys.modules["json"]
    with _without({"wave", "json"}):
        with pytest.raises(ImportError):
            import wave
        assert sys.modules["json"] is here
    import wave

    assert wave.open
