from __future__ import annotations

import numpy as np
import pytest

from nas.config import DatasetConfig
from nas.datasets import DatasetError, load, peek


@pytest.fixture
def save(tmp_path):
    def make(**arrays):
        path = tmp_path / "it.npz"
        np.savez(path, **arrays)
        return DatasetConfig(name=str(path))

    return make


IMAGES = np.random.default_rng(0).integers(0, 256, (12, 4, 5), np.uint8)
LABELS = np.arange(12) % 2
THREE = np.arange(12) % 3


def test_keras_convention_keeps_its_test_split(npz_file, numbers):
    spec = load(DatasetConfig(name=str(npz_file)))
    assert numbers(spec.test.images).tolist() == list(range(30))
    assert (len(spec.train), len(spec.validation)) == (48, 12)
    assert spec.info.input_shape == (8, 6, 1)


def test_images_and_labels(save):
    spec = load(save(images=IMAGES, labels=LABELS[:, None]))
    assert spec.info.input_shape == (4, 5, 1)
    assert len(spec.train) + len(spec.validation) + len(spec.test) == 12


def test_own_validation_and_class_names(save):
    config = save(
        x_train=IMAGES, y_train=LABELS, x_val=IMAGES[:3], y_val=LABELS[:3], class_names=np.array(["cat", "dog"])
    )
    spec = load(config)
    assert (spec.validation.images[..., 0] == IMAGES[:3]).all()
    assert spec.info.labels == ("cat", "dog")
    assert peek(config) == spec.info


def test_float_images_become_levels(save):
    config = save(x_train=IMAGES / 255, y_train=LABELS, x_test=IMAGES.astype(np.float32) / 255, y_test=LABELS)
    assert (load(config).test.images[..., 0] == IMAGES).all()


def test_gray_of_colors_and_colors_of_other_sizes(save):
    colors = np.stack([IMAGES, IMAGES, IMAGES], axis=-1)
    config = save(x_train=colors, y_train=LABELS, x_test=colors[:, :3], y_test=LABELS)
    gray = load(config.model_copy(update={"image_size": 5, "grayscale": True}))
    assert gray.info.input_shape == (5, 5, 1)
    tall = load(
        save(x_train=colors, y_train=LABELS, x_test=colors, y_test=LABELS).model_copy(update={"grayscale": True})
    )
    assert np.abs(tall.test.images[..., 0].astype(int) - IMAGES).max() <= 1


@pytest.mark.parametrize("read", [peek, load])
def test_no_gray_of_two_channels(save, read):
    config = save(images=np.stack([IMAGES, IMAGES], axis=-1), labels=LABELS).model_copy(update={"grayscale": True})
    with pytest.raises(DatasetError) as told:
        read(config)
    assert str(told.value) == (
        f"dataset.grayscale needs images of 1 or 3 channels; {config.name!r} has 2; leave it out"
    )


def test_peek_reads_the_header_only(tmp_path, monkeypatch):
    path = tmp_path / "it.npz"
    np.savez(path, images=np.zeros((10, 64, 64, 3), np.uint8), labels=np.arange(10))
    read = []
    get = np.lib.npyio.NpzFile.__getitem__
    monkeypatch.setattr(np.lib.npyio.NpzFile, "__getitem__", lambda self, key: read.append(key) or get(self, key))
    assert peek(DatasetConfig(name=str(path))).input_shape == (64, 64, 3)
    assert read == ["labels"]


