"""YAML as data: hostile and broken files end in one sentence that names the file and the line."""

import pytest

from nas.files.yaml_file import FileError, dotted, load_yaml, parse_yaml


def test_lines_of_keys_and_items():
    file = parse_yaml("a: 1\nb:\n  - x\n  - c: 2\n", "f.yaml")
    assert file.data == {"a": 1, "b": ["x", {"c": 2}]}
    assert file.lines[("a",)] == 1
    assert file.lines[("b", 1, "c")] == 4
    assert str(file.error(("b", 1, "c"), "is bad")) == "f.yaml:4: b[1].c: is bad"
    # A place that the file does not have is shown with the line of the nearest one that it has.
    assert str(file.error(("b", 1, "d"), "is bad")) == "f.yaml:4: b[1].d: is bad"
    assert str(file.error((), "is bad")) == "f.yaml:1: is bad"


@pytest.mark.parametrize("text", ["", "# only a comment\n", "---\n"])
def test_an_empty_file_is_nothing(text):
    assert parse_yaml(text, "f.yaml").data is None


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("a: [1\nb: 2", r"^f\.yaml:2: this is not YAML: expected ',' or ']', but got "),
        ("a: b: c", r"^f\.yaml:1: this is not YAML: mapping values are not allowed here$"),
        ("a: 1\n---\nb: 2", r"^f\.yaml:2: this is not YAML: but found another document$"),
        ("a: *b", r"^f\.yaml:1: this is not YAML: found undefined alias 'b'$"),
        ("\x00", r"^f\.yaml: this is not YAML: unacceptable character"),
        ("x: 1\ny: 2\nx: 3", r"^f\.yaml:3: x is given twice$"),
        ("a:\n  - {k: 1, k: 2}", r"^f\.yaml:2: a\[0\]\.k is given twice$"),
        ("1: x", r"^f\.yaml:1: keys are words; received 1; write '1'$"),
        ("a: {true: x}", r"^f\.yaml:1: keys are words; received true; write 'true'$"),
        ("[a]: x", r"^f\.yaml:1: keys are words; received "),
        ("{a: b}: x", r"^f\.yaml:1: keys are words; received "),
        (
            "a: !!python/object/apply:os.system ['touch pwned']",
            r"^f\.yaml:1: this is not YAML: only plain data is read; rec",
        ),
        ("a: !!python/object:os.system {a: b}", r"^f\.yaml:1: this is not YAML: only plain data is read; received "),
        ("a: !!python/name:os.system", r"^f\.yaml:1: this is not YAML: could not determine a constructor for the tag"),
        ("a: !mine 5", r"^f\.yaml:1: this is not YAML: could not determine a constructor for the tag"),
        ("a: !mine [5]", r"^f\.yaml:1: this is not YAML: only plain data is read; received !mine$"),
        ("a: 2024-13-45", r"^f\.yaml:1: '2024-13-45' is no value: month must be in 1\.\.12$"),
        ("a: !!int x", r"^f\.yaml:1: 'x' is no value: "),
        ("a: !!bool x", r"^f\.yaml:1: 'x' is no value: "),
        ("a: !!timestamp x", r"^f\.yaml:1: 'x' is no value: "),
        ("<<: 5", r"^f\.yaml:1: `<<` takes a mapping, such as an alias of one$"),
        ("a: &a [*a]", r"^f\.yaml: at most 20,000 values, 50 deep, are read; simplify the file$"),
        ("a: &a {b: *a}", r"^f\.yaml: at most 20,000 values, 50 deep, are read; simplify the file$"),
        ("[" * 60 + "]" * 60, r"^f\.yaml: at most 20,000 values, 50 deep, are read; simplify the file$"),
        ("[" * 5_000 + "]" * 5_000, r"^f\.yaml: at most 20,000 values, 50 deep, are read; simplify the file$"),
        ("[" + "1," * 500_000 + "1]", r"^f\.yaml: at most 20,000 values, 50 deep, are read; simplify the file$"),
        ("a: 0x" + "f" * 5_000, r"^f\.yaml:1: a number has at most 400 digits; received one of 5,002$"),
        ("a: " + "9" * 5_000, r"^f\.yaml:1: a number has at most 400 digits; received one of 5,000$"),
        ("a: !!int " + "x" * 300, r"^f\.yaml:1: 'x{197}'\.\.\. is no value: "),
    ],
)
def test_what_cannot_be_read(text, sentence, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileError, match=sentence):
        parse_yaml(text, "f.yaml")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("item", ["[{}]", "{{<<: [{}]}}"])
