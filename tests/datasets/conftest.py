"""Small real data sets of every kind, made once."""

from __future__ import annotations

import gzip
import json
import struct

import numpy as np
import pytest


def _write_idx(path, values, *, gz):
    """`values`, uint8 of any rank, as an idx file."""
    header = struct.pack(f">BBBB{values.ndim}I", 0, 0, 8, values.ndim, *values.shape)
    content = header + values.astype(np.uint8).tobytes()
    path.write_bytes(gzip.compress(content) if gz else content)


def _numbered(n, classes=3, shape=(8, 6, 1)):
    """`n` different images: the first two pixels spell their number; labels 0, 1, 2, 0, 1, ..."""
    images = np.random.default_rng(0).integers(0, 256, (n, *shape), np.uint8)
    images[:, 0, 0, 0], images[:, 0, 1, 0] = np.divmod(np.arange(n), 256)
    return images, np.arange(n, dtype=np.int64) % classes


def _numbers(images):
    """The numbers that `_numbered` wrote."""
    return images[:, 0, 0, 0].astype(int) * 256 + images[:, 0, 1, 0]


@pytest.fixture(scope="session")
def numbered():
    return _numbered


@pytest.fixture(scope="session")
def numbers():
    return _numbers


@pytest.fixture(scope="session")
def write_idx():
    return _write_idx


@pytest.fixture(scope="session")
def tfds_dir(tmp_path_factory):
    """A TFDS folder, filled by the tests that prepare something."""
    return tmp_path_factory.mktemp("tfds")


@pytest.fixture(scope="session")
def tiny_builder():
    """TFDS' own EMNIST with 90 + 30 images instead of 112,800 + 18,800; the code is TFDS'."""
    from tensorflow_datasets.image_classification import mnist

    class TinyEmnist(mnist.EMNIST):
        BUILDER_CONFIGS = [  # noqa: RUF012
            mnist.EMNISTConfig(name="three", class_number=3, train_examples=90, test_examples=30),
            mnist.EMNISTConfig(name="other", class_number=3, train_examples=90, test_examples=30),
        ]

    return TinyEmnist


@pytest.fixture(scope="session")
def tiny_idx(tmp_path_factory):
    """The four idx files of `tiny_emnist/three`: two gzipped, two not."""
    folder = tmp_path_factory.mktemp("idx")
    for part, n, gz in (("train", 90, True), ("test", 30, False)):
        images, labels = _numbered(n, shape=(28, 28, 1))
        suffix = ".gz" if gz else ""
        _write_idx(folder / f"emnist-three-{part}-images-idx3-ubyte{suffix}", images[..., 0], gz=gz)
        _write_idx(folder / f"emnist-three-{part}-labels-idx1-ubyte{suffix}", labels, gz=gz)
    return folder


@pytest.fixture(scope="session")
def tiny_tfds(tiny_builder, tiny_idx, tfds_dir):
    """The TFDS folder with `tiny_emnist/three` in it."""
    from nas.datasets import prepare

    prepare("tiny_emnist/three", tiny_idx, tfds_dir)
    return tfds_dir


@pytest.fixture
def image_folder(tmp_path):
    """Three classes of twelve 8x6 PNG images."""
    from PIL import Image

    images, labels = _numbered(36)
    root = tmp_path / "animals"
    for number, (image, label) in enumerate(zip(images, labels, strict=True)):
        folder = root / ("cat", "dog", "eel")[label]
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image[..., 0]).save(folder / f"{number:03}.png")
    return root


@pytest.fixture
def npz_file(tmp_path):
    """60 training and 30 test images, as Keras' mnist.npz: no channel axis."""
    train, test = _numbered(60), _numbered(30)
    path = tmp_path / "tiny.npz"
    np.savez_compressed(
        path, x_train=train[0][..., 0], y_train=train[1], x_test=test[0][..., 0], y_test=test[1].astype(np.uint8)
    )
    return path


@pytest.fixture
def mask_folder(tmp_path):
    """36 images of 8x6, and masks of three classes."""
    from PIL import Image

    images, _ = _numbered(36)
    root = tmp_path / "streets"
    for name in ("images", "masks"):
        (root / name).mkdir(parents=True)
    for number, image in enumerate(images):
        Image.fromarray(image[..., 0]).save(root / "images" / f"{number:03}.png")
        Image.fromarray(image[..., 0] // 86).save(root / "masks" / f"{number:03}.png")
    return root


@pytest.fixture
def coco_folder(tmp_path):
    """36 images of 8x6 with a box of one class and a box of another, and a category without a box."""
    from PIL import Image

    images, _ = _numbered(36)
    root = tmp_path / "yard"
    (root / "images").mkdir(parents=True)
    document = {
        "images": [
            {"id": 100 - number, "file_name": f"{number:03}.png", "height": 8, "width": 6} for number in range(36)
        ],
        "categories": [{"id": 0, "name": "animals"}, {"id": 3, "name": "dog"}, {"id": 9, "name": "cat"}],
        "annotations": [
            {"image_id": 100 - number, "category_id": category, "bbox": box, "iscrowd": int(number == 5)}
            for number in range(36)
            for category, box in ((9, [1, 2, 3, 4]), (3, [0, 0, 6.5, 2]), (3, [4, 4, 0, 2]))
        ],
    }
    for number, image in enumerate(images):
        Image.fromarray(image[..., 0]).save(root / "images" / f"{number:03}.png")
    (root / "annotations.json").write_text(json.dumps(document))
    return root
