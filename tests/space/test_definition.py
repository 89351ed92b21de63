"""The file format: every mistake with file, line, path and what to change."""

# ruff: noqa: E501  (sentences are easier to read in one piece)

import re
import textwrap

import pytest

from nas.architecture.blocks import Conv, Pool, Residual
from nas.files.yaml_file import FileError
from nas.space import SearchSpace, SpaceError, load_definition, load_space, parse_definition

GOOD = """\
description: two lines
  of text
input: 28x28x1
classes: 7
defaults: {activation: silu}
stem:
  - conv: {filters: [4, 8]}
stages:
  - repeat: [0, 1]
    filters: [8, 12]
    downsample: [none, stride]
    choose:
      - conv
      - residual: {form: bottleneck, squeeze: 1/4}
head: [global_pool, flatten]
"""


def test_a_whole_file():
    definition = parse_definition(GOOD, "mine")
    assert (definition.name, definition.description) == ("mine", "two lines of text")
    assert (definition.input_shape, definition.classes) == ((28, 28, 1), 7)
    assert [stage.name for stage in definition.stages] == ["stem", "stage1", "head"]
    stage = definition.stages[1]
    assert (stage.repeat, stage.filters, stage.downsample) == ((0, 1), (8, 12), ("none", "stride"))
    conv, residual = stage.slots[0]
    assert conv.blocks(filters=12, classes=7, stride=True) == [Conv(filters=12, activation="silu", stride=2)]
    assert residual.blocks(filters=12, classes=7, stride=False) == [
        Residual(filters=12, form="bottleneck", squeeze=3, activation="silu")
    ]


def test_what_is_left_out_has_a_default():
    definition = parse_definition("head: flatten")
    assert (definition.input_shape, definition.classes, definition.description) == ((32, 32, 3), 10, "")
    assert [stage.name for stage in definition.stages] == ["head"]


