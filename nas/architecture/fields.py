"""The types that a block's options may have: one place that validates, reads, writes and documents them.

An option is annotated in its block (`filters: Filters`). The same annotation checks the constructor, reads YAML and
JSON values, writes them back, and yields the JSON schema.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from dataclasses import MISSING, Field, dataclass, fields
from functools import cache
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

Json = dict[str, Any]


class FieldType(ABC):
    """How one option is written, checked and described."""

    @abstractmethod
    def parse(self, value: object) -> Any:
        """The option's value.

        Raises:
            ValueError: `value` is not allowed; the message is the rule ("must be ...").
        """

    @abstractmethod
    def schema(self) -> Json:
        """JSON schema of one written value."""

    def dump(self, value: Any) -> Any:
        """The value as YAML and JSON write it."""
        return value


@dataclass(frozen=True)
class Whole(FieldType):
    """A whole number in an inclusive range; `channels` may be written as a fraction of the stage's filters."""

    minimum: int
    maximum: int
    channels: bool = False

    def parse(self, value: object) -> int:
        if type(value) is int and self.minimum <= value <= self.maximum:
            return value
        raise ValueError(f"must be a whole number from {self.minimum:,} to {self.maximum:,}")

    def schema(self) -> Json:
        number = {"type": "integer", "minimum": self.minimum, "maximum": self.maximum}
        if not self.channels:
            return number
        return {"anyOf": [number, {"type": "string", "pattern": r"^[0-9]+/[0-9]+$"}]}


@dataclass(frozen=True)
class Real(FieldType):
    """A number in a range that includes its lower end."""

    minimum: float
    maximum: float
    includes_maximum: bool = False

    def parse(self, value: object) -> float:
        # Compared before it is converted: a whole number may be larger than any float. NaN fails every comparison.
        if (
            isinstance(value, int | float)
            and not isinstance(value, bool)
            and self.minimum <= value <= self.maximum
            and (self.includes_maximum or value < self.maximum)
        ):
            return float(value)
        end = "up to" if self.includes_maximum else "and below"
        raise ValueError(f"must be a number from {self.minimum:g} {end} {self.maximum:g}")

    def schema(self) -> Json:
        end = "maximum" if self.includes_maximum else "exclusiveMaximum"
        return {"type": "number", "minimum": self.minimum, end: self.maximum}


@dataclass(frozen=True)
class Flag(FieldType):
    """true or false."""

    def parse(self, value: object) -> bool:
        if isinstance(value, bool):
            return value
        raise ValueError("must be true or false")

    def schema(self) -> Json:
        return {"type": "boolean"}


@dataclass(frozen=True)
class OneOf(FieldType):
    """One of a few words."""

    words: tuple[str, ...]

    def parse(self, value: object) -> str:
        if isinstance(value, str) and value in self.words:
            return value
        raise ValueError(f"must be one of {', '.join(self.words)}")

    def schema(self) -> Json:
        return {"enum": list(self.words)}


@dataclass(frozen=True)
class WindowSize(FieldType):
    """A square window by its side, or a rectangular one as "HEIGHTxWIDTH"."""

    maximum: int

    def parse(self, value: object) -> int | tuple[int, int]:
        sides: object = value
        if isinstance(value, str):
            sides = tuple(map(int, value.split("x"))) if re.fullmatch("[0-9]{1,5}x[0-9]{1,5}", value) else ()
        elif type(value) is int:
            sides = (value, value)
        if isinstance(sides, tuple) and len(sides) == 2:
            height, width = sides
            if all(type(side) is int and 1 <= side <= self.maximum for side in sides):
                return height if height == width else (height, width)
        raise ValueError(f'must be a side from 1 to {self.maximum}, or "HEIGHTxWIDTH"')

    def dump(self, value: int | tuple[int, int]) -> int | str:
        return value if isinstance(value, int) else f"{value[0]}x{value[1]}"

    def schema(self) -> Json:
        return {
            "anyOf": [
                {"type": "integer", "minimum": 1, "maximum": self.maximum},
                {"type": "string", "pattern": "^[1-9][0-9]*x[1-9][0-9]*$"},
            ]
        }


@dataclass(frozen=True)
class Units(FieldType):
    """A list of whole numbers, such as the widths of consecutive dense layers: `[]` for none, `64` or `[120, 84]`."""

    maximum: int = 1_000_000
    fewest: int = 0

    def parse(self, value: object) -> tuple[int, ...]:
        widths = (value,) if type(value) is int else value
        if isinstance(widths, (list, tuple)) and len(widths) >= self.fewest:
            numbers = tuple(w for w in widths if type(w) is int and 1 <= w <= self.maximum)
            if len(numbers) == len(widths):
                return numbers
        example = "[] or [120, 84]" if not self.fewest else "[4, 2, 1]"
        raise ValueError(f"must be a list of whole numbers from 1 to {self.maximum:,}, such as {example}")

    def dump(self, value: tuple[int, ...]) -> list[int]:
        return list(value)

    def schema(self) -> Json:
        number = {"type": "integer", "minimum": 1, "maximum": self.maximum}
        fewest: Json = {"minItems": self.fewest} if self.fewest else {}
        return {"anyOf": [number, {"type": "array", "items": number} | fewest]}


