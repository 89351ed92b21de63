import pytest

from nas.files import shipped as module
from nas.files.shipped import find_experiment, find_space, shipped
from nas.files.yaml_file import FileError


def test_shipped_files_have_names_without_their_ending():
    spaces = shipped("search_spaces")
    assert {"mixed", "plain", "tiny"} <= set(spaces)
    assert list(spaces) == sorted(spaces)
    assert all(path.is_file() and path.suffix == ".yaml" for path in spaces.values())
    assert find_space("mixed") == spaces["mixed"]


def test_files_in_a_wheel_come_first(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_PACKAGE", tmp_path / "nas")
    for folder, name in (("nas/_data/search_spaces/reference", "vgg"), ("experiments", "mine")):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / f"{name}.yaml").write_text("")
    assert list(shipped("search_spaces")) == ["reference/vgg"]
    assert find_experiment("mine") == tmp_path / "experiments" / "mine.yaml"


def test_a_path_must_end_in_yaml_and_exist(tmp_path):
    path = tmp_path / "mine.yaml"
    with pytest.raises(
        FileError, match=r"^there is no file .*mine\.yaml; give the path of another search space, or one of .*mixed"
    ):
        find_space(str(path))
    with pytest.raises(
        FileError, match=r"^there is no file .*mine\.yaml; give the path of another experiment, or one of "
    ):
        find_experiment(str(path))
    path.write_text("head: flatten")
    assert find_space(str(path)) == path
    assert find_experiment(str(path)) == path


@pytest.mark.parametrize("name", ["mixd", "./mixed", "", "mixed.yml.txt", "a/b"])
def test_an_unknown_name_gets_a_hint_and_the_list(name):
    with pytest.raises(
        FileError, match=r"^there is no search space '.*'.*; give a path ending in \.yaml, or one of .*mixed"
    ):
        find_space(name)


def test_the_hint():
    with pytest.raises(FileError, match=r"^there is no search space 'mixd' \(did you mean 'mixed'\?\); "):
        find_space("mixd")


def test_a_home_that_is_nobodys():
    with pytest.raises(FileError, match=r"^there is no file ~nobody-at-all/x\.yaml; "):
        find_space("~nobody-at-all/x.yaml")
