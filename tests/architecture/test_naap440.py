"""The 440 networks of NAAP-440 (tests/data/naap440): every published count is reproduced.

The convention, worked out from the counts: convolutions have no bias and same padding; each is followed by batch
normalization, of which scale and offset count and moving statistics do not; a residual layer adds its input to its
own output; then global pooling and a dense layer with biases for ten classes.
"""

import csv
import json
from pathlib import Path

import pytest

from nas.architecture import Architecture
from nas.architecture.blocks import Conv, GlobalPoolHead, Residual

DATA = Path(__file__).parent.parent / "data" / "naap440"
SCHEMES = json.loads((DATA / "schemes.json").read_text())
with (DATA / "counts.csv").open() as file:
    COUNTS = [(int(row["NumParams"]), int(row["NumMACs"])) for row in csv.DictReader(file)]


def network(scheme):
    blocks = [
        Residual(filters=layer["width"], kernel=layer["kernel_size"], stride=layer["stride"], convolutions=1)
        if layer["residual"]
        else Conv(filters=layer["width"], kernel=layer["kernel_size"], stride=layer["stride"])
        for layer in scheme
    ]
    return Architecture(input_shape=(32, 32, 3), blocks=(*blocks, GlobalPoolHead(classes=10)))


@pytest.fixture(scope="module")
def networks():
    return [network(scheme) for scheme in SCHEMES]


def test_there_are_440_with_and_without_residual_sums(networks):
    assert len(networks) == len(COUNTS) == 440
    assert sum("residual" in net.kinds for net in networks) == 104


def test_the_first_by_hand(networks):
    # 3*3*3*12 + 3*3*12*16 + 1*1*16*16 weights, 2*(12 + 16 + 16) scales and offsets, 16*10 + 10.
    assert 324 + 1_728 + 256 + 88 + 170 == networks[0].count.trainable == COUNTS[0][0] == 2_566


def test_parameters_of_440_of_440(networks):
    wrong = [
        i for i, (net, (count, _)) in enumerate(zip(networks, COUNTS, strict=True)) if net.count.trainable != count
    ]
    assert wrong == []


def test_non_trainable_are_two_moving_statistics_a_channel(networks):
    for net, scheme in zip(networks, SCHEMES, strict=True):
        assert net.count.non_trainable == 2 * sum(layer["width"] for layer in scheme)


def test_multiply_adds_of_440_of_440(networks):
    """Ours are of convolutions and the dense layer; NAAP-440 adds four an output of each convolution, the pooling."""
    for net, (_, published) in zip(networks, COUNTS, strict=True):
        maps = [trace.output_shape for trace in net.traces[:-1]]
        outputs = sum(height * width * channels for height, width, channels in maps)
        height, width, channels = maps[-1]
        assert net.count.macs + 4 * outputs + height * width * channels + channels == published
