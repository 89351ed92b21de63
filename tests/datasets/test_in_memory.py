"""Images that a Python program has: every form of them, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from nas.config import DatasetConfig
from nas.datasets import DatasetError, InMemory, load
from nas.files.paths import ARRAYS

CONFIG = DatasetConfig(name=ARRAYS)
IMAGES = np.random.default_rng(0).integers(0, 256, (24, 8, 6, 1), np.uint8)
LABELS = np.arange(24) % 3
TRAIN, VALIDATION, TEST = ((IMAGES[part], LABELS[part]) for part in (slice(12), slice(12, 18), slice(18, 24)))


def digests(data, config=CONFIG):
    held = InMemory.of(data, config)
    spec = held.load()
    assert spec.info == held.info
    return {name: split.digest for name, split in spec.splits.items()}


@pytest.fixture
def npz(tmp_path):
    """What a file of these arrays is loaded as."""

    def make(**arrays):
        np.savez(tmp_path / "it.npz", **arrays)
        spec = load(DatasetConfig(name=str(tmp_path / "it.npz")))
        return {name: split.digest for name, split in spec.splits.items()}

    return make


def test_a_pair_is_what_a_file_of_it_is(npz):
    expected = npz(images=IMAGES, labels=LABELS)
    assert digests((IMAGES, LABELS)) == expected
    assert digests([IMAGES, LABELS]) == expected
    assert digests((IMAGES[..., 0] / 255, LABELS.tolist())) == expected
    assert digests({"train": (IMAGES, LABELS)}) == expected
    assert digests({"images": IMAGES, "labels": np.eye(3)[LABELS]}) == expected


def test_splits(npz):
    expected = npz(
        **dict(
            zip(("x_train", "y_train", "x_val", "y_val", "x_test", "y_test"), TRAIN + VALIDATION + TEST, strict=True)
        )
    )
    assert digests((TRAIN, VALIDATION, TEST)) == expected
    assert digests({"Train": TRAIN, "dev": list(VALIDATION), "testing": TEST}) == expected
    two = digests((TRAIN, TEST))
    assert two["test"] == expected["test"]
    assert two["train"] != expected["train"]


def test_names_of_classes():
    named = InMemory.of({"train": (IMAGES, LABELS), "class_names": ["cat", "dog", "eel"]}, CONFIG)
    assert named.info.labels == ("cat", "dog", "eel")
    texts = np.array(["cat", "dog", b"eel"], object)[LABELS]
    assert InMemory.of((IMAGES, texts), CONFIG).info.labels == ("cat", "dog", "eel")


def test_the_name_is_that_of_the_pixels_and_targets():
    def name(images, labels):
        return InMemory.of((images, labels), CONFIG).info.name

    changed = IMAGES.copy()
    changed[3, 2, 1] ^= 1
    assert name(IMAGES, LABELS) == name(IMAGES / 255, LABELS.astype(np.int8)) == "arrays:09d32985"
    assert len({name(IMAGES, LABELS), name(changed, LABELS), name(IMAGES, (LABELS + 1) % 3)}) == 3


def test_they_are_resized_as_others_are():
    config = DatasetConfig(name=ARRAYS, image_size="4x5", grayscale=True)
    held = InMemory.of((np.repeat(IMAGES, 3, axis=-1), LABELS), config)
    assert held.info.input_shape == held.load().train.images.shape[1:] == (4, 5, 1)


@pytest.mark.parametrize("batch", [None, 5])
@pytest.mark.parametrize("gray", [False, True])
@pytest.mark.parametrize("one_hot", [False, True])
def test_data_sets_of_tensorflow(batch, gray, one_hot):
    import tensorflow as tf

    expected = digests((TRAIN, TEST))

    def dataset(images, labels):
        of = tf.data.Dataset.from_tensor_slices(
            (images[..., 0] if gray else images, np.eye(3)[labels] if one_hot else labels)
        )
        return of if batch is None else of.batch(batch)

    assert digests((dataset(*TRAIN), dataset(*TEST))) == expected
    assert digests({"train": dataset(*TRAIN), "test": TEST}) == expected
    assert digests(dataset(IMAGES, LABELS)) == digests((IMAGES, LABELS))


def test_text_labels_of_tensorflow():
    import tensorflow as tf

    names = np.array(["été", "dog", "eel"])[LABELS]
    single = tf.data.Dataset.from_tensor_slices((IMAGES, names))
    for each in (single, single.batch(7)):
        assert InMemory.of(each, CONFIG).info.labels == ("dog", "eel", "été")


BAD = {
    "images alone": (IMAGES, r"dataset must be a pair \(images, labels\) or a tf.data.Dataset .*; received ndarray$"),
    "too many": ((IMAGES, LABELS, LABELS), "received tuple of 3$"),
    "a pair in a dict": ({"train": IMAGES}, r"dataset\['train'\] must be a pair .*; received ndarray$"),
    "no training images": ({"test": TEST}, "'arrays' must hold x_train and y_train"),
    "a split twice": (
        {"val": VALIDATION, "valid": VALIDATION, "train": TRAIN},
        "the validation images are given once; received them twice, the second time as 'valid'$",
    ),
    "several shapes": (
        ([IMAGES[0], IMAGES[1, :4]], LABELS[:2]),
        "arrays: images cannot be made one numpy array: setting an array element with a sequence$",
    ),
    "wide integers": ((IMAGES.astype(int), LABELS), "arrays: images must be uint8, .* received int64; make it uint8"),
    "levels as floats": (
        (IMAGES.astype("f4"), LABELS),
        r"arrays: float images must lie in \[0, 1\], and images has 0 ",
    ),
    "channels first": ((np.zeros((24, 3, 8, 9), np.uint8), LABELS), r"use images.transpose\(0, 2, 3, 1\)$"),
    "a label too few": ((IMAGES, LABELS[1:]), "images has 24 images, labels has 23 labels; give as many of both$"),
    "empty": ((TRAIN, (IMAGES[:0], LABELS[:0])), "a split needs at least one image; x_test has none"),
    "words and nothing": (
        (IMAGES, [None, "cat", "dog"] * 8),
        r"labels must be whole numbers or names .* object \(24,\)",
    ),
    "test of another shape": (
        (TRAIN, (IMAGES[:, :4], LABELS)),
        r"all images of 'arrays' must be \(8, 6, 1\); its test split has \(4, 6, 1\)",
    ),
}


@pytest.mark.parametrize("case", sorted(BAD))
def test_bad_input(case):
    data, message = BAD[case]
    with pytest.raises(DatasetError, match=message) as told:
        InMemory.of(data, CONFIG).load()
    assert "\n" not in str(told.value)


def test_bad_data_sets_of_tensorflow():
    import tensorflow as tf

    slices = tf.data.Dataset.from_tensor_slices

    def fails(image, label):
        return tf.ensure_shape(tf.io.decode_png(tf.constant(b"no picture")), (8, 6, 1)), label

    ragged = tf.data.Dataset.from_generator(
        lambda: ((IMAGES[0, : 4 + n], n) for n in (0, 1)),
        output_signature=(tf.TensorSpec((None, 6, 1), tf.uint8), tf.TensorSpec((), tf.int64)),
    )
    for dataset, message in (
        (slices(IMAGES), "gives pairs .image, label. of tensors; received elements of TensorSpec; map them"),
        (slices({"image": IMAGES, "label": LABELS}), "received elements of 'image', 'label'; map .*as_supervised=True"),
        (slices((IMAGES, LABELS)).repeat(), "dataset: a tf.data.Dataset must end; .* leave repeat.. out$"),
        (slices((IMAGES, LABELS)).take(0), "dataset: a tf.data.Dataset gives at least one image; received none$"),
        (slices((IMAGES, LABELS)).map(fails), "dataset: the tf.data.Dataset failed: .*"),
        (ragged, r"images of one shape are needed; the tf.data.Dataset gives \(4, 6, 1\) and \(5, 6, 1\); resize"),
    ):
        with pytest.raises(DatasetError, match=message) as told:
            InMemory.of(dataset, CONFIG)
        assert "\n" not in str(told.value)


def test_what_a_program_had_is_gone():
    with pytest.raises(DatasetError, match=r"'arrays' are images that a Python program has given, as in nas.search"):
        load(CONFIG)
