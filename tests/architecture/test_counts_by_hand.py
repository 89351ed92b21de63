"""Numbers worked out on paper, beside the contract tests: both could share a misunderstanding of Keras."""

import pytest

from nas.architecture import Architecture, Count
from nas.architecture.blocks import (
    Bottleneck,
    Conv,
    DenseBlock,
    FlattenHead,
    GlobalPoolHead,
    Inception,
    Pool,
    Residual,
    Separable,
)
from nas.architecture.count import total

BARE = {"normalization": "none", "bias": False}


def weights(block, shape):
    return block.count(shape).parameters


@pytest.mark.parametrize(
    ("block", "channels", "expected"),
    [
        (Conv(filters=64, kernel=3, **BARE), 128, 73_728),
        (Conv(filters=4, kernel=5, **BARE), 3, 300),
        (Conv(filters=10, kernel=5, **BARE), 4, 1_000),
        # 2 x 3x3x128x128 against 5x5x128x128: the same view for 72 % of the weights.
        (Conv(filters=128, kernel=5, stacked=True, **BARE), 128, 294_912),
        (Conv(filters=128, kernel=5, **BARE), 128, 409_600),
        # 3x3x32x16 directly; by way of 8 channels 32x8 + 3x3x8x16.
        (Conv(filters=16, kernel=3, **BARE), 32, 4_608),
        (Inception(branch1x1=0, branch3x3=16, reduce3x3=8, branch5x5=0, branch_pool=0, **BARE), 32, 256 + 1_152),
        # 64x16 + 3x3x16x16 + 16x64
        (Bottleneck(filters=64, squeeze=16, **BARE), 64, 1_024 + 2_304 + 1_024),
        # a group sees 8 / 4 channels: 3x3x2x8
        (Conv(filters=8, groups=4, **BARE), 8, 144),
        (Separable(filters=64, **BARE), 32, 9 * 32 + 32 * 64),
        # Two 3x3x16x16 and an identity; with 32 filters 3x3x16x32 + 3x3x32x32 and a projection of 16x32.
        (Residual(filters=16, **BARE), 16, 2 * 2_304),
        (Residual(filters=32, **BARE), 16, 4_608 + 9_216 + 512),
        # Equal channels but half the size: the projection is there too.
        (Residual(filters=16, stride=2, **BARE), 16, 2 * 2_304 + 256),
        # 64x16 + 3x3x16x16 + 16x64, identity.
        (Residual(filters=64, form="bottleneck", squeeze=16, **BARE), 64, 4_352),
    ],
    ids=str,
)
def test_weights_without_bias_and_normalization(block, channels, expected):
    assert weights(block, (16, 16, channels)) == expected


def test_a_reduction_to_four_channels_by_hand():
    # 5x5x16x10 ... a 1x1 reduction in front of a large window pays: 3x3x32x16 = 4,608 becomes 1,520.
    reduced = Conv(filters=10, kernel=1, **BARE).count((8, 8, 8)).parameters
    assert reduced == 80
    chain = total((Conv(filters=8, kernel=1, **BARE).count((8, 8, 32)), Conv(filters=16, **BARE).count((8, 8, 8))))
    assert chain.parameters == 1_408


def test_inception_3a_of_googlenet():
    # 192 channels in: 1x1x192x64, 192x96 + 9x96x128, 192x16 + 25x16x32, 192x32; the paper says 159K.
    module = Inception(branch1x1=64, reduce3x3=96, branch3x3=128, reduce5x5=16, branch5x5=32, branch_pool=32, **BARE)
    assert weights(module, (28, 28, 192)) == 12_288 + 18_432 + 110_592 + 3_072 + 12_800 + 6_144
    assert module.output_shape((28, 28, 192)) == (28, 28, 256)
    assert module.count((28, 28, 192)).macs == 163_328 * 28 * 28


