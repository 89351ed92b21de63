from __future__ import annotations

import gzip
import shutil
from pathlib import Path

import numpy as np
import pytest

from nas.config import DatasetConfig
from nas.datasets import DatasetError, load, peek, prepare

DEBIAN = Path("/usr/share/datasets/fashion-mnist")
TRAIN = "emnist-three-train-images-idx3-ubyte"


def test_plain_tfds_reads_the_result(tiny_tfds, tiny_builder, numbered):
    import tensorflow_datasets as tfds

    data, info = tfds.load(
        "tiny_emnist/three", data_dir=tiny_tfds, split="test", download=False, with_info=True, as_supervised=True
    )
    assert info.splits["train"].num_examples == 90
    read = {image.tobytes(): int(label) for image, label in tfds.as_numpy(data)}
    images, labels = numbered(30, shape=(28, 28, 1))
    assert read == {image.tobytes(): label for image, label in zip(images, labels.tolist(), strict=True)}
    assert (tiny_tfds / "tiny_emnist" / ".config" / "metadata.json").is_file()


def test_done_once(tiny_tfds, tiny_idx, tmp_path):
    # Nothing is read from an empty folder, because nothing needs doing.
    target = prepare("tiny_emnist/three", tmp_path, tiny_tfds)
    assert target == tiny_tfds / "tiny_emnist" / "three" / "3.1.0"


@pytest.fixture
def damaged(tiny_builder, tiny_idx, tmp_path):
    """A copy of the idx files, and how to prepare from it."""
    folder = tmp_path / "idx"
    shutil.copytree(tiny_idx, folder)
    return folder, lambda: prepare("tiny_emnist/three", folder, tmp_path / "out")


def test_other_spelling_of_the_names(damaged):
    folder, run = damaged
    for path in folder.iterdir():
        path.rename(folder / path.name.replace("-idx", ".idx"))
    assert run().is_dir()


def test_missing_file(damaged):
    folder, run = damaged
    (folder / f"{TRAIN}.gz").unlink()
    with pytest.raises(DatasetError, match=rf"must hold {TRAIN} \(or {TRAIN}.gz\); found \['emnist-three-test-"):
        run()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda content: content[:-1], "90 x 28 x 28 bytes; received 90 x 28 x 28 in 70,575 bytes"),
        (lambda content: b"\0" * 16, "received no idx header in 16 bytes"),
        (lambda content: b"", "received no idx header in 0 bytes"),
        (lambda content: content[:7] + b"\x59" + content[8:], "received 89 x 28 x 28"),
    ],
)
def test_damaged_images(damaged, change, message):
    folder, run = damaged
    path = folder / f"{TRAIN}.gz"
    path.write_bytes(gzip.compress(change(gzip.decompress(path.read_bytes()))))
    with pytest.raises(DatasetError, match=f"'tiny_emnist' needs {TRAIN} to be an idx file of .*{message}"):
        run()
    assert not list((folder.parent / "out").glob("tiny_emnist/three"))


def test_damaged_gzip(damaged):
    folder, run = damaged
    path = folder / f"{TRAIN}.gz"
    path.write_bytes(path.read_bytes()[:-500])
    with pytest.raises(DatasetError, match="cannot be unpacked"):
        run()


def test_label_out_of_range(damaged, write_idx):
    folder, run = damaged
    write_idx(folder / "emnist-three-test-labels-idx1-ubyte", np.full(30, 3), gz=False)
    with pytest.raises(DatasetError, match=r"must lie in 0\.\.2; .*labels-idx1-ubyte has 3"):
        run()


def test_data_set_of_another_format(tiny_idx, tmp_path):
    with pytest.raises(DatasetError, match="'cifar10' is not in MNIST's idx format"):
        prepare("cifar10", tiny_idx, tmp_path)


def test_no_folder(tmp_path):
    with pytest.raises(DatasetError, match="--from needs a folder with idx files"):
        prepare("mnist", tmp_path / "none", tmp_path)


@pytest.fixture(scope="session")
def fashion_mnist(tfds_dir):
    if not DEBIAN.is_dir():
        pytest.skip("needs Debian's package dataset-fashion-mnist")
    prepare("fashion_mnist", DEBIAN, tfds_dir)
    return tfds_dir


@pytest.mark.slow
def test_fashion_mnist_from_debian(fashion_mnist):
    """All 70,000 images, against the idx files read by hand."""
    config = DatasetConfig(name="fashion_mnist", data_dir=str(fashion_mnist))
    spec = load(config)
    assert peek(config) == spec.info
    assert spec.info.labels[0] == "T-shirt/top"
    assert (len(spec.train), len(spec.validation), len(spec.test)) == (48_000, 12_000, 10_000)
    assert np.bincount(spec.validation.targets).tolist() == [1_200] * 10
    for splits, part in (((spec.train, spec.validation), "train"), ((spec.test,), "t10k")):
        images = np.frombuffer(gzip.decompress((DEBIAN / f"{part}-images-idx3-ubyte.gz").read_bytes())[16:], np.uint8)
        labels = gzip.decompress((DEBIAN / f"{part}-labels-idx1-ubyte.gz").read_bytes())[8:]
        theirs = sorted(zip((row.tobytes() for row in images.reshape(-1, 784)), labels, strict=True))
        ours = sorted(
            (image.tobytes(), int(label))
            for split in splits
            for image, label in zip(split.images, split.targets, strict=True)
        )
        assert ours == theirs
