"""nas show: reference networks, the arithmetic, two side by side, the drawing."""

import json
import re

import pytest


def test_a_reference_network_layer_by_layer(run):
    code, out, err = run("show", "reference/alexnet")
    assert (code, err) == (0, "")
    line = next(line for line in out.splitlines() if line.split()[:1] == ["01_conv"])
    assert " ".join(line.split()) == "01_conv conv 55x55x96 11x11 4x4 valid 34,944 105,415,200 0.1% 11x11"
    assert "62,378,344 parameters (62,378,344 trainable, 0 not)" in out


def test_non_trainable_parameters_have_a_column(run):
    _, out, _ = run("show", "reference/densenet121")
    lines = [line.split() for line in out.splitlines()]
    assert ["conv_norm", "112x112x64", "256", "128", "0.0%", "7x7"] in lines


def test_another_input_size(run):
    _, out, _ = run("show", "reference/fcn", "--input", "97x61x3", "--format", "json")
    document = json.loads(out)
    assert document["architecture"]["input_shape"] == [97, 61, 3]
    assert document["parameters"] == 138_357_544


def test_explain_says_what_sharing_saves(run):
    _, out, _ = run("show", "reference/alexnet", "--explain")
    assert re.search(r"11\*11\*3\*96 \+ 96 = 34,944 +105,705,600 +3,025x", out)
    assert "if each of its outputs had weights and a bias of its own" in out
    _, out, _ = run("show", "reference/alexnet", "--explain", "--format", "json")
    first, relu, *_ = json.loads(out)["layers"]
    assert (first["parameters"], first["unshared_parameters"]) == (34_944, 105_705_600)
    assert first["size_arithmetic"] == "floor((227 - 11 + 0) / 4) + 1 = 55"
    assert relu["unshared_parameters"] is None


def test_json_is_the_same_without_explain(run):
    _, out, _ = run("show", "reference/lenet5", "--format", "json")
    document = json.loads(out)
    assert {"architecture", "id", "parameters", "trainable", "non_trainable", "macs", "layers"} <= document.keys()
    assert "unshared_parameters" not in document["layers"][0]
    assert sum(layer["parameters"] for layer in document["layers"]) == 61_706


def test_two_side_by_side(run):
    code, out, _ = run("show", "reference/vgg16", "reference/vgg19")
    assert code == 0
    lines = [" ".join(line.split()) for line in out.splitlines()]
    assert "conv3-64 224x224x64 1,792 86,704,128 = conv3-64 224x224x64 1,792 86,704,128" in lines
    assert "parameters 138,357,544 143,667,240 1.04x" in lines
    assert sum(line.startswith("conv3-512") and "=" not in line for line in lines) == 2


def test_two_side_by_side_as_json(run):
    _, out, _ = run("show", "reference/vgg16", "reference/vgg19", "--format", "json")
    document = json.loads(out)
    assert [entry["target"] for entry in document["architectures"]] == ["reference/vgg16", "reference/vgg19"]
    assert document["difference"]["parameters"] == 143_667_240 - 138_357_544


@pytest.mark.parametrize(("suffix", "start"), [("svg", b"<svg "), ("png", b"\x89PNG"), ("PNG", b"\x89PNG")])
def test_the_drawing(run, tmp_path, suffix, start):
    path = tmp_path / f"drawing.{suffix}"
    code, out, err = run("show", "reference/googlenet", "--diagram", path)
    assert code == 0
    assert path.read_bytes().startswith(start)
    assert str(path) in err
    assert "parameters" in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["reference/lenet5"] * 3, "one network is shown, or two side by side; received 3 targets"),
        (["reference/lenet5"] * 2 + ["--explain"], "--explain, --diagram and --board take one network; name one"),
        (["reference/lenet5", "--diagram", "x.pdf"], "--diagram writes .svg or .png; received 'x.pdf'"),
        (["reference/lenet5", "--diagram", "no/such/x.svg"], "cannot write no/such/x.svg: No such file or directory"),
        (["reference/lenet"], "did you mean 'reference/lenet5'?"),
    ],
)
def test_a_mistake_is_one_line(run, arguments, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, _, err = run("show", *arguments)
    assert code == 1
    assert message in err
    assert err.count("\n") == 1


def test_a_narrow_terminal_cuts_no_number(run, monkeypatch):
    wide = run("show", "reference/lenet5", "--explain")[1]
    monkeypatch.setattr("nas.cli.terminal.output.width", 80)
    _, narrow, _ = run("show", "reference/lenet5", "--explain")
    assert "…" not in narrow
    without_rules = [[word for word in text.split() if set(word) != {"─"}] for text in (narrow, wide)]
    assert without_rules[0] == without_rules[1]