MISTAKES = {
    "hed: flatten": r"^s.yaml:1: hed: unknown key \(did you mean 'head'\?\); use one of classes, defaults, description, head, ",
    "": r"^s.yaml: must be a mapping of keys to values; received nothing$",
    "- a": r"^s.yaml:1: must be a mapping of keys to values; received \['a'\]$",
    "stages: []": r"^s.yaml:1: `head` is missing; give global_pool or flatten, or a list to choose from$",
    "head: []": r"^s.yaml:1: head: at least one block is needed$",
    "head: {}": r"^s.yaml:1: head: a block is needed: fcn, flatten, ",
    "head: conv": r"^s.yaml:1: head.conv: only a head ends a network; give one of fcn, flatten, fully_convolutional, global_pool, points, region, rpn, spp, yolo$",
    "head: globalpool": r"^s.yaml:1: head.globalpool: unknown key \(did you mean 'global_pool'\?\); use one of fcn, flatten, ",
    "stages: [{choose: conv, filters: 8, skip: true}]\nhead: [fcn, flatten]": (
        r"^s.yaml:2: head: all heads of a space are for one task; fcn is for segmentation, flatten is for classification"
    ),
    "stages: [{choose: conv, filters: 8, skip: true}]\nhead: flatten": (
        r"^s.yaml:2: head: a skip needs a head that takes it, such as fcn; flatten does not$"
    ),
    "head: 5": r"^s.yaml:1: head: must be a mapping of keys to values; received 5$",
    "head:\n  flatten: {classes: 3}": r"^s.yaml:2: head.flatten.classes: unknown key; use one of ",
    "head: flatten\ninput: 28x28": r"^s.yaml:2: input: must be HEIGHTxWIDTHxCHANNELS such as 28x28x1; received '28x28'$",
    "head: flatten\ninput: 0x8x1": r"^s.yaml:2: input: must be HEIGHTxWIDTHxCHANNELS",
    "head: flatten\ninput: [8, 8, 1]": r"^s.yaml:2: input: must be HEIGHTxWIDTHxCHANNELS",
    "head: flatten\nclasses: 1": r"^s.yaml:2: classes: must be a whole number from 2 to 1,000,000; received 1$",
    "head: flatten\ndescription: [a]": r"^s.yaml:2: description: must be text$",
    "head: flatten\nstem: conv": r"^s.yaml:2: stem: must be a list \(lines that begin with -\); received 'conv'$",
    "head: flatten\nstem:": r"^s.yaml:2: stem: must be a list \(lines that begin with -\); received nothing$",
    "head: flatten\nstem: []": r"^s.yaml:2: stem: at least one block is needed$",
    "head: flatten\nstages: [{filters: 8, choose: [{bottleneck: {squeeze: 0.25}}]}]": r"squeeze: must be a whole number from 1 to 65,536, or a fraction of the filters such as 1/4; received 0.25$",
    "head: flatten\nstages: [{filters: 8, choose: [inception]}]": r"^s.yaml:2: stages\[0\].choose\[0\].inception: `branch1x1`, `branch3x3`, `branch5x5`, `branch_pool` are missing; give channels",
    "head: flatten\nstem:\n  - conv": r"^s.yaml:3: stem\[0\].conv: `filters` is missing; give it here or `filters` in the",
    "head: flatten\nstem:\n  - flatten": r"^s.yaml:3: stem\[0\].flatten: it ends a network and stands under `head`; give one of activation, bottleneck, ",
    "head: flatten\nstages: {}": r"^s.yaml:2: stages: must be a list",
    "head: flatten\nstages:\n  - conv": r"^s.yaml:3: stages\[0\]: must be a mapping of keys to values; received 'conv'$",
    "head: flatten\nstages:\n  - {filters: 4}": r"^s.yaml:3: stages\[0\]: a stage has either `choose` \(one slot\) or `sequ",
    "head: flatten\nstages:\n  - {choose: pool, sequence: [pool]}": r"^s.yaml:3: stages\[0\]: a stage has either `choose` ",
    "head: flatten\nstages:\n  - choose: pool\n    repeats: 2": (
        r"^s.yaml:4: stages\[0\].repeats: unknown key \(did you mean 'repeat'\?\); use one of choose, downsample, filters, "
    ),
    "head: flatten\nstages:\n  - choose: pool\n    repeat: 1001": (
        r"^s.yaml:4: stages\[0\].repeat: must be a whole number from 0 to 1,000; received 1001$"
    ),
    "head: flatten\nstages:\n  - choose: pool\n    repeat: []": r"^s.yaml:4: stages\[0\].repeat: at least one value is",
    "head: flatten\nstages:\n  - choose: pool\n    filters: 1/2": (
        r"^s.yaml:4: stages\[0\].filters: must be a whole number from 1 to 65,536; received '1/2'$"
    ),
    "head: flatten\nstages:\n  - choose: pool\n    downsample: maxpool": (
        r"^s.yaml:4: stages\[0\].downsample: must be one of none, stride, max_pool, average_pool; received 'maxpool'$"
    ),
    "head: flatten\nstages:\n  - choose: pool\n    downsample: []": r"^s.yaml:4: stages\[0\].downsample: at least one",
    "head: flatten\nstages:\n  - choose: pool\n    downsample: [[max_pool]]": r"downsample\[0\]: must be one of none, str",
    "head: flatten\nstages:\n  - choose: {inception: {branch1x1: 1, branch3x3: 1, branch5x5: 1, branch_pool: 1}}\n"
    "    downsample: stride": (
        r"^s.yaml:4: stages\[0\].downsample: `stride` needs a first block with a stride, such as conv; use max_pool$"
    ),
    "head: flatten\nstages:\n  - filters: 4\n    choose:\n      - conv: {kernal: 3}": (
        r"^s.yaml:5: stages\[0\].choose\[0\].conv.kernal: unknown key \(did you mean 'kernel'\?\); use one of activation, bias, "
    ),
    "head: flatten\nstages:\n  - filters: 4\n    choose:\n      - cnov": r"choose\[0\].cnov: unknown key \(did you mean 'conv'\?\)",
    "head: flatten\nstages:\n  - filters: 4\n    choose:\n      - conv: {padding: [same, vald]}": (
        r"^s.yaml:5: stages\[0\].choose\[0\].conv.padding\[1\]: must be one of same, valid; received 'vald'$"
    ),
    "head: flatten\nstages:\n  - filters: 4\n    choose:\n      - conv: {kernel: 3.0}": (
        r'conv.kernel: must be a side from 1 to 64, or "HEIGHTxWIDTH"; received 3.0$'
    ),
    "head: flatten\nstages:\n  - filters: 4\n    choose:\n      - conv: {kernel: []}": r"kernel: at least one value is needed$",
    "head: flatten\nstages:\n  - filters: 4\n    choose:\n      - bottleneck": (
        r"^s.yaml:5: stages\[0\].choose\[0\].bottleneck: `squeeze` is missing; give channels such as 8, or a fraction of the filters such as 1/4$"
    ),
    "head: flatten\nstages:\n  - choose:\n      - conv: {filters: 1/2}": (
        r"^s.yaml:4: stages\[0\].choose\[0\].conv.filters: a fraction is of the stage's `filters`, which are not given$"
    ),
    "head: flatten\nstem:\n  - bottleneck: {filters: 8, squeeze: 0/2}": r"squeeze: must be a whole number from 1 to 65,536",
    "head: flatten\nstem:\n  - bottleneck: {filters: 8, squeeze: 1/0}": r"squeeze: must be a whole number from 1 to 65,536",
    "head: flatten\nstages:\n  - {filters: 65536, choose: [conv: {filters: 3/1}]}": (
        r"conv: `filters` must be a whole number from 1 to 65,536; received 196608$"
    ),
    "head: flatten\ndefaults: [same]": r"^s.yaml:2: defaults: must be a mapping of keys to values; received \['same'\]$",
    "head: flatten\ndefaults: {pading: same}": r"^s.yaml:2: defaults.pading: unknown key \(did you mean 'padding'\?\); use one of",
    "head: flatten\ndefaults: {filters: 4}": r"^s.yaml:2: defaults.filters: `filters` has no default here; give it in each stage or block$",
    "head: flatten\ndefaults: {classes: 4}": r"^s.yaml:2: defaults.classes: `classes` has no default here; give it in the file's first level$",
    "head: flatten\ndefaults: {dropout: 2}": r"^s.yaml:2: defaults.dropout: must be a number from 0 and below 1; received 2$",
    "head: flatten\nstem:\n  - conv: {filters: [" + ", ".join(map(str, range(1, 5_002))) + "], stride: [1, 2]}": (
        r"^s.yaml:3: stem\[0\].conv: at most 10,000 combinations of options are possible; received 10,002$"
    ),
}


