"""What training minimizes, by hand."""

from dataclasses import replace

import numpy as np
import pytest

from nas.architecture.blocks import GlobalPoolHead
from nas.config import AugmentationConfig, TrainingConfig
from nas.datasets import DatasetInfo, DatasetSpec, Split
from nas.errors import NasError
from nas.training.objective import Objective, weights_of_classes
from tests.training.conftest import digits_data
from tests.tuning.test_search import plan

HEAD = GlobalPoolHead(classes=3)
OUTPUTS = np.array([[0.5, 0.25, 0.25], [0.1, 0.8, 0.1]], np.float32)


TARGETS = np.array([0] * 6 + [1] * 3 + [2])
SPLIT = Split(images=np.zeros((10, 2, 2, 1), np.uint8), targets=TARGETS)
INFO = DatasetInfo(name="three", input_shape=(2, 2, 1), labels=("a", "b", "c"))
DATA = DatasetSpec(info=INFO, train=SPLIT, validation=SPLIT, test=SPLIT)


def test_weights_are_one_in_the_mean_over_the_images():
    assert weights_of_classes(TrainingConfig(), DATA) is None
    balanced = weights_of_classes(TrainingConfig(class_weights="balanced"), DATA)
    assert balanced == pytest.approx([10 / 18, 10 / 9, 10 / 3])
    given = weights_of_classes(TrainingConfig(class_weights={"c": 11}), DATA)
    assert given == pytest.approx([0.5, 0.5, 5.5])


def test_a_weighted_loss_and_a_mixed_one_by_hand():
    weighted = Objective(HEAD, TrainingConfig(class_weights="balanced"), DATA)
    losses = -np.log([0.5, 0.8])
    assert np.asarray(weighted(np.array([0, 1]), OUTPUTS)) == pytest.approx(losses * [10 / 18, 10 / 9])
    assert np.asarray(weighted.recorded(np.array([0, 1]), OUTPUTS)) == pytest.approx(losses)
    mixed = Objective(HEAD, TrainingConfig(augmentation=AugmentationConfig(mixup=1)), DATA)
    packed = np.array([[0, 1, 0.75], [1, 2, 0.6]], np.float32)
    by_hand = [-0.75 * np.log(0.5) - 0.25 * np.log(0.25), -0.6 * np.log(0.8) - 0.4 * np.log(0.1)]
    assert np.asarray(mixed(packed, OUTPUTS)) == pytest.approx(by_hand)
    assert np.asarray(mixed.recorded(packed, OUTPUTS)) == pytest.approx(losses)
    assert mixed.own(packed).tolist() == [0, 1]


def test_balanced_weights_help_a_rare_class():
    """Four fifths of the images of half of the classes are left out."""
    from nas.tasks.classification import BALANCED
    from nas.training import train
    from tests.training.conftest import small_network

    data = digits_data(train_images=900)
    keep = np.flatnonzero((data.train.targets < 5) | (np.arange(900) % 10 == 0))
    data = replace(data, train=data.train.take(keep))
    scores = []
    for weights in ("none", "balanced"):
        how = TrainingConfig(epochs=4, batch_size=32, learning_rate=0.02, class_weights=weights)
        scores.append(train(small_network(), data, how, seed=1, score=BALANCED).metrics["val_score"])
    assert scores[1] > scores[0] + 0.02


def test_weights_of_0_for_all_classes_are_refused():
    with pytest.raises(NasError, match=r"^training.class_weights: a class must count more than 0; received 0 for all$"):
        plan(**{"training.class_weights": {str(digit): 0 for digit in range(10)}})


def test_a_class_that_is_not_there_is_refused():
    with pytest.raises(NasError) as error:
        plan(**{"training.class_weights": {"ten": 2}})
    assert str(error.value) == (
        "training.class_weights names classes of the data; there is no 'ten' among 0, 1, 2, 3, 4, 5, 6, 7, 8, 9"
    )
    assert plan(**{"training.class_weights": ["none", "balanced"]}).experiment.choices
