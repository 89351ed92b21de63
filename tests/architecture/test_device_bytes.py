"""What a network takes on a microcontroller, by arithmetic; tests/export/test_measure.py has what is measured."""

import pytest

from nas.architecture import Architecture, Budget
from nas.architecture.blocks import (
    ActivationBlock,
    Conv,
    DenseBlock,
    FlattenHead,
    GlobalPoolHead,
    Inception,
    Pool,
    Residual,
)
from nas.architecture.device_bytes import _planned
from nas.architecture.lowering import Constant, Operator, lower
from nas.objectives import COSTS, FLASH_BYTES, RAM_BYTES
from nas.space import load_space


def network(*blocks, shape=(8, 8, 3)):
    return Architecture(input_shape=shape, blocks=blocks)


def shapes(*blocks, **options):
    return [operator.shape for operator in lower(network(*blocks, **options).nodes())]


HEAD = GlobalPoolHead(classes=5)
AFTER = [(4,), (5,), (5,)]
"""Pooling, a dense layer and softmax."""


def test_normalization_and_relu_are_part_of_the_convolution_before():
    assert shapes(Conv(filters=4), HEAD) == [(8, 8, 4), *AFTER]
    assert shapes(Conv(filters=4, activation="linear"), ActivationBlock(), HEAD) == [(8, 8, 4), *AFTER]
    assert shapes(Conv(filters=4, activation="tanh"), HEAD) == [(8, 8, 4)] * 2 + AFTER


def test_a_factor_goes_through_no_limit_and_only_to_its_only_reader():
    """A dense block normalizes and clamps what it later joins: a multiplication and an addition each."""
    normalized = ActivationBlock(normalization="batch")
    assert shapes(Conv(filters=4), normalized, HEAD) == [(8, 8, 4)] * 3 + AFTER
    dense = DenseBlock(growth=2, layers=1, width=0, transition=False)
    assert shapes(Conv(filters=2), dense, HEAD) == [(8, 8, 2)] * 4 + [(8, 8, 4), *AFTER]
    assert shapes(Conv(filters=2, activation="linear"), dense, HEAD) == [(8, 8, 2)] * 4 + [(8, 8, 4), *AFTER]


def test_a_map_of_one_pixel_is_a_vector_already():
    flat = FlattenHead(classes=5)
    assert shapes(Conv(filters=4), flat) == [(8, 8, 4), (256,), (5,), (5,)]
    assert shapes(Conv(filters=4), Pool(size=8), flat) == [(8, 8, 4), (1, 1, 4), (5,), (5,)]


def test_a_convolution_reads_a_kernel_and_biases():
    first, *_, dense, _ = lower(network(Conv(filters=4), HEAD).nodes())
    assert first.constants == (Constant(axes=4, bytes=4 * 9 * 3, scales=4), Constant(axes=1, bytes=16, scales=4))
    assert dense.constants == (Constant(axes=2, bytes=20, scales=5), Constant(axes=1, bytes=20, scales=5))


def test_branches_come_by_name_each_layer_before_those_that_read_it():
    """`conv_1` comes before `project`, but `reduce` after it."""
    basic = shapes(Residual(filters=4, form="basic", convolutions=2), HEAD)
    assert basic == [(8, 8, 4)] * 4 + AFTER
    found = lower(network(Residual(filters=8, form="bottleneck", squeeze=2), HEAD).nodes())
    assert [operator.shape[-1] for operator in found[:4]] == [8, 2, 2, 8]
    branches = Inception(branch1x1=1, reduce3x3=2, branch3x3=3, branch5x5=0, branch_pool=4)
    assert [shape[-1] for shape in shapes(branches, HEAD)[:6]] == [1, 2, 3, 3, 4, 8]


def operators(*sizes):
    """A chain of maps."""
    return [Operator((place - 1,), (size,), (), 0, 0) for place, size in enumerate(sizes)]


def test_maps_are_placed_largest_first():
    assert _planned((48,), operators(32)) == 80
    # 64 and 48 never live together, both begin at 0; 32 lives with each and lies above 64.
    assert _planned((64,), operators(32, 48)) == 96
    # Both 64 begin at 0, 48 lies above the second; 32 lives with the first 64 and with 48: above both, though no two
    # that follow each other have more than 112 together.
    assert _planned((64,), operators(32, 48, 64)) == 144
    # Rounded up to 16 each.
    assert _planned((1,), operators(17)) == 48


def test_a_map_that_is_read_later_keeps_its_place():
    inputs = [(-1,), (0,), (0, 1)]
    skip = [Operator(sources, (32,), (), 0, 0) for sources in inputs]
    assert _planned((32,), skip) == 96
    # The first 16 lives with all others: above the image, although a smaller map lies highest when it is placed.
    inputs = [(-1,), (0,), (1,), (0, 2)]
    sizes = (16, 32, 16, 16)
    long = [Operator(sources, (size,), (), 0, 0) for sources, size in zip(inputs, sizes, strict=True)]
    assert _planned((64,), long) == 80


@pytest.mark.parametrize(
    ("name", "flash", "ram"),
    [
        ("ds_cnn", 43_504, 24_240),
        ("resnet8", 92_512, 55_952),
        ("resnet8_wide", 224_208, 88_400),
        ("mobilenet_v1_025", 297_280, 103_584),
    ],
)
def test_networks_that_everybody_knows_as_they_were_measured(name, flash, ram):
    found = load_space(f"mlperf_tiny/{name}").only()
    assert found.predicted(FLASH_BYTES) == pytest.approx(flash, rel=0.01)
    assert 0.99 * ram < found.predicted(RAM_BYTES) <= ram


def test_only_bytes_are_predicted():
    found = network(HEAD)
    assert {cost for cost in COSTS.values() if found.predicted(cost) is not None} == {FLASH_BYTES, RAM_BYTES}


def test_a_budget_admits_what_may_be_inside():
    found = network(Conv(filters=8), HEAD)
    flash, ram = found.predicted(FLASH_BYTES), found.predicted(RAM_BYTES)
    assert Budget(max_flash_bytes=flash, max_ram_bytes=ram).may_admit(found)
    assert Budget(max_flash_bytes=round(flash / 1.02)).may_admit(found)  # what is measured decides
    assert not Budget(max_flash_bytes=round(flash / 1.04)).may_admit(found)
    assert not Budget(max_ram_bytes=round(ram / 1.04)).may_admit(found)
    assert not Budget(max_parameters=1).may_admit(found)
    assert Budget(max_latency_ms=0.001).may_admit(found)