@pytest.mark.parametrize("text", MISTAKES, ids=lambda text: text.replace("\n", "|")[:70])
def test_a_mistake_is_told_with_file_line_and_path(text):
    with pytest.raises(FileError, match=MISTAKES[text]):
        parse_definition(text, "s")


def blocks(text, filters=16, stride=False):
    definition = parse_definition(textwrap.dedent(text))
    return definition.stages[0].slots[0][0].blocks(filters=filters, classes=2, stride=stride)


def test_fractions_are_of_the_blocks_own_filters_and_those_of_the_stage():
    text = "stages: [{{filters: 16, choose: [bottleneck: {}]}}]\nhead: flatten"
    (block,) = blocks(text.format("{squeeze: 1/4}"))
    assert (block.filters, block.squeeze) == (16, 4)
    (block,) = blocks(text.format("{filters: 8, squeeze: 1/4}"))
    assert (block.filters, block.squeeze) == (8, 2)
    (block,) = blocks(text.format("{filters: 1/2, squeeze: 1/4}"))
    assert (block.filters, block.squeeze) == (8, 2)
    assert [b.squeeze for b in blocks(text.format("{squeeze: [1/100, 3/2, 5]}"))] == [1, 24, 5]


def test_a_list_is_a_choice_and_lists_of_lists_are_for_options_that_are_lists():
    text = "head: [flatten: {{units: {}}}]"
    assert [b.units for b in blocks(text.format("[]"))] == [()]
    assert [b.units for b in blocks(text.format("[120, 84]"))] == [(120,), (84,)]
    assert [b.units for b in blocks(text.format("[[120, 84]]"))] == [(120, 84)]
    assert [b.units for b in blocks(text.format("[[], 5, [6, 7]]"))] == [(), (5,), (6, 7)]


