"""What a network is trained with where a search may choose: the recipe of a trial."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping

Value = bool | int | float | str

Recipe = Mapping[str, Value]
"""Values by dotted key of experiment files, such as `training.learning_rate`; {} where nothing was left to choose."""

Choices = Mapping[str, tuple[Value, ...]]
"""What may stand at each key, the first of which a network gets that comes from elsewhere."""


def text(value: Value) -> str:
    """As a file has it.

    >>> [text(value) for value in (0.003, 0.0, 32, "24x32", True)]
    ['0.003', '0', '32', '24x32', 'true']
    """
    if isinstance(value, float) and float(f"{value:g}") == value:
        return f"{value:g}"
    return value if isinstance(value, str) else json.dumps(value)


def listed(values: Iterable[Value], between: str = " | ") -> str:
    """Values side by side."""
    return between.join(map(text, values))


def short(key: str) -> str:
    """A key's last word, of which there is one only.

    >>> short("training.augmentation.shift")
    'shift'
    """
    return key.rpartition(".")[2]


def described(recipe: Recipe) -> str:
    """In a line for people; "" if nothing was left to choose.

    >>> described({"training.learning_rate": 0.01, "dataset.image_size": 16})
    'learning_rate 0.01, image_size 16'
    """
    return ", ".join(f"{short(key)} {text(value)}" for key, value in recipe.items())


NOT_ALWAYS = {"training.weight_decay"}
"""Keys that a recipe may lack, because they would have no effect there."""


def effective(recipe: Recipe) -> Recipe:
    """Without what has no effect, so that no two recipes train the same: Adam shrinks no weights.

    >>> effective({"training.optimizer": "adam", "training.weight_decay": 0.01})
    {'training.optimizer': 'adam'}
    """
    unused = NOT_ALWAYS if recipe.get("training.optimizer") == "adam" else set()
    return {key: value for key, value in recipe.items() if key not in unused}


def offered(choices: Choices) -> str:
    """In a line for people.

    >>> offered({"training.learning_rate": (0.003, 0.01), "dataset.grayscale": (False, True)})
    'learning_rate 0.003 | 0.01; grayscale false | true'
    """
    return "; ".join(f"{short(key)} {listed(values)}" for key, values in choices.items())


def keys(recipes: Iterable[Recipe]) -> tuple[str, ...]:
    """Every key that one of the recipes has, in their order."""
    return tuple(dict.fromkeys(key for recipe in recipes for key in recipe))


def differing(recipes: Iterable[Recipe]) -> tuple[str, ...]:
    """The keys at which recipes differ."""
    known = tuple(recipes)
    return tuple(key for key in keys(known) if len({recipe.get(key) for recipe in known}) > 1)
