"""Students learn a teacher's answers: by hand, in both loops, and from a file."""

import keras
import numpy as np
import pytest

from nas.architecture.blocks import GlobalPoolHead
from nas.config import AugmentationConfig, TrainingConfig
from nas.errors import NasError
from nas.training import train
from nas.training.distillation import Lesson, Teacher
from nas.training.model import answers_of, rebuild
from nas.training.objective import Objective
from tests.training.conftest import digits_data, small_network

HOW = {"temperature": 2.0, "weight": 0.25}


@pytest.fixture(scope="module")
def data():
    return digits_data(train_images=270)


@pytest.fixture(scope="module")
def teacher(data):
    network = small_network(filters=16)
    result = train(network, data, TrainingConfig(epochs=3, batch_size=32, learning_rate=0.02), seed=1)
    return Teacher(name="one", architecture=network.to_json(), weights=result.weights, **HOW)


def test_the_loss_by_hand(data):
    answers = np.array([[0.7, 0.2, 0.1]], np.float32)
    outputs = np.array([[0.5, 0.25, 0.25]], np.float32)
    lesson = Lesson(answers=answers, **HOW)
    objective = Objective(GlobalPoolHead(classes=3), TrainingConfig(), data, lesson)
    softer = np.sqrt(outputs) / np.sqrt(outputs).sum()
    divergence = 4 * (answers * np.log(answers / softer)).sum()
    packed = np.concatenate([[[1.0]], answers], axis=1).astype(np.float32)
    by_hand = 0.75 * -np.log(0.25) + 0.25 * divergence
    assert np.asarray(objective(packed, outputs)) == pytest.approx([by_hand], rel=1e-4)
    assert np.asarray(objective.recorded(packed, outputs)) == pytest.approx([-np.log(0.25)])
    assert np.asarray(lesson.loss(softer, outputs)) == pytest.approx([0], abs=1e-5)


def test_a_lesson_has_the_softened_answers_to_the_training_images(teacher, data):
    lesson = teacher.lesson({(8, 8, 1): data})
    network = small_network(filters=16)
    plain = answers_of(network, rebuild(network, teacher.weights), data.train.images)
    softened = np.sqrt(plain + 1e-7)
    assert lesson.answers == pytest.approx(softened / softened.sum(axis=1, keepdims=True), abs=1e-5)


@pytest.mark.parametrize("augmentation", [AugmentationConfig(), AugmentationConfig(shift=1, mixup=0.4)], ids=str)
def test_both_loops_learn_the_same(teacher, data, augmentation):
    lesson = teacher.lesson({(8, 8, 1): data})
    how = TrainingConfig(epochs=2, batch_size=50, augmentation=augmentation)
    curves = [
        train(small_network(), data, how, seed=2, loop=loop, lesson=lesson).curves for loop in ("fit", "compiled")
    ]
    for name, curve in curves[0].items():
        assert curves[1][name] == pytest.approx(curve, abs=2e-4), name
    assert curves[0]["loss"] != train(small_network(), data, how, seed=2, loop="compiled").curves["loss"]


def test_a_teacher_of_images_of_any_size_teaches(data, tmp_path):
    layers = [keras.Input((None, None, 1)), keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(10)]
    keras.Sequential(layers).save(tmp_path / "model.keras")
    lesson = Teacher(name="file", file=(tmp_path / "model.keras").read_bytes(), **HOW).lesson({(8, 8, 1): data})
    assert lesson.answers.shape == (len(data.train), 10)


def test_a_file_teaches_whether_it_returns_probabilities_or_logits(data, tmp_path):
    lessons = []
    for activation in ("softmax", None):
        keras.utils.set_random_seed(0)
        layers = [keras.Input((8, 8, 1)), keras.layers.Flatten(), keras.layers.Dense(10, activation=activation)]
        keras.Sequential(layers).save(tmp_path / "model.keras")
        file = Teacher(name="file", file=(tmp_path / "model.keras").read_bytes(), **HOW)
        lessons.append(file.lesson({(8, 8, 1): data}).answers)
    assert lessons[0] == pytest.approx(lessons[1], abs=1e-4)
    assert lessons[0].sum(axis=1) == pytest.approx(1, abs=1e-5)
    with pytest.raises(NasError, match=r"final.teacher must take images of 6x6x1; received one that takes 8x8x1"):
        file.lesson({(6, 6, 1): data})