def test_defaults_give_way_to_a_blocks_own_options_and_skip_kinds_without_them():
    text = "defaults: {{padding: valid, bias: true}}\nstem: [{}]\nhead: flatten"
    assert blocks(text.format("conv: {filters: 4}")) == [Conv(filters=4, padding="valid", bias=True)]
    assert blocks(text.format("conv: {filters: 4, padding: same}")) == [Conv(filters=4, bias=True)]
    assert blocks(text.format("pool")) == [Pool(padding="valid")]


def test_a_stride_replaces_the_blocks_own_and_kinds_without_one_are_left_out():
    text = "stages: [{{filters: 4, choose: [{}]}}]\nhead: flatten"
    assert blocks(text.format("conv: {stride: [1, 3]}"), filters=4, stride=True) == [Conv(filters=4, stride=2)]
    assert blocks(text.format("dense_block: {growth: 2}"), filters=4, stride=True) == []


def test_kinds_may_be_names_lists_or_several_keys():
    text = "stages: [{{filters: 4, choose: {}}}]\nhead: flatten"
    for choose in ("[conv, pool]", "[conv: {}, pool: {}]", "{conv: , pool: }", "[{conv: {}, pool: {}}]"):
        slot = parse_definition(text.format(choose)).stages[0].slots[0]
        assert [alternative.kind for alternative in slot] == ["conv", "pool"]


@pytest.mark.parametrize(
    ("text", "shape", "misfit"),
    [
        (
            "stem: [pool, pool, pool]\nhead: flatten",
            (7, 9, 1),
            "pool on a map of 1x2x1: a 2x2 pooling window with valid padding does not fit a 1x2 map; "
            "use same padding, a smaller window, or less downsampling before it",
        ),
        (
            "stem: [{conv: {filters: 8}}]\nstages: [{filters: [6, 9], choose: [{conv: {groups: 4}}]}]\nhead: flatten",
            (8, 8, 1),
            "conv on a map of 8x8x8: `groups` must divide the input channels and the filters; "
            "received groups=4 for 8 channels and 6 filters",
        ),
    ],
)
def test_a_space_that_fits_no_image_of_this_size(text, shape, misfit):
    space = SearchSpace(parse_definition(text, "deep"), input_shape=shape)
    start = f"no architecture of the space 'deep' fits {'x'.join(map(str, shape))} images; every path ends at a block "
    with pytest.raises(SpaceError, match=f"^{re.escape(start)}that does not fit, such as {re.escape(misfit)}$"):
        _ = space.fewest_parameters


def test_a_space_fits_the_smallest_image_that_it_can_halve_three_times():
    definition = parse_definition("stem: [pool, pool, pool]\nhead: flatten", "deep")
    assert SearchSpace(definition, input_shape=(8, 8, 1)).fewest_parameters == 20


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"input_shape": (8, 8)}, r"^input_shape must be \(height, width, channels\); received \(8, 8\)$"),
        ({"input_shape": (8, 0, 1)}, r"^input_shape must be \(height, width, channels\); received \(8, 0, 1\)$"),
        ({"classes": 1}, r"^classes must be a whole number from 2 up; received 1$"),
        ({"classes": 0}, r"^classes must be a whole number from 2 up; received 0$"),
    ],
)
def test_an_input_that_is_none(arguments, sentence):
    with pytest.raises(SpaceError, match=sentence):
        load_space("tiny", **arguments)


