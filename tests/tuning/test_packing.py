"""A search as one file: all of it arrives, and nothing that a forged file asks for."""

from __future__ import annotations

import gzip
import io
import json
import os
import shutil
import tarfile

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import nas
from nas.cli import main
from nas.tuning import SearchError, SearchFolder, packing
from nas.tuning.packing import pack, unpack


@pytest.fixture(scope="module")
def packed(finished_search, tmp_path_factory):
    file = tmp_path_factory.mktemp("packed") / "digits.tar.gz"
    pack(finished_search.folder, file)
    return file


@pytest.fixture
def forge(tmp_path):
    """A file with these members: names, or (name, changes of its header)."""

    def make(*members, content=b"{}"):
        path = tmp_path / "forged.tar.gz"
        with tarfile.open(path, "w:gz") as archive:
            for member in members:
                name, changes = member if isinstance(member, tuple) else (member, {})
                info = tarfile.TarInfo(name)
                info.size = len(content)
                for key, value in changes.items():
                    setattr(info, key, value)
                archive.addfile(info, io.BytesIO(content) if info.isreg() else None)
        return path

    return make


def files(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_everything_arrives_and_the_search_goes_on_from_there(finished_search, packed, tmp_path):
    shutil.copytree(finished_search.folder.path, tmp_path / "digits")
    (tmp_path / "digits" / "my notes.txt").write_text("kept")
    (tmp_path / "digits" / ".data").mkdir()
    (tmp_path / "digits" / ".data" / "images.npy").write_bytes(b"a copy")
    told = pack(SearchFolder(tmp_path, "digits"), tmp_path / "x" / "digits.tar.gz")
    there = unpack(told.path, tmp_path / "there")
    expected = files(tmp_path / "digits")
    del expected["lock"]
    # Packing holds the lock, and whoever does removes what a killed search left.
    assert ".data/images.npy" not in expected
    assert files(there.path) == expected
    assert os.listdir(tmp_path / "there") == ["digits"]
    assert os.listdir(tmp_path / "x") == ["digits.tar.gz"]
    assert (there.search, there.files, there.bytes) == (told.search, told.files, told.bytes)
    assert told.files == len(expected)
    search = nas.Search("digits", tmp_path / "there")
    assert search.finished
    assert search.front == finished_search.front
    assert search.sync() == len(finished_search.trials)


def test_commands_say_what_they_did(packed, finished_search, tmp_path, capsys):
    runs = ["--runs-dir", str(finished_search.folder.runs_dir)]
    assert main(["pack", "digits", "--to", str(tmp_path / "a.tar.gz"), "--format", "json", *runs]) == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["search"], document["file"]) == ("digits", str(tmp_path / "a.tar.gz"))
    assert document["size"] == (tmp_path / "a.tar.gz").stat().st_size
    assert main(["unpack", str(tmp_path / "a.tar.gz"), "--format", "json", "--runs-dir", str(tmp_path / "r")]) == 0
    assert json.loads(capsys.readouterr().out) == {
        "search": "digits",
        "folder": str(tmp_path / "r" / "digits"),
        "files": document["files"],
        "bytes": document["bytes"],
    }
    assert main(["pack", "digits", "--to", str(tmp_path / "b.tar.gz"), *runs]) == 0
    assert "Packed 'digits' into " in capsys.readouterr().out
    assert main(["unpack", str(tmp_path / "b.tar.gz"), "--runs-dir", str(tmp_path / "s")]) == 0
    captured = capsys.readouterr()
    assert f"Unpacked 'digits' into {tmp_path}/s/digits: {document['files']} files, " in captured.out
    assert f"To create its MLflow runs: nas sync digits --runs-dir {tmp_path}/s" in captured.err


def test_a_search_that_runs_is_not_packed(finished_search, tmp_path):
    with finished_search.folder.locked(), pytest.raises(SearchError, match="is being run by process"):
        pack(finished_search.folder, tmp_path / "a.tar.gz")
    assert os.listdir(tmp_path) == []


def test_nothing_is_replaced(finished_search, packed, tmp_path):
    (tmp_path / "a.tar.gz").write_text("mine")
    with pytest.raises(SearchError, match=r"a\.tar\.gz exists; give another name, or remove it"):
        pack(finished_search.folder, tmp_path / "a.tar.gz")
    (tmp_path / "digits").mkdir()
    with pytest.raises(SearchError, match=r"digits exists; rename or move it, or give another --runs-dir"):
        unpack(packed, tmp_path)
    assert sorted(os.listdir(tmp_path)) == ["a.tar.gz", "digits"]


def test_what_cannot_be_packed_is_said(finished_search, tmp_path):
    with pytest.raises(SearchError, match=r"there is no search 'none'"):
        pack(SearchFolder(tmp_path, "none"), tmp_path / "a.tar.gz")
    assert os.listdir(tmp_path) == []
    with pytest.raises(SearchError, match=r"--to takes a \.tar\.gz file; received 'a\.zip'"):
        pack(finished_search.folder, tmp_path.__class__("a.zip"))
    shutil.copytree(finished_search.folder.path, tmp_path / "digits")
    (tmp_path / "digits" / "link").symlink_to("/etc/passwd")
    with pytest.raises(SearchError, match=r"link is no plain file, and no other is packed"):
        pack(SearchFolder(tmp_path, "digits"), tmp_path / "a.tar.gz")
    assert os.listdir(tmp_path) == ["digits"]


