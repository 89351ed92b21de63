"""An export replaces what nas wrote, and nothing else."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from nas.export.place import foreign, put_in_place, recover, staging, write_card


def make(to, content="ours"):
    with staging(to) as stage:
        (stage / "assets").mkdir()
        (stage / "variables").mkdir()
        (stage / "variables" / "data").write_text(content)
        (stage / "model.pb").write_text(content)
        write_card(stage, {"created_by": "nas test"})
        put_in_place(stage, to)


def tree(folder):
    return {
        str(path.relative_to(folder)): os.readlink(path) if path.is_symlink() else path.is_file() and path.read_bytes()
        for path in sorted(folder.rglob("*"))
    }


NAMES = st.sampled_from(
    ["model.pb", "notes.txt", "export.json", "variables/data", "variables/mine", "assets/mine", "x"]
)
CHANGES = st.tuples(NAMES, st.sampled_from(["file", "folder", "link", "delete"]), st.sampled_from(["", "ours", "{}"]))
BESIDE = st.sampled_from(
    [".model.old-mine/export/a", ".model.old-x/b", ".model.export-x/new/c", ".model.export-x/old/d"]
)


def change(root, name, kind, content):
    path = root / name
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    if kind == "file":
        path.write_text(content)
    elif kind == "folder":
        path.mkdir()
    elif kind == "link":
        path.symlink_to("/dev/null")


@settings(max_examples=150, deadline=None)
@given(ours=st.booleans(), changes=st.lists(CHANGES, max_size=4), beside=st.lists(BESIDE, max_size=3))
def test_whatever_is_there_either_is_ours_or_stays(ours, changes, beside):
    with tempfile.TemporaryDirectory() as scratch:
        to = Path(scratch) / "model"
        to.mkdir()
        if ours:
            to.rmdir()
            make(to)
        written = tree(to)
        for name, kind, content in changes:
            change(to, name, kind, content)
        for name in beside:
            change(Path(scratch), name, "file", "mine")
        before = tree(Path(scratch))
        there = tree(to)
        owned = all(name in written and written[name] == value for name, value in there.items())
        recover(to)
        assert tree(Path(scratch)) == before
        assert (foreign(to) == "") == (owned and (not there or "export.json" in there))
        if foreign(to) == "":
            make(to, "again")
            after = tree(Path(scratch))
            assert {k: v for k, v in before.items() if not k.startswith("model")}.items() <= after.items()
            assert after["model/model.pb"] == b"again"
            assert sorted(os.listdir(to)) == ["assets", "export.json", "model.pb", "variables"]


def killed(to, where):
    """An export that is killed before or between its renames."""
    code = f"""
import os, signal, sys
from pathlib import Path
sys.path.insert(0, {str(Path(__file__).parent)!r})
import test_place
def kill(*_): os.kill(os.getpid(), signal.SIGKILL)
real = Path.rename
def rename(a, b):
    if a.name == "new": kill()
    return real(a, b)
if {where!r} == "writing": test_place.put_in_place = kill
Path.rename = rename
test_place.make(Path({str(to)!r}), "second")
"""
    assert subprocess.run([sys.executable, "-c", code], timeout=60).returncode == -signal.SIGKILL
    return [name for name in os.listdir(to.parent) if name.startswith(".model.export-")]


def test_a_killed_export_leaves_nothing_after_the_next(tmp_path):
    to = tmp_path / "model"
    for where in ("writing", "renaming"):
        shutil.rmtree(to, ignore_errors=True)
        make(to)
        first = tree(to)
        assert len(killed(to, where)) == 1
        assert to.exists() == (where == "writing")
        recover(to)
        assert os.listdir(tmp_path) == ["model"]
        assert tree(to) == first


def test_an_export_that_lives_is_left_alone(tmp_path):
    with staging(tmp_path / "model") as stage:
        recover(tmp_path / "model")
        assert stage.is_dir()
    assert os.listdir(tmp_path) == []


def test_a_file_put_into_what_was_moved_aside_is_kept(tmp_path):
    to = tmp_path / "model"
    make(to)
    with staging(to) as stage:
        write_card(stage, {})
        put_in_place(stage, to)
        (stage.parent / "old" / "variables" / "mine").write_text("mine")
    (around,) = tmp_path.glob(".model.export-*")
    recover(to)
    assert tree(around / "old")["variables/mine"] == b"mine"
