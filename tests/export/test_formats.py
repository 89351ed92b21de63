"""The contract of every registered export format, and the one way that all exports take."""

import json
import locale
import os
import resource
import signal
import stat

import numpy as np
import pytest

from nas.architecture import Architecture
from nas.architecture.blocks import Conv, GlobalPoolHead, Inception, Pool, RegionHead, Residual
from nas.devices import import_tensorflow
from nas.errors import NasError
from nas.export import FORMATS, ExportError, ExportFormat, export
from nas.export.format import Source
from nas.reports.network_diagram import diagram
from nas.training import answers_of, rebuild

LABELS = ("zero", "one", "a label\nof two lines")


@pytest.fixture(scope="module")
def network():
    blocks = (
        Conv(filters=6, padding="valid"),
        Inception(branch1x1=2, branch3x3=2, branch5x5=2, branch_pool=2),
        Residual(filters=8),
        Pool(),
        GlobalPoolHead(classes=3),
    )
    return Architecture(input_shape=(9, 7, 3), blocks=blocks)


@pytest.fixture(scope="module")
def weights(network):
    """Initial weights, disturbed so that offsets and statistics matter and no two arrays are equal."""
    import_tensorflow()
    import keras

    keras.utils.set_random_seed(0)
    rng = np.random.default_rng(0)
    return [(w + rng.normal(0, 0.1, w.shape)).astype(np.float32) for w in network.build().get_weights()]


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(1).integers(0, 256, (700, 9, 7, 3), np.uint8)


@pytest.fixture
def arguments(network, weights, images):
    """The targets are what the trained network answers."""
    targets = answers_of(network, rebuild(network, weights), images).argmax(axis=1)
    return {
        "architecture": network,
        "weights": weights,
        "labels": LABELS,
        "check_images": images,
        "check_targets": targets,
        "calibration": images,
    }


@pytest.mark.parametrize("name", sorted(FORMATS))
def test_an_export_predicts_what_the_trained_network_predicts(name, arguments, tmp_path):
    report = export(**arguments, to=tmp_path / "model", format=name)

    (written,) = report.written
    assert (written.format, written.images_checked, report.path) == (name, 700, tmp_path / "model")
    assert report.bytes == sum(file.stat().st_size for file in report.path.rglob("*") if file.is_file())
    network, images = arguments["architecture"], arguments["check_images"]
    trained = answers_of(network, rebuild(network, arguments["weights"]), images)
    again = FORMATS[name].predict(network, report.path, images)
    # The images are told apart, so that the comparison can fail.
    assert trained.std(axis=0).max() > 0.005
    assert np.abs(again - trained).max() == written.largest_difference
    before, after = written.scores["val"]
    assert before == 1
    assert after == pytest.approx((again.argmax(axis=1) == trained.argmax(axis=1)).mean())
    if FORMATS[name].is_quantized:
        assert after > 0.97
    else:
        assert written.largest_difference <= FORMATS[name].tolerance
        np.testing.assert_allclose(again.sum(axis=1), 1, atol=1e-5)


def test_large_constants_of_layers_are_no_inputs_of_an_onnx_file(tmp_path):
    """Of fixed windows, for example: only those of at least 128 bytes were."""
    import_tensorflow()
    import onnxruntime

    head = RegionHead(classes=2, proposals="windows", sizes=(0.3,), bins=(2,), units=())
    network = Architecture(input_shape=(9, 7, 1), blocks=(Conv(filters=2), head))
    images = np.random.default_rng(0).integers(0, 256, (5, 9, 7, 1), np.uint8)
    model = network.build()
    FORMATS["onnx"].write(Source(architecture=network, model=model, labels=("a", "b"), calibration=None), tmp_path)

    session = onnxruntime.InferenceSession(tmp_path / "model.onnx")
    assert [[each.name for each in side] for side in (session.get_inputs(), session.get_outputs())] == [
        ["image"],
        ["candidates"],
    ]
    expected = answers_of(network, model, images)
    assert FORMATS["onnx"].predict(network, tmp_path, images) == pytest.approx(expected, abs=1e-5)


def test_all_formats_lie_in_one_folder(arguments, tmp_path):
    report = export(**arguments, to=tmp_path / "model", format=",".join(sorted(FORMATS)))
    assert [each.format for each in report.written] == sorted(FORMATS)
    card = json.loads((report.path / "export.json").read_text())
    assert {name: facts["bytes"] for name, facts in card["formats"].items()} == {
        each.format: each.bytes for each in report.written
    }
    for each in report.written:
        again = FORMATS[each.format].predict(arguments["architecture"], report.path, arguments["check_images"][:50])
        assert again.shape == (50, 3)