@pytest.mark.parametrize(
    ("member", "message"),
    [
        ("../x", r"a file in the folder of a search was expected, not '\.\./x'"),
        ("a/../../x", r"a file in the folder of a search was expected, not 'a/\.\./\.\./x'"),
        ("/etc/x", r"a file in the folder of a search was expected, not '/etc/x'"),
        ("x", r"a file in the folder of a search was expected, not 'x'"),
        ("./x/y", None),  # another spelling of x/y, and no search
        (".hidden/x", r"a file in the folder of a search was expected, not '\.hidden/x'"),
        ("mlartifacts/x", r"a file in the folder of a search was expected, not 'mlartifacts/x'"),
        (("a/l", {"type": tarfile.SYMTYPE, "linkname": "/etc/passwd"}), r"'a/l' is a link, a device or the like"),
        (("a/l", {"type": tarfile.LNKTYPE, "linkname": "a/x"}), r"'a/l' is a link, a device or the like"),
        (("a/d", {"type": tarfile.CHRTYPE}), r"'a/d' is a link, a device or the like"),
        (("a/f", {"type": tarfile.FIFOTYPE}), r"'a/f' is a link, a device or the like"),
        (("a/h", {"pax_headers": {"comment": "x" * 100_000}}), r"a header of 100,\d\d\d bytes"),
    ],
    ids=lambda value: value if isinstance(value, str) and len(value) < 20 else "",
)
def test_a_forged_file_is_refused_and_leaves_nothing(forge, tmp_path, member, message):
    with pytest.raises(SearchError, match=message or "holds no whole search: there is no search 'x'"):
        unpack(forge(member), tmp_path / "runs" / "inner")
    assert not list((tmp_path / "runs").rglob("*")) or os.listdir(tmp_path / "runs" / "inner") == []
    assert sorted(set(os.listdir(tmp_path)) - {"runs"}) == ["forged.tar.gz"]


def test_two_searches_in_one_file_are_refused(forge, tmp_path):
    with pytest.raises(SearchError, match=r"more than one search: a and b"):
        unpack(forge("a/experiment.json", "b/experiment.json"), tmp_path / "runs")


def test_one_name_twice_is_refused(forge, tmp_path):
    with pytest.raises(SearchError, match="File exists"):
        unpack(forge("a/experiment.json", "a/experiment.json"), tmp_path / "runs")


def test_a_file_that_unpacks_to_too_much_ends_early(forge, tmp_path, monkeypatch):
    monkeypatch.setattr(packing, "_ALLOWANCE", 100_000)
    with pytest.raises(SearchError, match=r"it unpacks to more than [\d,]+ bytes, too many for its size"):
        unpack(forge("a/experiment.json", content=bytes(10_000_000)), tmp_path / "runs")
    monkeypatch.setattr(packing, "MOST_FILES", 10)
    with pytest.raises(SearchError, match=r"more than 10 files"):
        unpack(forge(*(f"a/{number}" for number in range(11))), tmp_path / "runs")
    assert os.listdir(tmp_path / "runs") == []


def test_headers_without_end_are_refused(tmp_path):
    header = tarfile.TarInfo("a/x").create_pax_global_header({"comment": "x"})
    (tmp_path / "deep.tar.gz").write_bytes(gzip.compress(header * 20_000))
    with pytest.raises(SearchError, match="is damaged, or no file of nas pack"):
        unpack(tmp_path / "deep.tar.gz", tmp_path / "runs")


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_damaged_file_is_one_line_and_leaves_nothing(packed, tmp_path, data):
    content = bytearray(packed.read_bytes())
    if data.draw(st.booleans(), label="inside"):  # as if the checksum had been mended
        content = bytearray(gzip.decompress(content))
    place = data.draw(st.integers(0, len(content) - 1), label="place")
    if data.draw(st.booleans(), label="cut"):
        content = content[:place]
    else:
        content[place] ^= data.draw(st.integers(1, 255), label="changed")
    path = tmp_path / "damaged.tar.gz"
    path.write_bytes(content if content[:2] == b"\x1f\x8b" else gzip.compress(content))
    refusal = ""
    try:
        shutil.rmtree(unpack(path, tmp_path / "runs").path)  # what was changed means nothing
    except SearchError as error:
        refusal = str(error)
    assert "\n" not in refusal
    assert not (tmp_path / "runs").exists() or os.listdir(tmp_path / "runs") == []


def test_a_killed_unpacking_is_no_search_and_does_not_stop_the_next(packed, tmp_path):
    draft = tmp_path / ".digits.unpacking" / "digits"
    draft.mkdir(parents=True)
    (draft / "experiment.json").write_text("half")
    assert nas.tuning.searches(tmp_path) == []
    assert unpack(packed, tmp_path).path == tmp_path / "digits"
    assert os.listdir(tmp_path) == ["digits"]


def test_a_full_disk_is_one_line_and_leaves_nothing(packed, finished_search, tmp_path, full_disk):
    with full_disk(500):
        with pytest.raises(SearchError, match=r"cannot unpack .* into .*: File too large"):
            unpack(packed, tmp_path / "runs")
        with pytest.raises(SearchError, match=r"cannot write .*: File too large; choose another file"):
            pack(finished_search.folder, tmp_path / "a.tar.gz")
    assert os.listdir(tmp_path) == ["runs"]
    assert os.listdir(tmp_path / "runs") == []


def test_a_second_copy_beside_the_first_is_another_search_in_mlflow(packed, finished_search, tmp_path):
    first = unpack(packed, tmp_path).path
    kept = (first / "search_id").read_text()
    assert kept == (finished_search.folder.path / "search_id").read_text()
    first.rename(tmp_path / "renamed")
    second = unpack(packed, tmp_path).path
    assert not (second / "search_id").exists()
    assert (tmp_path / "renamed" / "search_id").read_text() == kept