BAD = {
    "no arrays of ours": (
        {"x": IMAGES, "y": LABELS},
        r"must hold x_train and y_train .* or images and labels; found \['x', 'y'\]",
    ),
    "labels missing": ({"x_train": IMAGES}, r"has 'x_train' but not 'y_train'; images and labels come in pairs"),
    "test labels missing": (
        {"x_train": IMAGES, "y_train": LABELS, "x_test": IMAGES},
        "has 'x_test' but not 'y_test'",
    ),
    "counts differ": (
        {"images": IMAGES, "labels": LABELS[:-1]},
        "it.npz: each image needs one label; images has 12 images, labels has 11 labels; ",
    ),
    "not a number": (
        {"images": np.where(IMAGES[0, 0, 0] == IMAGES, np.nan, 0.5), "labels": LABELS},
        r"float images must lie in \[0, 1\], and images has NaN; replace it$",
    ),
    "floats up to 255": (
        {"images": IMAGES.astype(float), "labels": LABELS},
        r"images has [0-9]+ to 25[0-9]; divide .* by 255, or make",
    ),
    "wide integers": (
        {"images": IMAGES.astype(int), "labels": LABELS},
        "must be uint8, .* received int64; make it uint8",
    ),
    "rank": ({"images": IMAGES[0], "labels": LABELS}, r"must be \(n, height, width\) or .* received \(4, 5\)"),
    "one-hot": (
        {"images": IMAGES, "labels": np.eye(12)[:, :3] + 0.5},
        r"a row of one-hot labels has a single 1, and labels of shape \(12, 3\) has others; an image can be ",
    ),
    "labels of floats": (
        {"images": IMAGES, "labels": LABELS * 1.0},
        r"received float64 \(12,\); make class numbers int64$",
    ),
    "negative": ({"images": IMAGES, "labels": LABELS - 1}, "labels start at 0; labels has -1"),
    "labels from 1": (
        {"images": IMAGES, "labels": LABELS + 1},
        "labels are 0, 1, 2, ... with an image each; there is none of 0, and the largest is 2; number them again",
    ),
    "one class": ({"images": IMAGES, "labels": LABELS * 0}, "at least two classes"),
    "label beyond the names": (
        {"images": IMAGES, "labels": LABELS + 1, "class_names": np.array(["a", "b"])},
        r"must lie in 0\.\.1; the train split of .* has 1\.\.2",
    ),
    "pickles": (
        {"images": IMAGES.astype(object), "labels": LABELS},
        "images holds Python objects, which are never ",
    ),
    "no images, of floats": (
        {"images": IMAGES[:0] / 255, "labels": LABELS[:0]},
        "images has none; fill it ",
    ),
    "no images": ({"images": IMAGES[:0], "labels": LABELS[:0]}, "a split needs at least one image; images has none; "),
    "an empty split": (
        {"x_train": IMAGES, "y_train": LABELS, "x_val": IMAGES[:0], "y_val": LABELS[:0]},
        "a split needs at least one image; x_val has none; fill it or leave it out",
    ),
    "channels first": (
        {"images": np.zeros((12, 3, 8, 9), np.uint8), "labels": LABELS},
        r"channels come last, .* images has \(12, 3, 8, 9\); use images.transpose\(0, 2, 3, 1\)$",
    ),
    "zeros and ones": (
        {"images": (IMAGES > 100).astype(np.uint8), "labels": LABELS},
        r"uint8 images have levels of 0 to 255, and images has only 0 and 1; use 255 \* images$",
    ),
    "divided twice": (
        {"images": IMAGES / 255 / 255, "labels": LABELS},
        r"float images must lie in \[0, 1\], and images ends at 0\.00\d+, as if it was divided by 255 twice; ",
    ),
    "two pairs": (
        {"x_train": IMAGES, "y_train": LABELS, "images": IMAGES, "labels": LABELS},
        "has the train images twice, as 'images' and 'x_train'; leave one out",
    ),
    "classes of one name": (
        {"images": IMAGES, "labels": LABELS, "class_names": np.array(["cat", "dog", " cat "])},
        "each class needs a name of its own; .* has 2 classes called 'cat'",
    ),
    "a class that train lacks": (
        {
            "x_train": IMAGES,
            "y_train": np.array(["cat", "dog"])[LABELS % 2],
            "x_test": IMAGES,
            "y_test": np.array(["cat", "eel"])[LABELS % 2],
        },
        "class 'eel' of the test labels is not among those of train",
    ),
    "names and numbers": (
        {"x_train": IMAGES, "y_train": np.array(["cat", "dog"])[LABELS % 2], "x_test": IMAGES, "y_test": LABELS},
        "labels are numbers in one split and names in another",
    ),
    "no pixels": (
        {"images": IMAGES[:, :0], "labels": LABELS},
        r"images have pixels; images has the shape \(12, 0, 5\); leave out what is empty$",
    ),
    "a class without a name": (
        {"images": IMAGES, "labels": np.array(["", "dog"])[LABELS]},
        "each class needs a name; .* has one without a letter$",
    ),
    "test shape": (
        {"x_train": IMAGES, "y_train": LABELS, "x_test": IMAGES[:, :3], "y_test": LABELS},
        r"must be \(4, 5, 1\); its test split has \(3, 5, 1\)",
    ),
}


@pytest.mark.parametrize("case", sorted(BAD))
def test_bad_input(case, save):
    arrays, message = BAD[case]
    with pytest.raises(DatasetError, match=message):
        load(save(**arrays))


def test_class_names_of_bytes_are_text(save):
    assert peek(save(images=IMAGES, labels=LABELS, class_names=np.array([b"cat", "été".encode()]))).labels == (
        "cat",
        "été",
    )


def test_class_names_are_a_list(save):
    config = save(images=IMAGES, labels=LABELS, class_names=np.array("cat"))
    with pytest.raises(DatasetError) as told:
        peek(config)
    assert str(told.value) == f"{config.name}: class_names must be names of shape (n,); received shape ()"