@dataclass(frozen=True)
class Reals(FieldType):
    """A list of numbers in an inclusive range: `[0.5, 1, 2]`, or `1` for one."""

    minimum: float
    maximum: float

    def parse(self, value: object) -> tuple[float, ...]:
        given = value if isinstance(value, (list, tuple)) else (value,)
        one = Real(self.minimum, self.maximum, includes_maximum=True)
        try:
            if given:
                return tuple(map(one.parse, given))
        except ValueError:
            pass
        raise ValueError(f"must be a list of numbers from {self.minimum:g} to {self.maximum:g}, such as [0.5, 1]")

    def dump(self, value: tuple[float, ...]) -> list[float]:
        return list(value)

    def schema(self) -> Json:
        number = {"type": "number", "minimum": self.minimum, "maximum": self.maximum}
        return {"anyOf": [number, {"type": "array", "items": number, "minItems": 1}]}


@dataclass(frozen=True)
class Auto(FieldType):
    """Another type, or `auto`: the block decides."""

    inner: FieldType

    def parse(self, value: object) -> Any:
        if value is None or value == "auto":
            return None
        try:
            return self.inner.parse(value)
        except ValueError as error:
            raise ValueError(f"{error}, or auto") from None

    def dump(self, value: Any) -> Any:
        return "auto" if value is None else self.inner.dump(value)

    def schema(self) -> Json:
        return {"anyOf": [self.inner.schema(), {"const": "auto"}]}


Filters = Annotated[int, Whole(1, 65_536, channels=True)]
"""Output channels of a convolution."""
OptionalFilters = Annotated[int, Whole(0, 65_536, channels=True)]
"""Output channels of a branch; 0 leaves it out."""
Groups = Annotated[int, Whole(1, 65_536)]
Depth = Annotated[int, Whole(1, 1_000)]
Classes = Annotated[int, Whole(2, 1_000_000)]
ObjectClasses = Annotated[int, Whole(1, 1_000_000)]
"""Classes of objects: there is always nothing beside them, so that one is enough."""
BoxesPerCell = Annotated[int, Whole(1, 16)]
Grid = Annotated[int, Whole(1, 64)]
"""Cells along each side of an image."""
ImageSize = Annotated[int | tuple[int, int], WindowSize(65_536)]
"""Height and width of an image: a side, or `(height, width)`."""
Kernel = Annotated[int | tuple[int, int], WindowSize(64)]
"""Side of a square window in pixels, or `(height, width)`."""
Stride = Annotated[int | tuple[int, int], WindowSize(64)]
AutoStride = Annotated[int | tuple[int, int] | None, Auto(WindowSize(64))]
Rate = Annotated[float, Real(0, 1)]
"""Share of inputs that dropout blanks, in [0, 1)."""
Share = Annotated[float, Real(0, 1, includes_maximum=True)]
"""A part of a whole, in [0, 1]."""
AutoRate = Annotated[float | None, Auto(Real(0, 1))]
Bias = Annotated[bool | None, Auto(Flag())]
"""None (auto): a bias exactly where no normalization follows, which would cancel it."""
DenseUnits = Annotated[tuple[int, ...], Units()]
Levels = Annotated[tuple[int, ...], Units(256, fewest=1)]
"""Bins along each side of a map, level by level."""
Width = Annotated[int, Whole(1, 65_536)]
"""Channels of a convolution within a head."""
AnchorSizes = Annotated[tuple[float, ...], Reals(0.02, 1)]
"""Sides of boxes as shares of the image's."""
AnchorRatios = Annotated[tuple[float, ...], Reals(0.1, 10)]
"""Height by width of boxes, each as a share of the image's."""
Regions = Annotated[int, Whole(1, 10_000)]
Normalization = Literal["none", "batch"]
ActivationName = Literal["linear", "relu", "relu6", "leaky_relu", "elu", "gelu", "silu", "hard_silu", "tanh", "sigmoid"]
PoolName = Literal["max", "average"]


@cache
def field_types(cls: type) -> dict[str, FieldType]:
    """Every option of a block class with its type, in the order of declaration."""
    hints = get_type_hints(cls, include_extras=True)
    return {field.name: _field_type(hints[field.name]) for field in fields(cls)}


def _field_type(hint: Any) -> FieldType:
    if get_origin(hint) is Annotated:
        return next(extra for extra in get_args(hint)[1:] if isinstance(extra, FieldType))
    if get_origin(hint) is Literal:
        return OneOf(get_args(hint))
    if hint is bool:
        return Flag()
    raise TypeError(f"a block's option needs an annotation from nas.architecture.fields; received {hint!r}")


def is_required(field: Field[Any]) -> bool:
    return field.default is MISSING
