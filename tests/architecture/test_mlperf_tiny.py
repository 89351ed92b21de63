"""MLPerf Tiny's networks: parameters as published, counted by hand, and what they take on a device."""

import itertools

import numpy as np
import pytest

from nas.devices import import_tensorflow
from nas.export import measure
from nas.export.litert_file import convert, describe
from nas.export.micro import micro_answers
from nas.files.shipped import shipped
from nas.objectives import FLASH_BYTES, RAM_BYTES
from nas.space import load_space

NAMES = [name for name in shipped("search_spaces") if name.startswith("mlperf_tiny/")]


def conv(kernel, into, out):
    """With a bias and four numbers a channel of batch normalization."""
    return kernel * into * out + out + 4 * out


def plain(kernel, into, out):
    return kernel * into * out + out


def resnet(a, b, c):
    blocks = [conv(9, 3, a), 2 * conv(9, a, a)]
    for into, out in ((a, b), (b, c)):
        blocks += [conv(9, into, out), conv(9, out, out), plain(1, into, out)]
    return sum(blocks) + c * 10 + 10


def separable(into, out):
    return conv(9, 1, into) + conv(1, into, out)


def mobilenet():
    channels = [8, 16, 32, 32, 64, 64, *[128] * 6, 256, 256]
    pairs = itertools.pairwise(channels)
    return conv(9, 3, 8) + sum(separable(into, out) for into, out in pairs) + 256 * 2 + 2


PARAMETERS = {
    "mlperf_tiny/ds_cnn": (24_908, conv(10 * 4, 1, 64) + 4 * separable(64, 64) + 64 * 12 + 12),
    "mlperf_tiny/mobilenet_v1_025": (221_794, mobilenet()),
    "mlperf_tiny/resnet8": (78_666, resnet(16, 32, 64)),
    "mlperf_tiny/resnet8_wide": (205_306, resnet(26, 52, 104)),
}


def test_they_are_all_there():
    assert sorted(PARAMETERS) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_parameters_are_the_published_ones_and_those_by_hand_and_keras(name):
    published, by_hand = PARAMETERS[name]
    network = load_space(name).only()
    import_tensorflow()
    assert network.count.parameters == by_hand == published == network.build().count_params()


@pytest.mark.parametrize(
    ("name", "maps", "classes"),
    [("mlperf_tiny/ds_cnn", 16_000, 12), ("mlperf_tiny/resnet8", 49_152, 10)],
)
def test_they_run_on_a_microcontroller(name, maps, classes):
    """Maps of these two need no more than the largest that live at once; TFLM's own structures come on top."""
    network = load_space(name).only()
    import_tensorflow()
    images = np.random.default_rng(0).integers(0, 256, (4, *network.input_shape), np.uint8)
    content = convert(network, network.build(), calibration=images)
    assert micro_answers(content, images).shape == (4, classes)
    assert not {"SHAPE", "QUANTIZE", "CAST"} & {*describe(content)["operators"]}
    assert network.count.activation_bytes == 4 * maps
    assert maps < measure(RAM_BYTES, network) < maps + 12_000
    assert network.count.parameters < measure(FLASH_BYTES, network) < 1.6 * network.count.parameters + 10_000