def test_labels_architecture_and_card_lie_beside_it_and_nothing_else_is_left(arguments, tmp_path, honest):
    export(**arguments, to=tmp_path / "deep" / "model", format=honest)

    folder = tmp_path / "deep" / "model"
    assert (folder / "labels.txt").read_text().splitlines() == ["zero", "one", "a label of two lines"]
    assert Architecture.from_json((folder / "architecture.json").read_text()) == arguments["architecture"]
    assert (folder / "architecture.svg").read_text() == diagram(arguments["architecture"]).svg()
    card = json.loads((folder / "export.json").read_text())
    assert (list(card["formats"]), card["architecture"]) == ([honest], arguments["architecture"].id)
    assert os.listdir(tmp_path / "deep") == ["model"]
    assert stat.S_IMODE(folder.stat().st_mode) & 0o055 == 0o055


def test_labels_are_utf8_in_every_locale(arguments, tmp_path, honest):
    before = locale.setlocale(locale.LC_CTYPE)
    locale.setlocale(locale.LC_CTYPE, "C")
    try:
        export(**arguments | {"labels": ["猫", "été", "eel"]}, to=tmp_path / "model", format=honest)
    finally:
        locale.setlocale(locale.LC_CTYPE, before)
    assert (tmp_path / "model" / "labels.txt").read_text(encoding="utf-8") == "猫\nété\neel\n"


def test_a_mixed_precision_policy_does_not_reach_the_export(arguments, tmp_path):
    import keras

    keras.config.set_dtype_policy("mixed_float16")
    try:
        assert export(**arguments, to=tmp_path / "model").largest_difference <= 1e-5
        assert keras.config.dtype_policy().name == "mixed_float16"
    finally:
        keras.config.set_dtype_policy("float32")


class Wrong(ExportFormat):
    """Writes a file and predicts as told."""

    name = "wrong"

    def __init__(self, change):
        self.change = change

    def write(self, source, folder):
        self.model = source.model
        (folder / "model.bin").write_bytes(b"0" * 100_000)

    def predict(self, architecture, folder, images):
        return self.change(answers_of(architecture, self.model, images))


WRONG = {
    "another class": (
        lambda p: p[:, ::-1],
        r"differ by up to .* and [1-9]\d* of 700 images change their class",
    ),
    "slightly off": (
        lambda p: p + np.float32(3e-3),
        r"differ by up to 0\.003 \(allowed for that image: 0\.000\d+\), and 0 of 700",
    ),
    "not a number": (lambda p: p * np.nan, "predicts something else"),
    "another shape": (lambda p: p[:5], r"answers with shape \(5, 3\) instead of \(700, 3\)"),
}


@pytest.mark.parametrize(("change", "message"), WRONG.values(), ids=WRONG)
def test_an_export_that_predicts_something_else_never_gets_its_place(change, message, arguments, tmp_path, monkeypatch):
    monkeypatch.setitem(FORMATS._items, "wrong", Wrong(change))
    with pytest.raises(ExportError, match=message):
        export(**arguments, to=tmp_path / "model", format="wrong")
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def honest(monkeypatch):
    monkeypatch.setitem(FORMATS._items, "wrong", Wrong(lambda p: p))
    return "wrong"


def test_an_earlier_export_is_replaced_whole_and_keeps_its_permissions(arguments, tmp_path, honest):
    export(**arguments, to=tmp_path / "model", format=honest)
    (tmp_path / "model").chmod(0o750)
    (tmp_path / "model" / "labels.txt").unlink()
    export(**arguments, to=tmp_path / "model", format=honest)

    assert sorted(os.listdir(tmp_path / "model")) == [
        "architecture.json",
        "architecture.svg",
        "export.json",
        "labels.txt",
        "model.bin",
        "predictions.svg",
    ]
    assert os.listdir(tmp_path) == ["model"]
    assert stat.S_IMODE((tmp_path / "model").stat().st_mode) == 0o750


def test_an_earlier_export_survives_one_that_fails(arguments, tmp_path, honest, monkeypatch):
    export(**arguments, to=tmp_path / "model", format=honest)
    before = (tmp_path / "model").stat().st_ino
    monkeypatch.setitem(FORMATS._items, "wrong", Wrong(lambda p: p * 0))
    with pytest.raises(ExportError):
        export(**arguments, to=tmp_path / "model", format=honest)
    assert (tmp_path / "model").stat().st_ino == before
    assert os.listdir(tmp_path) == ["model"]


def test_a_file_that_arrives_during_an_export_stays(arguments, tmp_path, honest, monkeypatch):
    export(**arguments, to=tmp_path / "model", format=honest)

    def arrive(answers):
        (tmp_path / "model" / "mine").touch()
        return answers

    monkeypatch.setitem(FORMATS._items, "wrong", Wrong(arrive))
    with pytest.raises(
        ExportError, match=r"model, where 'mine' is not as nas wrote it; nothing was changed; choose another folder"
    ):
        export(**arguments, to=tmp_path / "model", format=honest)
    assert (tmp_path / "model" / "mine").exists()
    assert os.listdir(tmp_path) == ["model"]


