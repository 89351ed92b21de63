"""What a network's picture shows: chains, forks, and equal neighbors drawn once."""

import pytest

from nas.architecture import Architecture
from nas.architecture.blocks import (
    Bottleneck,
    Conv,
    DenseBlock,
    FcnHead,
    GlobalPoolHead,
    Inception,
    Pool,
    Residual,
    Skip,
)
from nas.files.shipped import shipped
from nas.reports.network_structure import Cell, Fork, Group, parameters_text, shape_text, structure
from nas.space import load_space

REFERENCES = [name for name in shipped("search_spaces") if name.startswith("reference/")]


def network(*blocks, shape=(16, 16, 8)):
    return Architecture(input_shape=shape, blocks=(*blocks, GlobalPoolHead(classes=10)))


def total(items):
    """Parameters of everything that is drawn."""
    counts = 0
    for item in items:
        match item:
            case Cell():
                counts += item.total
            case Group():
                counts += total(item.items)
            case Fork():
                counts += sum(map(total, item.branches)) + item.join.total
    return counts


@pytest.mark.parametrize("name", REFERENCES)
def test_nothing_is_lost_or_drawn_twice(name):
    architecture = load_space(name).only()
    assert total(structure(architecture)) == architecture.count.parameters


def test_normalization_and_activation_are_written_into_the_box_before_them():
    conv, pool, dense = structure(network(Conv(filters=4)))
    assert (conv.title, conv.notes, conv.total) == ("conv 3×3, 4", ("norm", "relu"), 3 * 3 * 8 * 4 + 4 * 4)
    assert (pool.title, dense.title, dense.notes) == ("global average pool", "dense 10", ("softmax",))


def test_inception_forks_into_its_branches():
    (group, *_) = structure(network(Inception(branch1x1=2, reduce3x3=1, branch3x3=3, branch5x5=0, branch_pool=1)))
    (fork,) = group.items
    assert group.caption == "inception"
    titles = [[cell.title for cell in branch] for branch in fork.branches]
    assert titles == [["conv 1×1, 2"], ["conv 1×1, 1", "conv 3×3, 3"], ["max pool 3×3", "conv 1×1, 1"]]
    assert fork.join.title == "concatenate"


def test_an_identity_shortcut_is_an_empty_branch_and_a_projection_is_a_box():
    identity, projection, *_ = structure(network(Residual(filters=8), Residual(filters=12)))
    assert [len(branch) for branch in identity.items[0].branches] == [2, 0]
    assert [len(branch) for branch in projection.items[0].branches] == [2, 1]
    assert identity.items[0].join.notes == ("relu",)


def test_equal_blocks_in_a_row_are_drawn_once():
    blocks = [Residual(filters=8)] * 3 + [Residual(filters=12)] + [Residual(filters=12)] * 2
    first, second, third, *_ = structure(network(*blocks))
    assert [item.times for item in (first, second, third)] == [3, 1, 2]


def test_single_boxes_are_drawn_once_from_four_on():
    assert [item.times for item in structure(network(*[Conv(filters=8)] * 3))[:3]] == [1, 1, 1]
    assert structure(network(*[Conv(filters=8)] * 4))[0].times == 4


def test_a_dense_block_is_one_layer_drawn_once_with_both_ends():
    (group, *_) = structure(network(DenseBlock(growth=4, layers=3, transition=False)))
    (layers,) = group.items
    assert (layers.times, layers.caption) == (3, "")
    (fork,) = layers.items
    assert [bool(branch) for branch in fork.branches] == [False, True]
    # 8 channels in, 4 more a layer.
    assert shape_text(fork.join) == "16×16×12…20"
    norm, reduce, _ = fork.branches[1]
    assert norm.title == "batch norm"
    # A 1x1 convolution of 8, then 12, then 16 channels to 16, and 4*16 of the normalization behind it.
    assert parameters_text(reduce) == f"{8 * 16 + 64}…{16 * 16 + 64}"
    assert reduce.total == (8 + 12 + 16) * 16 + 3 * 64


def test_texts_of_one_box():
    conv, *_ = structure(network(Conv(filters=4, kernel=5, stride=2, normalization="none")))
    assert (conv.title, shape_text(conv), parameters_text(conv)) == ("conv 5×5 /2, 4", "8×8×4", "804")
    pool, *_ = structure(network(Pool(size=3, stride=2)))
    assert parameters_text(pool) == ""


def test_blocks_of_several_layers_have_a_frame():
    (group, *_) = structure(network(Bottleneck(filters=8, squeeze=2)))
    assert (group.caption, len(group.items)) == ("bottleneck", 3)


def test_a_skip_is_drawn_where_the_head_reads_it():
    blocks = (Conv(filters=4), Skip(classes=3), Pool(), Conv(filters=8), FcnHead(classes=3, output_size=16))
    items = structure(Architecture(input_shape=(16, 16, 1), blocks=blocks))
    fork = items[-1]
    assert [item.title for item in items[:-1]] == ["conv 3×3, 4", "map 1", "max pool 2×2 /2", "conv 3×3, 8"]
    titles = [[cell.title for cell in branch] for branch in fork.branches]
    assert titles == [["conv 1×1, 3", "resize"], ["from map 1", "conv 1×1, 3"]]
    assert (fork.join.title, fork.join.notes) == ("add", ("softmax",))


def test_a_layer_that_several_branches_read_is_named_where_it_is_read_again():
    *_, last = structure(load_space("reference/faster_rcnn").only())
    begins = [branch[0].title if isinstance(branch[0], Cell) else None for branch in last.branches]
    assert begins == ["conv 3×3, 512", "from conv 3×3, 512", "from conv 1×1, 36", None, None, "from conv 1×1, 4096"]
    proposals, regions = last.branches[3][0], last.branches[4][0]
    assert [branch[0].title for branch in proposals.branches] == ["from conv 1×1, 18", "from 9 anchors a pixel"]
    # The map itself comes from above.
    assert [[cell.title for cell in branch] for branch in regions.branches] == [[], ["from 300 proposals"]]
