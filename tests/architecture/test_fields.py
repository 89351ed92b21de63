"""The types of options: parse, write back, JSON schema, and the sentence of each rule."""

import jsonschema
import pytest

from nas.architecture.blocks import BLOCKS
from nas.architecture.fields import (
    Auto,
    Flag,
    OneOf,
    Real,
    Units,
    Whole,
    WindowSize,
    field_types,
)

RULES = [
    (Whole(1, 65_536), [1, 65_536], [0, 65_537, 1.0, True, "1", None, []], "a whole number from 1 to 65,536"),
    (Real(0, 1), [0, 0.5, 0.999], [1, -0.1, float("nan"), float("inf"), "0.5", True], "a number from 0 and below 1"),
    (Real(0.01, 1, includes_maximum=True), [0.01, 1], [0, 1.1], "a number from 0.01 up to 1"),
    (Flag(), [True, False], [0, 1, "true", None], "true or false"),
    (OneOf(("same", "valid")), ["same"], ["Same", None, 1, ["same"]], "one of same, valid"),
    (
        WindowSize(64),
        [1, 64, "1x7", "3x3"],
        [0, 65, "3", "x", "3x", "3xax5", "3x5x7", "0x3", "65x1", "³x3", 3.0, True, None],
        'a side from 1 to 64, or "HEIGHTxWIDTH"',
    ),
    (Units(100), [[], [5], [5, 6], 7], [[0], [101], ["5"], "5", None, 0], "a list of whole numbers from 1 to 100"),
    (Auto(Flag()), [True, "auto", None], ["yes", 1], "true or false, or auto"),
]


@pytest.mark.parametrize(("kind", "good", "bad", "rule"), RULES, ids=lambda value: type(value).__name__)
def test_a_type_takes_what_it_should_and_says_the_rule_otherwise(kind, good, bad, rule):
    for value in good:
        parsed = kind.parse(value)
        assert kind.parse(kind.dump(parsed)) == parsed
    for value in bad:
        with pytest.raises(ValueError, match=f"^must be {rule}"):
            kind.parse(value)


@pytest.mark.parametrize(("kind", "good", "bad", "rule"), RULES, ids=lambda value: type(value).__name__)
def test_the_schema_takes_what_the_type_takes(kind, good, bad, rule):
    validator = jsonschema.Draft202012Validator(kind.schema())
    for value in good:
        assert value is None or validator.is_valid(value), value
    for value in bad:
        # JSON has neither NaN nor infinity, and 1.0 is a whole number there; a pattern does not know 65x1 is too high.
        if value in (1.0, 3.0, "65x1") or value != value or value in (float("inf"), None):
            continue
        assert not validator.is_valid(value), value


def test_a_square_window_is_its_side_and_a_rectangle_is_written_with_an_x():
    kind = WindowSize(64)
    assert kind.parse("3x3") == kind.parse((3, 3)) == 3
    assert kind.parse("1x7") == (1, 7)
    assert kind.dump((1, 7)) == "1x7"


def test_every_option_of_every_kind_has_a_type_whose_default_is_allowed():
    import dataclasses

    for cls in BLOCKS.values():
        types = field_types(cls)
        for field in dataclasses.fields(cls):
            if field.default is not dataclasses.MISSING:
                assert types[field.name].parse(field.default) == field.default


def test_an_option_without_a_type_is_an_error_of_the_programmer():
    import dataclasses

    @dataclasses.dataclass
    class Odd:
        size: int

    with pytest.raises(TypeError, match=r"needs an annotation from nas\.architecture\.fields"):
        field_types(Odd)