def test_a_dense_block_by_hand():
    # 6 channels, growth 4, bottleneck 2 x 4: layer 1 sees 6, layer 2 sees 10, the transition 14 -> 7.
    block = DenseBlock(growth=4, layers=2, width=2)
    weights_ = 6 * 8 + 9 * 8 * 4 + 10 * 8 + 9 * 8 * 4 + 14 * 7
    normalized = 6 + 8 + 10 + 8 + 14
    assert block.count((8, 8, 6)) == Count(
        trainable=weights_ + 2 * normalized,
        non_trainable=2 * normalized,
        macs=(weights_ - 98) * 64 + 98 * 64,
        activation_bytes=block.count((8, 8, 6)).activation_bytes,
    )
    assert block.output_shape((8, 8, 6)) == (4, 4, 7)


def test_batch_normalization_has_two_trainable_and_two_moving_numbers_a_channel_and_replaces_the_bias():
    count = Conv(filters=16).count((32, 32, 3))
    assert (count.trainable, count.non_trainable) == (3 * 3 * 3 * 16 + 16 + 16, 16 + 16)
    assert Conv(filters=16, normalization="none").count((32, 32, 3)).parameters == 3 * 3 * 3 * 16 + 16
    assert Conv(filters=16, bias=True).count((32, 32, 3)).parameters == 3 * 3 * 3 * 16 + 5 * 16


def test_lenet_5_as_keras_examples_write_it():
    plain = {"normalization": "none", "activation": "tanh"}
    network = Architecture(
        input_shape=(32, 32, 1),
        blocks=(
            Conv(filters=6, kernel=5, padding="valid", **plain),
            Pool(pool="average"),
            Conv(filters=16, kernel=5, padding="valid", **plain),
            Pool(pool="average"),
            FlattenHead(classes=10, units=(120, 84), activation="tanh"),
        ),
    )
    assert network.count.parameters == 156 + 2_416 + 48_120 + 10_164 + 850 == 61_706
    assert network.count.macs == 28 * 28 * 150 + 10 * 10 * 2_400 + 400 * 120 + 120 * 84 + 840
    assert network.count.non_trainable == 0


def test_macs_follow_stride_and_padding():
    assert Conv(filters=4, **BARE).count((8, 6, 2)).macs == 72 * 48
    assert Conv(filters=4, stride=2, **BARE).count((7, 6, 2)).macs == 72 * 4 * 3
    assert Conv(filters=4, padding="valid", **BARE).count((8, 6, 2)).macs == 72 * 6 * 4


def test_peak_memory_of_a_chain_is_its_largest_input_and_output_together():
    # 8x8x2 in (128 numbers), 8x8x6 out (384): both are alive during the convolution; the rest works in place.
    assert Conv(filters=6).count((8, 8, 2)).activation_bytes == (128 + 384) * 4
    assert Pool().count((8, 8, 2)).activation_bytes == (128 + 32) * 4
    assert GlobalPoolHead(classes=3).count((8, 8, 2)).activation_bytes == (128 + 2) * 4


def test_peak_memory_of_a_residual_block_holds_the_shortcut():
    # The input (64) waits for the sum while the second convolution reads (64) and writes (64).
    assert Residual(filters=1).count((8, 8, 1)).activation_bytes == 3 * 64 * 4


def test_peak_memory_of_branches_holds_the_finished_ones():
    # Input 64, first branch 128, second branch 64: then both and their concatenation (192).
    block = Inception(branch1x1=2, branch3x3=1, branch5x5=0, branch_pool=0)
    assert block.count((8, 8, 1)).activation_bytes == (128 + 64 + 192) * 4


def test_a_networks_count_adds_up_and_its_peak_is_the_largest():
    network = Architecture(input_shape=(8, 8, 1), blocks=(Conv(filters=4), Pool(), GlobalPoolHead(classes=2)))
    parts = [trace.count for trace in network.traces]
    assert network.count.parameters == sum(part.parameters for part in parts) == (36 + 16) + 10
    assert network.count.macs == sum(part.macs for part in parts)
    assert network.count.activation_bytes == max(part.activation_bytes for part in parts)
    assert parts[0] + parts[1] + parts[2] == network.count
