"""The published JSON schema agrees with the reader."""

import dataclasses

import jsonschema
import pytest
import yaml

from nas.architecture.blocks import BLOCKS
from nas.files.shipped import shipped
from nas.files.yaml_file import FileError
from nas.space import parse_definition
from nas.space.definition import OF_THE_DATA
from nas.space.schema import option_texts, schema

VALIDATOR = jsonschema.Draft202012Validator(schema())


def test_the_schema_is_one():
    jsonschema.Draft202012Validator.check_schema(schema())


@pytest.mark.parametrize("name", shipped("search_spaces"))
def test_every_shipped_space_validates(name):
    VALIDATOR.validate(yaml.safe_load(shipped("search_spaces")[name].read_text()))


@pytest.mark.parametrize(
    "text",
    [
        "hed: flatten",
        "stages: []",
        "head: conv",
        "head: globalpool",
        "head: {flatten: {classes: 3}}",
        "{head: flatten, input: 28x28}",
        "{head: flatten, classes: 0}",
        "{head: flatten, description: [a]}",
        "{head: flatten, stem: conv}",
        "{head: flatten, stem: [flatten]}",
        "{head: flatten, stages: [{choose: pool, sequence: [pool]}]}",
        "{head: flatten, stages: [{filters: 4}]}",
        "{head: flatten, stages: [{choose: pool, repeats: 2}]}",
        "{head: flatten, stages: [{choose: pool, downsample: maxpool}]}",
        "{head: flatten, stages: [{choose: pool, downsample: []}]}",
        "{head: flatten, stages: [{choose: [conv: {kernal: 3}], filters: 4}]}",
        "{head: flatten, stages: [{choose: [conv: {padding: [same, vald]}], filters: 4}]}",
        "{head: flatten, stages: [{choose: [conv: {kernel: []}], filters: 4}]}",
        "{head: flatten, stages: [{choose: [conv: {kernel: 65}], filters: 4}]}",
        "{head: flatten, defaults: {pading: same}}",
        "{head: flatten, defaults: {filters: 4}}",
    ],
)
def test_what_the_reader_refuses_the_schema_refuses(text):
    assert not VALIDATOR.is_valid(yaml.safe_load(text))
    with pytest.raises(FileError):
        parse_definition(text)


@pytest.mark.parametrize(
    "text",
    [
        "head: flatten",
        "head: {flatten: }",
        "head: [flatten, global_pool: {units: [[], 5, [6, 7]], dropout: [0, 0.5]}]",
        "{head: flatten, input: 9x8x2, classes: 3, defaults: {padding: [same, valid], units: []}}",
        "{head: flatten, stem: [conv: {filters: [4, 8], kernel: [3, 1x7], bias: [auto, true]}, pool]}",
        "{head: flatten, stages: [{filters: 8, repeat: [0, 2], downsample: [none, stride], choose: {conv: , pool: }}]}",
        "{head: flatten, stages: [{filters: 8, sequence: [conv, [pool, residual: {squeeze: 1/4}]]}]}",
        "{head: spp}",
    ],
)
def test_what_the_reader_takes_the_schema_takes(text):
    parse_definition(text)
    VALIDATOR.validate(yaml.safe_load(text))


def test_every_kind_and_option_is_in_the_schema_with_its_text_and_default():
    definitions = schema()["$defs"]
    for kind, cls in BLOCKS.items():
        properties = definitions[kind]["properties"]
        assert set(properties) == {field.name for field in dataclasses.fields(cls)} - set(OF_THE_DATA)
        for name, option in properties.items():
            assert option["description"] == option_texts(cls)[name]
        assert definitions[kind]["description"]
    assert definitions["conv"]["properties"]["kernel"]["default"] == 3
    assert definitions["conv"]["properties"]["bias"]["default"] == "auto"
    assert "default" not in definitions["conv"]["properties"]["filters"]
