"""Use of a TPU's matrix unit, by hand."""

import pytest

from nas.architecture import Architecture
from nas.architecture.blocks import Conv, GlobalPoolHead
from nas.devices.matrix_unit import matrix_unit_use


def network(*filters):
    blocks = [Conv(filters=width, kernel=1, normalization="none") for width in filters]
    return Architecture(input_shape=(2, 2, 4), blocks=(*blocks, GlobalPoolHead(classes=10)))


def test_layers_count_by_their_multiply_adds():
    # 4 pixels: 4*4*16 = 256 and 4*16*6 = 384 in the convolutions, 6*10 = 60 in the dense layer.
    use = matrix_unit_use([network(16, 6)])
    assert use.round_share == pytest.approx(256 / 700)
    assert use.lanes_share == pytest.approx((256 * 16 + 384 * 6 + 60 * 10) / 700 / 128)


def test_lanes_beyond_128_are_padded_again():
    macs = 4 * 4 * 136, 136 * 10
    use = matrix_unit_use([network(136)])
    assert use.lanes_share == pytest.approx((macs[0] * 136 / 256 + macs[1] * 10 / 128) / sum(macs))


def test_networks_count_alike():
    both = matrix_unit_use([network(16, 6), network(8)])
    each = [matrix_unit_use([one]) for one in (network(16, 6), network(8))]
    assert both.round_share == pytest.approx(sum(use.round_share for use in each) / 2)