@pytest.mark.parametrize("key", ["x_train", "x_test"])
@pytest.mark.parametrize("read", [peek, load])
def test_dtypes_that_cannot_be_loaded_are_known_from_the_header(key, read, save):
    arrays = {"x_train": IMAGES, "y_train": LABELS, "x_test": IMAGES, "y_test": LABELS}
    config = save(**arrays | {key: IMAGES.astype(np.uint16)})
    with pytest.raises(DatasetError) as told:
        read(config)
    assert (
        str(told.value)
        == f"{config.name}: {key} must be uint8, or float in [0, 1]; received uint16; make it uint8 from 0 to 255"
    )


def _peek_and_load(config):
    peek(config)
    load(config)


@pytest.mark.parametrize("where", ["images", "labels", "header", "name", "version"])
@pytest.mark.parametrize("write", [np.savez, np.savez_compressed])
def test_damaged_files(where, write, tmp_path):
    path = tmp_path / "it.npz"
    write(path, images=np.zeros((12, 40, 50), np.uint8), labels=LABELS)
    content = path.read_bytes()
    images, labels = content.index(b"images.npy"), content.index(b"labels.npy")
    directory = content.index(b"PK\x01\x02")
    at = {
        "images": images + 60,
        "labels": labels + 60,
        "header": images + 30,
        "name": images,
        "version": directory + 6,
    }[where]
    path.write_bytes(content[:at] + b"\xf0" * 12 + content[at + 12 :])
    with pytest.raises(DatasetError, match=r"cannot be read as (plain numbers|an \.npz file)") as told:
        _peek_and_load(DatasetConfig(name=str(path)))
    assert "\n" not in str(told.value)


def test_unreadable_files(tmp_path):
    with pytest.raises(DatasetError, match=r"an existing \.npz file is needed"):
        load(DatasetConfig(name=str(tmp_path / "none.npz")))
    for content in (b"", b"PK\x03\x04 cut off", b"hello"):
        (tmp_path / "it.npz").write_bytes(content)
        with pytest.raises(DatasetError, match=r"cannot be read as an \.npz file") as told:
            peek(DatasetConfig(name=str(tmp_path / "it.npz")))
        assert "unsafely" not in str(told.value)
    np.save(tmp_path / "one.npy", IMAGES)
    (tmp_path / "one.npy").rename(tmp_path / "one.npz")
    with pytest.raises(DatasetError, match="holds a single array"):
        load(DatasetConfig(name=str(tmp_path / "one.npz")))


@pytest.mark.parametrize("read", [peek, load])
def test_a_label_too_few_is_known_from_the_header(read, save):
    config = save(x_train=IMAGES, y_train=LABELS, x_test=IMAGES, y_test=LABELS[1:])
    with pytest.raises(DatasetError) as told:
        read(config)
    assert str(told.value) == (
        f"{config.name}: each image needs one label; x_test has 12 images, y_test has 11 labels; give as many of both"
    )


def test_labels_may_be_names_or_one_hot_or_columns(save):
    names = np.array(["dog", "cat", "eel"])[THREE]
    for read in (peek, load):
        found = read(save(images=IMAGES, labels=names))
        assert getattr(found, "info", found).labels == ("cat", "dog", "eel")
    numbered = np.array([1, 0, 2])[THREE]  # in alphabetical order
    plain = load(save(images=IMAGES, labels=numbered))
    french = load(save(images=IMAGES, labels=np.array([name.replace("e", "é").encode() for name in names])))
    assert french.info.labels == ("cat", "dog", "éél")
    for labels in (names, np.eye(3)[numbered], np.eye(3, dtype=bool)[numbered], names[:, None]):
        other = load(save(images=IMAGES, labels=labels))
        for split, same in zip(plain.splits.values(), other.splits.values(), strict=True):
            assert split.digest == same.digest


def test_the_keys_of_medmnist(save):
    parts = {"train": slice(0, 6), "val": slice(6, 9), "test": slice(9, 12)}
    arrays = {f"{part}_images": IMAGES[where] for part, where in parts.items()}
    arrays |= {f"{part}_labels": LABELS[where, None] for part, where in parts.items()}
    spec = load(save(**arrays))
    assert spec.drawn == ()
    assert [len(split) for split in spec.splits.values()] == [6, 3, 3]


@pytest.mark.parametrize(
    "keys", [("x_valid", "y_valid"), ("validation_images", "validation_labels"), ("x_dev", "y_dev")]
)
def test_a_split_by_any_of_its_names(keys, save):
    spec = load(save(x_train=IMAGES, y_train=LABELS, **dict(zip(keys, (IMAGES[:3], LABELS[:3]), strict=True))))
    assert (len(spec.train), len(spec.validation), spec.drawn) == (10, 3, ("test",))


def test_arrays_of_other_names_are_told(save):
    spec = load(save(images=IMAGES, labels=LABELS, X_test=IMAGES, class_names=np.array(["a", "b"])))
    assert [(each.text, each.names) for each in spec.findings] == [("1 array of other names: left out", ("X_test",))]