def test_one_class_is_enough_for_objects():
    definition = parse_definition("stem: [pool]\nhead: [yolo, points]\nclasses: 1")
    # Without a choice of blocks: 5 + 1 or 1 + 4 outputs, from 3 channels.
    assert SearchSpace(definition).fewest_parameters == (3 + 1) * (1 + 4)
    with pytest.raises(SpaceError, match=r"^classes must be a whole number from 1 up; received 0$"):
        SearchSpace(definition, classes=0)


def test_a_file_of_your_own(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(GOOD)
    assert load_definition(path) == parse_definition(GOOD, "mine")
    space = load_space(path, input_shape=(9, 9, 2))
    assert (space.name, space.input_shape, space.classes) == ("mine", (9, 9, 2), 7)
    assert repr(space) == "SearchSpace('mine', 9x9x2, 7 classes)"
    path.write_text("head: flatten\nstages: 5")
    with pytest.raises(FileError, match=r"^mine.yaml:2: stages: must be a list"):
        load_space(str(path))


ROUNDED = """\
round_filters: 8
defaults: {squeeze: [1/16, 3/4]}
stem:
  - conv: {filters: [3, 4, 11, 12, 20]}
stages:
  - filters: [12, 16, 20, 24]
    choose:
      - bottleneck
      - residual: {form: [basic, bottleneck]}
      - inception: {branch1x1: 1/4, branch3x3: 1/2, branch5x5: 0, branch_pool: 1/8, reduce3x3: [9, 0]}
      - conv: {filters: [1/3, 3/2]}
  - choose: {dense_block: {layers: 2, growth: 5, transition: false}}
head: {flatten: {units: [[], 20]}}
"""


def test_round_filters_makes_every_width_a_multiple_and_equal_widths_one_decision():
    definition = parse_definition(ROUNDED)
    stem, stage = definition.stages[:2]
    assert stem.slots[0][0].options["filters"] == (8, 16, 24)
    assert stage.filters == (16, 24)
    widths, dense, ids = set(), set(), []
    for network in SearchSpace(definition, input_shape=(9, 9, 8), classes=3).architectures():
        ids.append(network.id)
        for _, node in network.nodes():
            if len(node.shape) == 3:
                widths.add(node.shape[2])
            elif type(node.layer).__name__ == "Dense":
                dense.add(node.shape)
    assert {8, 16, 24, 40} <= widths
    assert all(width % 8 == 0 for width in widths)
    assert dense == {(3,), (20,)}  # units stay as they are
    size = SearchSpace(definition, input_shape=(9, 9, 8), classes=3).size()
    assert size.exact
    assert size.architectures == len(set(ids)) < len(ids)


def test_round_filters_rounds_what_a_bottleneck_has_by_default():
    text = "round_filters: 8\nstages: [{filters: 16, choose: [residual: {form: bottleneck}]}]\nhead: global_pool"
    (network,) = SearchSpace(parse_definition(text), input_shape=(4, 4, 8), classes=2).architectures()
    assert network.blocks[0] == Residual(filters=16, form="bottleneck", squeeze=8)


def test_round_filters_is_a_whole_number():
    with pytest.raises(FileError, match=r"round_filters: must be a whole number from 1 to 1,024; received 0"):
        parse_definition("round_filters: 0\nhead: global_pool")


def test_a_table_is_looked_for_beside_the_space(tmp_path):
    for written, known in (("t.csv", f"{tmp_path}/t.csv"), ("digits-mixed", "digits-mixed")):
        (tmp_path / "it.yaml").write_text(f"known: {written}\n{GOOD}")
        assert load_definition(tmp_path / "it.yaml").known == known
