from __future__ import annotations

import json
import locale
import shutil
import time

import numpy as np
import pytest

from nas.config import DatasetConfig
from nas.datasets import DatasetError, DatasetInfo, known_datasets, load, peek, prepare_tfds


def test_own_test_split_is_kept(tiny_tfds, numbers):
    spec = load(DatasetConfig(name="tiny_emnist/three", data_dir=str(tiny_tfds)))
    assert sorted(numbers(spec.test.images)) == list(range(30))
    assert (len(spec.train), len(spec.validation)) == (72, 18)


def test_resized(tiny_tfds):
    config = DatasetConfig(name="tiny_emnist/three", data_dir=str(tiny_tfds), image_size=14)
    assert load(config).train.images.shape[1:] == peek(config).input_shape == (14, 14, 1)


def test_resized_to_height_and_width(tiny_tfds):
    config = DatasetConfig(name="tiny_emnist/three", data_dir=str(tiny_tfds), image_size="14x20", fit="pad")
    images = load(config).train.images
    assert images.shape[1:] == peek(config).input_shape == (14, 20, 1)
    assert (images[:, :, [0, 1, 2, 17, 18, 19]] == 255).all()
    assert (images[:, :, 3:17] < 255).any()


@pytest.fixture(scope="module")
def several_sizes(tmp_path_factory):
    """A TFDS folder with `shapes`: images of 4x12 and 12x4, whose middle 4x4 is 60 and the rest 30."""
    import tensorflow_datasets as tfds

    class Shapes(tfds.core.GeneratorBasedBuilder):
        """Two shapes."""

        VERSION = tfds.core.Version("1.0.0")

        def _info(self):
            features = {
                "image": tfds.features.Image(shape=(None, None, 1)),
                "label": tfds.features.ClassLabel(num_classes=2),
            }
            return tfds.core.DatasetInfo(builder=self, features=tfds.features.FeaturesDict(features))

        def _split_generators(self, dl_manager):
            return {"train": self._generate_examples()}

        def _generate_examples(self):
            for number in range(8):
                image = np.full((4, 12, 1), 30, np.uint8)
                image[:, 4:8] = 60
                yield number, {"image": image if number % 2 else image.transpose(1, 0, 2), "label": number % 2}

    folder = tmp_path_factory.mktemp("shapes")
    Shapes(data_dir=folder).download_and_prepare()
    return folder


@pytest.mark.parametrize(("fit", "edge"), [("crop", 60), ("pad", 255)])
def test_images_of_several_sizes(several_sizes, fit, edge):
    config = DatasetConfig(name="shapes", data_dir=str(several_sizes), image_size=4, fit=fit)
    images = np.concatenate([split.images for split in load(config).splits.values()])
    assert images.shape == (8, 4, 4, 1)
    assert (images[:, 0, 0] == edge).all()
    if fit == "crop":
        assert (images == 60).all()


@pytest.mark.parametrize("action", [load, peek])
def test_absent_and_offline(action, tmp_path):
    start = time.monotonic()
    with pytest.raises(DatasetError, match=r"'cifar10' is not prepared in .*run `nas datasets prepare cifar10`"):
        action(DatasetConfig(name="cifar10", data_dir=str(tmp_path)))
    assert time.monotonic() - start < 10


def test_download_without_a_network(tmp_path, monkeypatch):
    # urllib keeps the proxies that it found first, for the whole process.
    monkeypatch.setattr("urllib.request._opener", None)
    for scheme in ("http", "https"):
        monkeypatch.setenv(f"{scheme}_proxy", "http://127.0.0.1:9")  # Nobody listens on the discard port.
    start = time.monotonic()
    with pytest.raises(DatasetError, match=r"downloaded from https://www\.cs\.toronto\.edu, which does not answer"):
        prepare_tfds("cifar10", tmp_path)
    assert time.monotonic() - start < 10
    assert not list(tmp_path.iterdir())


def test_download_of_what_is_there_needs_no_network(tiny_tfds, monkeypatch):
    monkeypatch.setattr("urllib.request.urlopen", None)
    assert prepare_tfds("tiny_emnist/three", tiny_tfds) == tiny_tfds / "tiny_emnist" / "three" / "3.1.0"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("fashon_mnist", r"^TFDS has no data set 'fashon_mnist' \(did you mean 'fashion_mnist'\?\)$"),
        ("zzz", "^TFDS has no data set 'zzz'; its names are at https://www.tensorflow.org/datasets/catalog$"),
        ("emnist/nonsense", "TFDS refuses 'emnist/nonsense'"),
        ("mnist:9.9.9", "TFDS refuses 'mnist:9.9.9'"),
    ],
)
def test_download_of_nonsense(name, message, tmp_path):
    with pytest.raises(DatasetError, match=message):
        prepare_tfds(name, tmp_path)


def test_manual_files_that_are_missing(tmp_path):
    (tmp_path / "manual").mkdir()
    with pytest.raises(DatasetError, match=r"could not prepare 'resisc45/.*Manual directory"):
        prepare_tfds("resisc45", tmp_path / "data", manual_dir=tmp_path / "manual")


