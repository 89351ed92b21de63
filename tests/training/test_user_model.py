"""A user's own model: counted and scored like a trial, and never run as code."""

import dataclasses

import numpy as np
import pytest

from nas.datasets import DatasetInfo, Split
from nas.training.user_model import UserModelError, score_user_model

IMAGES = np.arange(60, dtype=np.uint8).reshape(15, 2, 2, 1) * 4
BRIGHT = (IMAGES.mean(axis=(1, 2, 3)) > 120).astype(np.int64)
SPLIT = Split(images=IMAGES, targets=BRIGHT)
INFO = DatasetInfo(name="bright", input_shape=(2, 2, 1), labels=("dark", "bright"))


def knows(threshold, *, rescaling=None, dtype="float32", logits=False, size=2):
    """A model that answers whether the mean pixel is above a threshold, in units of its own input."""
    import keras

    x = image = keras.Input((size, size, 1), dtype=dtype)
    if rescaling:
        x = keras.layers.Rescaling(**rescaling)(x)
    x = keras.layers.GlobalAveragePooling2D(name="mean")(x)
    x = keras.layers.Dense(2, activation=None if logits else "softmax", name="answer")(x)
    model = keras.Model(image, x)
    model.get_layer("answer").set_weights([np.array([[0.0, 10.0]]), np.array([0.0, -10.0 * threshold])])
    return model


@pytest.mark.parametrize(
    ("model", "takes_bytes"),
    [
        (lambda: knows(120 / 255), False),
        (lambda: knows(120 / 255, logits=True), False),
        (lambda: knows(120 / 255, rescaling={"scale": 1 / 255}), True),
        (lambda: knows(2 * 120 / 255 - 1, rescaling={"scale": 1 / 127.5, "offset": -1}), True),
        (lambda: knows(2 * 120 / 255 - 1, rescaling={"scale": 2, "offset": -1}), False),
        (lambda: knows(120 / 255, rescaling={"scale": 1 / 255}, dtype="uint8"), True),
        (lambda: knows(120 / 255, size=None), False),
    ],
    ids=["probabilities", "logits", "bytes", "bytes to [-1, 1]", "[0, 1] to [-1, 1]", "uint8", "any size"],
)
def test_a_model_is_given_the_values_that_it_expects(model, takes_bytes, tmp_path):
    model().save(tmp_path / "mine.keras")
    scored = score_user_model(tmp_path / "mine.keras", SPLIT, INFO)
    # Two weights and two biases.
    assert (scored.name, scored.parameters, scored.takes_bytes) == ("mine.keras", 4, takes_bytes)
    assert scored.score == 1.0


def test_accuracy_is_the_share_of_right_answers(tmp_path):
    knows(0).save(tmp_path / "mine.keras")  # everything is bright
    assert score_user_model(tmp_path / "mine.keras", SPLIT, INFO).score == BRIGHT.mean()


def test_all_weights_count_the_frozen_ones_too(tmp_path):
    import keras

    layers = [keras.Input((2, 2, 1)), keras.layers.BatchNormalization(), keras.layers.Flatten(), keras.layers.Dense(2)]
    keras.Sequential(layers).save(tmp_path / "mine.keras")
    # 4 of the normalization, two of them moving statistics, and 4*2 + 2.
    assert score_user_model(tmp_path / "mine.keras", SPLIT, INFO).parameters == 14


def test_a_lambda_layer_is_refused_and_never_run(tmp_path, monkeypatch):
    import keras

    ran = tmp_path / "ran"
    monkeypatch.setenv("NAS_TEST_RAN", str(ran))
    image = keras.Input((2, 2, 1))
    code = keras.layers.Lambda(
        lambda x: (__import__("pathlib").Path(__import__("os").environ["NAS_TEST_RAN"]).touch(), x)[1],
        output_shape=(2, 2, 1),
    )
    x = keras.layers.Dense(2)(keras.layers.Flatten()(code(image)))
    keras.Model(image, x).save(tmp_path / "mine.keras")

    keras.saving.load_model(tmp_path / "mine.keras", safe_mode=False)(np.zeros((1, 2, 2, 1)))
    assert ran.exists()  # so the file does hold code that would run
    ran.unlink()
    with pytest.raises(UserModelError, match=r"cannot load .*no code of the file is run"):
        score_user_model(tmp_path / "mine.keras", SPLIT, INFO)
    assert not ran.exists()


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (lambda: knows(0.5, size=3), r"must take images of 2x2x1, as the search does; its input is \(3, 3, 1\)"),
        (lambda: two_inputs(), r"must have one input and one output; it has 2 inputs and 1 output"),
    ],
    ids=["size", "inputs"],
)
def test_a_model_that_does_not_fit_is_refused(model, message, tmp_path):
    model().save(tmp_path / "mine.keras")
    with pytest.raises(UserModelError, match=message):
        score_user_model(tmp_path / "mine.keras", SPLIT, INFO)


def two_inputs():
    import keras

    inputs = [keras.Input((2, 2, 1)), keras.Input((2, 2, 1))]
    return keras.Model(inputs, keras.layers.Dense(2)(keras.layers.Flatten()(keras.layers.Add()(inputs))))


def test_another_number_of_classes_is_refused(tmp_path):
    knows(0.5).save(tmp_path / "mine.keras")
    with pytest.raises(UserModelError, match=r"must return 10 numbers, one a class; its output is \(2,\)"):
        score_user_model(tmp_path / "mine.keras", SPLIT, dataclasses.replace(INFO, labels=tuple("0123456789")))


def test_other_files_are_refused(tmp_path):
    (tmp_path / "mine.keras").write_text("no model")
    with pytest.raises(UserModelError, match=r"cannot load .*mine\.keras"):
        score_user_model(tmp_path / "mine.keras", SPLIT, INFO)
    with pytest.raises(UserModelError, match=r"a model is given as a \.keras file, from model\.save\(\)"):
        score_user_model(tmp_path / "mine.h5", SPLIT, INFO)
    with pytest.raises(UserModelError, match="there is no file"):
        score_user_model(tmp_path / "other.keras", SPLIT, INFO)
