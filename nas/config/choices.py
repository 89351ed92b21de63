"""A list in an experiment file is a choice: each of its values has to be possible there, alone."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError

from nas.recipe import Choices, Value, text

Section = TypeVar("Section", bound=BaseModel)


def read(
    data: Mapping[str, Any], keys: Iterable[str], validated: Callable[[Mapping[str, Any]], Section]
) -> tuple[Section, Choices]:
    """An experiment with the first value of each list, and what the lists offer.

    Args:
        data: as a file has it.
        keys: dotted, at which a list is a choice.
        validated: makes an experiment of data without lists.

    Raises:
        ValidationError: of a value that is not possible, or of a list without two different values, at its key.
    """
    offered = dict(_lists(data, keys))
    for key, values in offered.items():
        data = replaced(data, key, values[0])
    first = validated(data)
    choices = {}
    for key, values in offered.items():
        found = [of(validated(replaced(data, key, value)), key) for value in values]
        if (
            not all(isinstance(value, bool | int | float | str) for value in found)
            or len(set(map(text, found))) < len(found)
            or len(found) < 2
        ):
            listed = ", ".join(map(text, found))
            raise refused(key, f"a list offers two or more different values; received [{listed}]")
        choices[key] = tuple(found)
    return first, choices


def refused(key: str, rule: str) -> ValidationError:
    """A mistake in the list at a key."""
    kind = PydanticCustomError("value_error", "{rule}", {"rule": rule})
    details = InitErrorDetails(type=kind, loc=tuple(key.split(".")), input=None)
    return ValidationError.from_exception_data("choices", [details])


def of(section: BaseModel, key: str) -> Value:
    """What stands at a dotted key."""
    value: Any = section
    for name in key.split("."):
        value = getattr(value, name)
    found: Value = value
    return found


def replaced(data: Mapping[str, Any], key: str, value: object) -> dict[str, Any]:
    """A copy of nested mappings with another value at a dotted key."""
    first, _, rest = key.partition(".")
    return {**data, first: replaced(data[first], rest, value) if rest else value}


def copied(section: Section, key: str, value: Value) -> Section:
    """A copy of a section with another value at a dotted key, which is known to be possible there."""
    first, _, rest = key.partition(".")
    return section.model_copy(update={first: copied(getattr(section, first), rest, value) if rest else value})


def _lists(data: Mapping[str, Any], keys: Iterable[str]) -> Iterator[tuple[str, list[Any]]]:
    """Those that are not empty: an empty one is no value and no choice, which is told where values are checked."""
    for key in keys:
        node: Any = data
        for name in key.split("."):
            node = node.get(name) if isinstance(node, Mapping) else None
        if isinstance(node, list | tuple) and node:
            yield key, list(node)