def test_known_datasets(tiny_tfds, tmp_path):
    embedded = ["digits", "digit_scenes_segmentation", "digit_scenes_detection"]
    assert [info.name for info in known_datasets(tmp_path)] == embedded
    (tmp_path / "sound" / "1.0.0").mkdir(parents=True)
    (tmp_path / "sound" / "1.0.0" / "dataset_info.json").write_text("{}")
    (tmp_path / "downloads").mkdir()
    shutil.copytree(tiny_tfds / "tiny_emnist", tmp_path / "tiny_emnist")
    assert known_datasets(tmp_path)[3:] == [
        DatasetInfo(name="tiny_emnist/three:3.1.0", input_shape=(28, 28, 1), labels=("0", "1", "2"))
    ]


def test_data_dir_from_the_environment(tiny_tfds, monkeypatch):
    monkeypatch.setenv("TFDS_DATA_DIR", str(tiny_tfds))
    assert peek(DatasetConfig(name="tiny_emnist/three")).labels == ("0", "1", "2")


@pytest.fixture
def copied(tiny_tfds, tmp_path):
    """`thing` in versions 1.9.0 and 1.10.0, to be damaged."""
    for version in ("1.9.0", "1.10.0"):
        shutil.copytree(tiny_tfds / "tiny_emnist" / "three" / "3.1.0", tmp_path / "thing" / version)
    return tmp_path / "thing"


def change(path, find, replace):
    text = path.read_text()
    assert find in text
    path.write_text(text.replace(find, replace))


def test_versions(copied):
    def name(reference):
        return peek(DatasetConfig(name=reference, data_dir=str(copied.parent))).name

    assert name("thing") == name("thing:1.*.*") == "thing:1.10.0"
    assert name("thing:1.9.0") == "thing:1.9.0"
    with pytest.raises(DatasetError, match=r"'thing:2\.0\.0' is none of these .*'thing:1.10.0'"):
        name("thing:2.0.0")


def test_bare_name_of_several_configurations(tiny_tfds, tmp_path):
    prepared = tiny_tfds / "tiny_emnist" / "three"
    for config in ("a", "b"):
        shutil.copytree(prepared, tmp_path / "thing" / config)
    with pytest.raises(DatasetError, match=r"several prepared configurations, .* named: thing/a, thing/b"):
        peek(DatasetConfig(name="thing", data_dir=str(tmp_path)))
    (tmp_path / "thing" / ".config").mkdir()
    (tmp_path / "thing" / ".config" / "metadata.json").write_text(json.dumps({"default_config_name": "b"}))
    assert peek(DatasetConfig(name="thing", data_dir=str(tmp_path))).name == "thing/b:3.1.0"
    for damaged in ("{", "[]"):
        (tmp_path / "thing" / ".config" / "metadata.json").write_text(damaged)
        with pytest.raises(
            DatasetError, match=r"metadata\.json is not readable as a TFDS data set .* prepare it again"
        ):
            peek(DatasetConfig(name="thing", data_dir=str(tmp_path)))


def test_labels_are_utf8_in_every_locale(copied):
    (copied / "1.10.0" / "label.labels.txt").write_text("猫\nété\neel\n", encoding="utf-8")
    before = locale.setlocale(locale.LC_CTYPE)
    locale.setlocale(locale.LC_CTYPE, "C")
    try:
        info = peek(DatasetConfig(name="thing:1.10.0", data_dir=str(copied.parent)))
    finally:
        locale.setlocale(locale.LC_CTYPE, before)
    assert info.labels == ("猫", "été", "eel")


def test_a_home_that_nobody_knows():
    with pytest.raises(DatasetError) as told:
        peek(DatasetConfig(name="mnist", data_dir="~no such user/data"))
    assert str(told.value) == (
        "the home directory of '~no such user/data' is not known; give a path without ~, for TFDS in TFDS_DATA_DIR or "
        "dataset.data_dir"
    )
    for name in ("~no such user/it.npz", "~no such user/pictures"):
        with pytest.raises(DatasetError, match=r"the home directory of '~no such user/.*' is not known"):
            peek(DatasetConfig(name=name))


@pytest.mark.parametrize(
    ("file", "find", "replace", "message"),
    [
        ("features.json", '"28"', '"-1"', "several sizes: set dataset.image_size"),
        ("features.json", "uint8", "uint16", "must be uint8; .* has uint16"),
        ("features.json", "class_label_feature.ClassLabel", "text_feature.Text", "one image and one class label"),
        ("features.json", "{", "", "not readable as a TFDS data set .* prepare it again"),
        ("dataset_info.json", '"train"', '"all"', r"a train split is needed; .* has \['all', 'test'\]"),
        (
            "dataset_info.json",
            '"90"',
            '"91"',
            "expected to contain 91 elements but contained only 90 elements.*; delete it and prepare",
        ),
    ],
)
def test_unfit_or_damaged(copied, file, find, replace, message):
    change(copied / "1.10.0" / file, find, replace)
    with pytest.raises(DatasetError, match=message):
        load(DatasetConfig(name="thing", data_dir=str(copied.parent)))


def test_damaged_records(copied):
    record = next((copied / "1.10.0").glob("*train.tfrecord*"))
    content = bytearray(record.read_bytes())
    content[200] ^= 0xFF
    record.write_bytes(content)
    with pytest.raises(DatasetError, match=r"1\.10\.0 cannot be read .* delete it and prepare it again"):
        load(DatasetConfig(name="thing", data_dir=str(copied.parent)))
