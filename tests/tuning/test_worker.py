"""What a worker process does before its first task."""

import os
import sys
import tempfile

import pytest

from nas.tuning import worker
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


def test_temporary_files_of_a_worker_are_in_the_folder_that_its_parent_removes(tmp_path, monkeypatch):
    def stop(devices, threads):
        raise InterruptedError(tempfile.gettempdir(), os.environ["TMPDIR"])

    monkeypatch.setattr(worker, "start_tensorflow", stop)
    monkeypatch.setattr(worker, "_redirect_stderr", lambda log: None)
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setenv("TMPDIR", "/tmp")
    setup = worker.WorkerSetup(slot=0, data=tmp_path, threads=1, devices=None, log=tmp_path / "log", temporary=tmp_path)
    with pytest.raises(InterruptedError) as stopped:
        worker._set_up(setup, None)
    assert stopped.value.args == (str(tmp_path), str(tmp_path))
