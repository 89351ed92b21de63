"""Lists in an experiment file are choices, each value held to the rules of its key."""

import json

import pytest

from nas.config import ExperimentConfig, load_experiment
from nas.files.yaml_file import FileError

GIVEN = {"space": "tiny", "dataset": "digits", "name": "x"}
MANY = {
    "training.learning_rate": ["3e-3", 0.01],
    "training.optimizer": ["adam", "sgd"],
    "training.weight_decay": [0, 0.01],
    "training.augmentation.flip": [False, True],
    "dataset.image_size": [8, "4x6"],
}


def experiment(**given):
    return load_experiment(None, GIVEN | given)


def test_the_key_has_the_first_value_and_choices_have_all():
    made = experiment(**MANY)
    assert made.choices == {
        "dataset.image_size": (8, "4x6"),
        "training.optimizer": ("adam", "sgd"),
        "training.learning_rate": (0.003, 0.01),
        "training.weight_decay": (0.0, 0.01),
        "training.augmentation.flip": (False, True),
    }
    assert (made.training.learning_rate, made.dataset.image_size, made.training.augmentation.flip) == (0.003, 8, False)


def test_a_recipe_settles_all_choices():
    recipe = {"training.learning_rate": 0.01, "dataset.image_size": "4x6", "training.augmentation.flip": True}
    settled = experiment(**MANY).with_recipe(recipe)
    assert settled.choices == {}
    assert (settled.training.learning_rate, settled.training.augmentation.flip) == (0.01, True)
    assert (settled.dataset.size, settled.training.optimizer) == ((4, 6), "adam")


def test_the_file_of_a_search_has_lists_where_the_experiment_has_them_and_no_more_without():
    made = experiment(**MANY)
    written = json.loads(made.model_dump_json())
    assert written["training"]["learning_rate"] == [0.003, 0.01]
    assert ExperimentConfig.model_validate_json(made.model_dump_json()) == made
    assert ExperimentConfig.model_validate(made.model_dump()).choices == made.choices
    assert made.model_copy(update={"trials": 3}).choices == made.choices
    plain = json.loads(experiment().model_dump_json())
    assert "choices" not in plain
    assert plain["training"]["learning_rate"] == 0.003


@pytest.mark.parametrize(
    ("key", "values", "message"),
    [
        ("training.learning_rate", [0.1, -1], "training.learning_rate: must be greater than 0; received -1"),
        ("training.batch_size", [32, "many"], "training.batch_size: must be a whole number; received 'many'"),
        ("dataset.grayscale", [True, 3], "dataset.grayscale: must be true or false; received 3"),
        (
            "training.learning_rate",
            [0.1, "1e-1"],
            "training.learning_rate: a list offers two or more different values; received [0.1, 0.1]",
        ),
        (
            "dataset.image_size",
            [8, None],
            "dataset.image_size: a list offers two or more different values; received [8, null]",
        ),
        ("training.batch_size", [], "training.batch_size: must be a whole number; received []"),
        ("training.epochs", [1, 2], "training.epochs: must be a whole number; received [1, 2]"),
        (
            "training.weight_decay",
            [0, 0.01],
            "training.weight_decay: the choice changes nothing, as adam shrinks no weights; use optimizer: adamw or "
            "sgd, or no list",
        ),
    ],
)
def test_what_is_no_choice_is_refused(key, values, message):
    with pytest.raises(FileError) as error:
        experiment(**{key: values})
    assert str(error.value) == message


def test_a_mistake_in_a_list_of_a_file_is_told_with_its_line(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("space: tiny\ndataset: digits\ntraining:\n  learning_rate: [0.01, 11]\n")
    with pytest.raises(FileError, match=r"mine.yaml:4: training.learning_rate: must be at most 10; received 11"):
        load_experiment(path)
