"""The arithmetic that `nas show --explain` prints, and two networks side by side."""

import re

import pytest

from nas.architecture import Architecture
from nas.architecture.blocks import Conv, FlattenHead, GlobalPoolHead, Pool, Separable
from nas.architecture.explain import explain
from nas.files.shipped import shipped
from nas.reports.two_networks import compare
from nas.space import load_space


def network(*blocks, shape=(9, 9, 3)):
    return Architecture(input_shape=shape, blocks=(*blocks, GlobalPoolHead(classes=10)))


def test_a_convolution_its_normalization_and_the_dense_layer():
    conv, norm, dense = explain(network(Conv(filters=4, kernel=5, stride=2)))
    assert (conv.block, conv.layer) == ("01_conv", "conv")
    # Same padding: (ceil(9 / 2) - 1) * 2 + 5 - 9 = 4 zeros.
    assert conv.size == "floor((9 - 5 + 4) / 2) + 1 = 5"
    assert conv.parameters == "5*5*3*4 = 300"
    assert (conv.shared, conv.unshared) == (300, 5 * 5 * 300)
    assert (norm.parameters, norm.size, norm.unshared) == ("4*4 = 16", "", None)
    assert (dense.parameters, dense.unshared) == ("4*10 + 10 = 50", None)


def test_a_rectangular_window_groups_and_a_depthwise_convolution():
    blocks = (
        Conv(filters=6, kernel=(3, 1), padding="valid", normalization="none"),
        Conv(filters=6, groups=3, normalization="none"),
        Separable(filters=4, bias=True),
    )
    lines = explain(network(*blocks))
    assert lines[0].size == "floor((9 - 3 + 0) / 1) + 1 = 7 by floor((9 - 1 + 0) / 1) + 1 = 9"
    assert lines[0].parameters == "3*1*3*6 + 6 = 60"
    assert lines[1].parameters == "3*3*2*6 + 6 = 114"
    assert (lines[2].parameters, lines[2].unshared) == ("3*3*6 + 6 = 60", 7 * 9 * 60)


@pytest.mark.parametrize("name", [name for name in shipped("search_spaces") if name.startswith("reference/")])
def test_the_written_arithmetic_is_right(name):
    """Each formula, computed as it is written, gives the number behind its equals sign."""
    architecture = load_space(name).only()
    lines = explain(architecture)
    assert sum(line.shared for line in lines) == architecture.count.parameters
    for line in lines:
        for formula in filter(None, (line.parameters, *line.size.split(" by "))):
            left, right = formula.rsplit(" = ", 1)
            assert re.fullmatch(r"[0-9()+*/ floor-]+", left)
            assert eval(left.replace("floor", "int")) == int(right.replace(",", ""))


def test_two_networks_are_aligned_at_their_equal_blocks():
    a, b, pool = Conv(filters=4), Conv(filters=6), Pool()
    left = network(a, pool)
    right = Architecture(input_shape=(9, 9, 3), blocks=(a, b, pool, FlattenHead(classes=10)))
    lines = [
        (pair.left and pair.left.label, pair.right and pair.right.label, pair.same) for pair in compare(left, right)
    ]
    assert lines == [
        ("conv3-4", "conv3-4", True),
        (None, "conv3-6", False),
        ("max2", "max2", True),
        ("global_pool", "flatten", False),
    ]


def test_a_comparison_has_every_block_of_both_once():
    left, right = load_space("reference/vgg11").only(), load_space("reference/vgg16").only()
    pairs = compare(left, right)
    assert sum(pair.left.count.parameters for pair in pairs if pair.left) == left.count.parameters
    assert sum(pair.right.count.parameters for pair in pairs if pair.right) == right.count.parameters
    assert sum(pair.same for pair in pairs) == len(left.blocks)
