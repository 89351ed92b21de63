"""The file format of search spaces as a JSON schema, for editors and for other people's programs.

Everything in it is read from the block kinds, so that a new kind or option is in the schema as soon as it exists. The
schema knows words, types and ranges; that a block fits its map, or that somebody gives its filters, is for the reader.
"""

from __future__ import annotations

import inspect
import re
from dataclasses import fields
from typing import Any

from nas.architecture.blocks import BLOCKS, Block
from nas.architecture.fields import FieldType, Flag, OneOf, Units, Whole, field_types, is_required
from nas.space.definition import DOWNSAMPLE, INJECTED, OF_THE_DATA

Json = dict[str, Any]


def schema() -> Json:
    """JSON schema (draft 2020-12) of a search space file."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "nas search space",
        "description": "What a search may try: a stem, stages and a head, each a choice among kinds of blocks.",
        "type": "object",
        "additionalProperties": False,
        "required": ["head"],
        "properties": {
            "description": {"type": "string", "description": "What the space is for."},
            "known": {
                "type": "string",
                "description": "Measured networks of this space; a search starts with the good ones.",
            },
            "input": {
                "type": "string",
                "pattern": "^[0-9]{1,5}x[0-9]{1,5}x[0-9]{1,5}$",
                "default": "32x32x3",
                "description": "HEIGHTxWIDTHxCHANNELS, used where no data set gives it.",
            },
            "classes": {
                "type": "integer",
                "minimum": 1,
                "default": 10,
                "description": "Number of classes, used where no data set gives it.",
            },
            "round_filters": {
                "type": "integer",
                "minimum": 1,
                "maximum": 1_024,
                "default": 1,
                "description": "Every number of channels is rounded to a multiple of this; 8 suits a TPU.",
            },
            "defaults": {
                "type": "object",
                "additionalProperties": False,
                "properties": _defaults(),
                "description": "Options for all blocks that have them and do not set them.",
            },
            "stem": {**_list_of("#/$defs/slot"), "description": "Slots before the first stage."},
            "stages": {**_list_of("#/$defs/stage", minimum=0), "description": "From the image to the head."},
            "head": {"$ref": "#/$defs/head"},
        },
        "$defs": {
            "stage": _stage(),
            "slot": _slot(is_head=False),
            "head": _slot(is_head=True),
            **{kind: block_schema(BLOCKS[kind]) for kind in sorted(BLOCKS)},
        },
    }


def block_schema(cls: type[Block]) -> Json:
    """The options of one block kind."""
    texts = option_texts(cls)
    properties = {}
    for field in fields(cls):
        if field.name in OF_THE_DATA:
            continue
        option = choice(field_types(cls)[field.name])
        if field.name in texts:
            option["description"] = texts[field.name]
        if not is_required(field):
            option["default"] = field_types(cls)[field.name].dump(field.default)
        properties[field.name] = option
    return {
        "description": " ".join((inspect.getdoc(cls) or "").split("\n\n")[0].split()),
        "type": ["object", "null"],
        "additionalProperties": False,
        "properties": properties,
    }


def choice(field_type: FieldType) -> Json:
    """One value, or a list of values to choose from."""
    one = field_type.schema()
    return {"anyOf": [one, {"type": "array", "items": one, "minItems": 0 if isinstance(field_type, Units) else 1}]}


def option_texts(cls: type[Block]) -> dict[str, str]:
    """What a block's docstring says of each option.

    >>> option_texts(BLOCKS["pool"])["size"]
    'side of the window.'
    """
    _, _, attributes = (inspect.getdoc(cls) or "").partition("Attributes:\n")
    texts = {}
    for names, text in re.findall(r"^    ([a-z0-9_, ]+): (.*(?:\n {8}.*)*)", attributes, re.MULTILINE):
        for name in names.split(", "):
            texts[name] = " ".join(text.split())
    return texts


def _defaults() -> Json:
    types: dict[str, list[Json]] = {}
    for kind in sorted(BLOCKS):
        for name, field_type in field_types(BLOCKS[kind]).items():
            option = choice(field_type)
            if name not in INJECTED and option not in types.setdefault(name, []):
                types[name].append(option)
    return {name: found[0] if len(found) == 1 else {"anyOf": found} for name, found in sorted(types.items())}


def _stage() -> Json:
    slot = {"$ref": "#/$defs/slot"}
    return {
        "type": "object",
        "additionalProperties": False,
        "oneOf": [{"required": ["choose"]}, {"required": ["sequence"]}],
        "properties": {
            "repeat": {**choice(Whole(0, 1_000)), "default": 1, "description": "How often the slots are repeated."},
            "filters": {
                **choice(Whole(1, 65_536)),
                "description": "Channels of the blocks that do not set their own.",
            },
            "downsample": {
                **choice(OneOf(tuple(DOWNSAMPLE))),
                "default": "none",
                "description": "How to halve the map, before or in the stage's first block.",
            },
            "skip": {
                **choice(Flag()),
                "default": False,
                "description": "Whether the map that leaves the stage also goes to the head, by a 1x1 convolution.",
            },
            "choose": {**slot, "description": "One slot."},
            "sequence": {**_list_of("#/$defs/slot"), "description": "Several slots, one after the other."},
        },
    }


def _slot(*, is_head: bool) -> Json:
    """A kind by its name, kinds with options, or a list of both: any one of these."""
    kinds = sorted(kind for kind, cls in BLOCKS.items() if cls.is_head == is_head)
    name = {"enum": kinds}
    options = {
        "type": "object",
        "minProperties": 1,
        "additionalProperties": False,
        "properties": {kind: {"$ref": f"#/$defs/{kind}"} for kind in kinds},
    }
    return {"anyOf": [name, options, {"type": "array", "minItems": 1, "items": {"anyOf": [name, options]}}]}


def _list_of(reference: str, minimum: int = 1) -> Json:
    return {"type": "array", "minItems": minimum, "items": {"$ref": reference}}
