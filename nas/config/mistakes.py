"""A mistake in an experiment as one line: its file, line and key, and what to change."""

from __future__ import annotations

from collections.abc import Mapping
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError

from nas.architecture import Budget
from nas.config.experiment import ExperimentConfig
from nas.errors import shown
from nas.files.yaml_file import FileError, YamlFile, dotted
from nas.registry import did_you_mean

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

_ALSO_CALLED = {
    "lr": "training.learning_rate",
    "wd": "training.weight_decay",
    "max_flops": "budget.max_macs",
    "params": "budget.max_parameters",
    "path": "dataset.name",
    "size": "dataset.image_size",
}
"""Keys by what others call them."""

_IN_WORDS = {
    "string_pattern_mismatch": "a name is letters, digits, '.', '_' and '-', and begins with a letter or a digit",
    "tuple_type": "must be a list",
    "model_type": "must be a mapping of keys to values",
    "dataclass_type": "must be a mapping of keys to values",
    "dict_type": "must be a mapping of keys to values",
    "string_type": "must be text",
    "string_too_short": "must not be empty",
    "string_too_long": "must have at most {max_length} characters",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_from_float": "must be a whole number",
    "finite_number": "must be a finite number",
    "literal_error": "must be {expected}",
    "greater_than": "must be greater than {gt:g}",
    "greater_than_equal": "must be at least {ge:,g}",
    "less_than": "must be less than {lt:g}",
    "less_than_equal": "must be at most {le:,g}",
}
"""Pydantic's complaints, in the words of the rest."""


def is_given(key: str, overrides: Mapping[str, Any]) -> bool:
    """Whether an override says it, alone or with its section."""
    return any(f"{key}.".startswith(f"{given}.") for given in overrides)


def first_mistake(error: ValidationError, file: YamlFile, overrides: Mapping[str, Any]) -> FileError:
    """The first of pydantic's complaints as one line of ours."""
    path, mistakes = _of_one_value(error)
    mistake = mistakes[0]
    first, *others = map(_in_words, mistakes)
    message = ", or ".join((first, *(other.removeprefix("must be ") for other in others)))
    if mistake["type"] == "extra_forbidden":
        keys = _all_keys(ExperimentConfig)
        section = dotted(path[:-1])
        known = [key.rpartition(".")[2] for key in keys if key.rpartition(".")[0] == section]
        word = str(path[-1])
        elsewhere = next((key for key in keys if key.rpartition(".")[2] == word), _ALSO_CALLED.get(word))
        prefix = next((each for each in ("max_", "min_") if word.startswith(each)), "")
        hint = did_you_mean(word, known, prefix=prefix) if elsewhere is None else f" (did you mean {elsewhere!r}?)"
        message = f"unknown key{hint}; use one of {', '.join(sorted(known))}"
    elif mistake["type"] == "missing":
        message = "is missing"
    elif path[-1:] == ("[key]",):  # pydantic's name for a key that is wrong itself
        path, message = path[:-2], f"each key {message}; received {shown(mistake['input'])}"
    elif mistake["type"] != "value_error":  # our own say what was received
        message = f"{message}; received {shown(mistake['input'])}"
    if path == ("name",) and mistake["type"] != "missing" and not {"name"} & (file.data.keys() | overrides.keys()):
        message += ". It is the file's: add a `name`, or give --name"
    # A whole section may have been given, such as --set 'training={epochs: 3}'.
    here = dotted(path)
    if is_given(here, overrides) or any(key.startswith(f"{here}.") for key in overrides):
        return FileError(f"{dotted(path)}: {message}")
    return file.error(path, message)


def _in_words(mistake: ErrorDetails) -> str:
    """What one complaint asks for."""
    message = mistake["msg"].removeprefix("Value error, ")
    if mistake["type"] == "value_error":
        return message
    in_words = _IN_WORDS.get(mistake["type"])
    return in_words.format(**mistake.get("ctx", {})) if in_words else f"{message[0].lower()}{message[1:]}"


def _of_one_value(error: ValidationError) -> tuple[tuple[int | str, ...], list[ErrorDetails]]:
    """Where the first complaint is, and what else is said of the same value.

    Where values of several kinds may stand, pydantic complains of each, with the kind's name after the key. A complaint
    about something inside the value is of the kind that was meant, and stands alone.
    """
    mistakes = error.errors()
    path = mistakes[0]["loc"]
    depth = _union(path)
    if depth is None:
        return path, mistakes[:1]
    same = [each for each in mistakes if each["loc"][:depth] == path[:depth]]
    inside = next((each for each in same if len(each["loc"]) > depth + 1), None)
    if inside is not None:
        return (*path[:depth], *inside["loc"][depth + 1 :]), [inside]
    return path[:depth], same


def _union(path: tuple[int | str, ...]) -> int | None:
    """How many keys lead to a value of several kinds; None: there is none on the way."""
    model: type[BaseModel] = ExperimentConfig
    for depth, name in enumerate(path[:-1], 1):
        field = model.model_fields.get(str(name))
        annotation = field.annotation if field else None
        if len({*get_args(annotation)} - {NoneType}) > 1 and get_origin(annotation) in (Union, UnionType):
            return depth
        if not (isinstance(annotation, type) and issubclass(annotation, BaseModel)):
            return None
        model = annotation
    return None


def _all_keys(model: type[BaseModel], prefix: str = "") -> list[str]:
    """Dotted, those of sections included."""
    keys = []
    for python_name, field in model.model_fields.items():
        name = field.alias or python_name
        keys.append(f"{prefix}{name}")
        section = field.annotation
        if section is Budget:
            keys += [f"{prefix}{name}.{key}" for key in Budget.limit_names()]
        elif isinstance(section, type) and issubclass(section, BaseModel):
            keys += _all_keys(section, f"{prefix}{name}.")
    return keys
