"""A temporary folder ends with its process or with the next one, and nobody else's is touched."""

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from nas.files.temporary import own_temporary, temporary_files_in

ROOT = Path(__file__).parents[2]


def test_it_is_gone_at_the_end(tmp_path):
    with own_temporary(parent=tmp_path) as folder:
        (folder / "deep").mkdir()
        (folder / "deep" / "file").touch()
    assert os.listdir(tmp_path) == []


def test_what_a_killed_process_left_is_removed_and_what_lives_is_not(tmp_path):
    code = (
        "import sys, time; from nas.files.temporary import own_temporary\n"
        "with own_temporary() as folder: (folder / 'x').touch(); print(folder, flush=True); time.sleep(60)"
    )
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    command = [sys.executable, "-c", code]
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True) as process:
        left = Path(process.stdout.readline().strip())
        with own_temporary(parent=tmp_path) as folder, own_temporary(parent=tmp_path) as other:
            assert set(tmp_path.iterdir()) == {left, folder, other}
        process.send_signal(signal.SIGKILL)
        process.wait()
        with own_temporary(parent=tmp_path) as folder:
            assert set(tmp_path.iterdir()) == {folder}


def test_what_others_call_alike_stays(tmp_path):
    (tmp_path / "nas-notes").mkdir()
    (tmp_path / "nas-notes" / "thesis.txt").touch()
    (tmp_path / "nas-pipe").mkdir()
    os.mkfifo(tmp_path / "nas-pipe" / ".nas")
    (tmp_path / "nas-other").mkdir()
    (tmp_path / "nas-other" / ".nas").write_text("mine")
    (tmp_path / "nas-file").touch()
    before = sorted(tmp_path.rglob("*"))
    with own_temporary(parent=tmp_path):
        pass
    assert sorted(tmp_path.rglob("*")) == before


def test_what_libraries_leave_is_left_inside(tmp_path):
    before = tempfile.gettempdir()
    with own_temporary(parent=tmp_path) as folder, temporary_files_in(folder):
        assert Path(tempfile.mkdtemp()).parent == folder
    assert tempfile.gettempdir() == before
    assert os.listdir(tmp_path) == []