def test_an_empty_folder_is_used(arguments, tmp_path, honest):
    (tmp_path / "model").mkdir()
    assert export(**arguments, to=tmp_path / "model", format=honest).path.is_dir()


@pytest.mark.parametrize("name", ["proj [2024]", "a\\b"])
def test_a_folder_that_tensorflow_takes_for_a_pattern_is_refused(name, arguments, tmp_path, honest):
    with pytest.raises(ExportError, match=r"must have no \[ and no \\, which TensorFlow takes for patterns; received"):
        export(**arguments, to=tmp_path / name / "model", format=honest)
    assert not (tmp_path / name).exists()


@pytest.mark.parametrize("kind", ["folder", "file"])
def test_what_is_not_ours_is_never_overwritten(kind, arguments, tmp_path, honest):
    precious = tmp_path / "model" / "precious" if kind == "folder" else tmp_path / "model"
    precious.parent.mkdir(exist_ok=True)
    precious.write_text("mine")
    with pytest.raises(
        ExportError, match=r"or replace an earlier export of nas; received .*model, where .* is not as nas wrote"
    ):
        export(**arguments, to=tmp_path / "model", format=honest)
    assert precious.read_text() == "mine"


def test_a_folder_that_cannot_be_made_is_one_line(arguments, tmp_path, honest):
    (tmp_path / "file").touch()
    with pytest.raises(NasError, match=r"cannot write the export to .*file/model: File exists") as error:
        export(**arguments, to=tmp_path / "file" / "model", format=honest)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", [*sorted(FORMATS), "wrong"])
def test_a_full_disk_is_one_line_and_leaves_nothing(name, arguments, tmp_path, honest):
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    previous = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_024, limit[1]))  # stands in for a disk that is full
    try:
        with pytest.raises(NasError, match=r"cannot write the export to .*model: ") as error:
            export(**arguments, to=tmp_path / "model", format=name)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
        signal.signal(signal.SIGXFSZ, previous)
    assert "\n" not in str(error.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"format": "pickle"},
            r"there is no export format 'pickle'; use one of c, keras, litert, litert-int8, ",
        ),
        (
            {"labels": ("a", "b")},
            r"the network must return 2 numbers, one a class; its output is \(3,\); pass the labels",
        ),
        (
            {"check_images": np.zeros((2, 8, 8, 1), np.uint8)},
            r"uint8 of shape \(n, 9, 7, 3\); received uint8 \(2, 8, 8, 1\)",
        ),
        ({"check_images": np.zeros((2, 9, 7, 3), np.float32)}, "received float32"),
        (
            {"check_images": np.zeros((0, 9, 7, 3), np.uint8)},
            "at least one image to check; received none",
        ),
        ({"weights": []}, r"arrays with [\d,]+ values; received 0 with 0"),
    ],
)
def test_bad_input_is_refused_before_anything_is_written(change, message, arguments, tmp_path):
    with pytest.raises(NasError, match=message):
        export(**arguments | change, to=tmp_path / "model")
    assert list(tmp_path.iterdir()) == []


def test_a_quantized_network_needs_training_images(arguments, tmp_path):
    with pytest.raises(
        ExportError, match="a quantized network is calibrated on training images, and judged by its score"
    ):
        export(**arguments | {"calibration": None}, to=tmp_path / "model", format="litert-int8")


def test_a_quantized_network_that_loses_too_much_is_refused_unless_that_is_allowed(arguments, tmp_path, monkeypatch):
    """Of 700 images, the last 14, or two points, are answered otherwise."""

    def wrong(answers):
        return np.concatenate([answers[:-14], answers[-14:, [1, 2, 0]]])

    quantized = Wrong(wrong)
    quantized.is_quantized = True
    monkeypatch.setitem(FORMATS._items, "wrong", quantized)
    with pytest.raises(ExportError) as error:
        export(**arguments, to=tmp_path / "model", format="wrong")
    assert str(error.value) == (
        "the wrong export loses 2.00 points of validation accuracy (100.00% trained, 98.00% exported); 1.00 are "
        "allowed; nothing was written; choose another network, or allow more with --allow-loss"
    )
    assert not (tmp_path / "model").exists()
    report = export(**arguments, to=tmp_path / "model", format="wrong", allowed_loss=0.02)
    assert report.written[0].scores["val"] == (1, pytest.approx(0.98))


def test_what_is_not_installed_is_named_before_anything_is_trained_or_written(arguments, tmp_path, monkeypatch):
    monkeypatch.setattr("nas.export.format.find_spec", lambda package: None)
    with pytest.raises(ExportError) as error:
        export(**arguments, to=tmp_path / "model", format="c")
    assert str(error.value) == "--format c needs tflite_micro; install with: pip install 'keras-nas[tflm]'"