def test_aliases_of_aliases_are_stopped_before_they_fill_the_memory(item):
    start = "a0: &a0 [1]\n" if item.startswith("[") else "a0: &a0 {k: 1}\n"
    levels = [f"a{n}: &a{n} {item.format(', '.join([f'*a{n - 1}'] * 10))}\n" for n in range(1, 30)]
    with pytest.raises(FileError, match=r"^bomb\.yaml: at most 20,000 values, 50 deep, are read; simplify the file$"):
        parse_yaml(start + "".join(levels), "bomb.yaml")


def test_merged_keys_give_way_to_own_ones_and_the_first_source_wins():
    text = "a: &a {x: 1, y: 1}\nb: &b {x: 2, z: 2}\nc: {y: 3, <<: [*a, *b]}\nd: {<<: *a}\ne: *a\n"
    data = parse_yaml(text, "f.yaml").data
    assert data["c"] == {"x": 1, "y": 3, "z": 2}
    assert data["d"] == data["e"] == {"x": 1, "y": 1}


def test_an_alias_is_a_copy():
    data = parse_yaml("a: &a [1]\nb: *a", "f.yaml").data
    assert data == {"a": [1], "b": [1]}
    assert data["a"] is not data["b"]


def test_files_that_cannot_be_opened(tmp_path):
    with pytest.raises(FileError, match=r"^cannot read .*none\.yaml: No such file or directory$"):
        load_yaml(tmp_path / "none.yaml")
    with pytest.raises(FileError, match=r"^cannot read .*: it is a folder, not a file$"):
        load_yaml(tmp_path)
    path = tmp_path / "latin.yaml"
    path.write_bytes(b"a: \xff")
    with pytest.raises(FileError, match=r"latin\.yaml: it is not UTF-8 text$"):
        load_yaml(path)


def test_unknown_keys_get_a_hint():
    file = parse_yaml("filtres: 1\nzzz: 2", "f.yaml")
    with pytest.raises(
        FileError, match=r"^f\.yaml:1: filtres: unknown key \(did you mean 'filters'\?\); use one of filters, repeat$"
    ):
        file.check_keys((), file.data, {"filters", "repeat"})
    with pytest.raises(FileError, match=r"^f\.yaml:2: zzz: unknown key; use one of filters, filtres$"):
        file.check_keys((), file.data, {"filters", "filtres"})


def test_a_path_as_people_write_it():
    assert dotted(()) == ""
    assert dotted(("stages", 0, "choose", 2, "conv")) == "stages[0].choose[2].conv"


@pytest.mark.parametrize(("text", "number"), [("010", 8), ("10:30", 630), ("1:0:0.5", 3600.5), ("-012", -10)])
def test_numbers_that_are_not_what_they_look_like(text, number):
    sentence = f"^it:2: YAML reads {text} in eights or sixties, as {number}; write that number, or text in quotes$"
    with pytest.raises(FileError, match=sentence):
        parse_yaml(f"a: 1\nb: {text}", "it")
    assert parse_yaml(f"b: '{text}'", "it").data == {"b": text}


def test_zeros_and_fractions_are_numbers():
    assert parse_yaml("[0, 0.5, -0.25, 1_000, 0x10, 1.0e-3]", "it").data == [0, 0.5, -0.25, 1000, 16, 1e-3]
