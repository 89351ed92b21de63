"""How long an exported network takes."""

import sys

import numpy as np
import pytest

from nas.architecture import Architecture
from nas.architecture.blocks import (
    Conv,
    DenseBlock,
    FlattenHead,
    GlobalPoolHead,
    Inception,
    Pad,
    Pool,
    Residual,
    Separable,
)
from nas.export import ExportError, check_measurable, measure
from nas.objectives import COSTS, FLASH_BYTES, LATENCY, RAM_BYTES


def network(*filters):
    convolutions = (Conv(filters=count) for count in filters)
    return Architecture(input_shape=(32, 32, 3), blocks=(*convolutions, GlobalPoolHead(classes=10)))


def test_what_computes_a_hundred_times_more_takes_longer():
    small, large = network(4), network(64, 64, 64)
    assert large.count.macs > 100 * small.count.macs
    fast, slow = measure(LATENCY, small), measure(LATENCY, large)
    assert 0 < fast < slow / 2


def test_every_measured_cost_has_a_measure():
    for cost in COSTS.values():
        if cost.measured:
            assert measure(cost, network(1)) > 0


def test_flash_and_ram_are_those_of_the_export_whatever_the_weights_are():
    """A search asks before it has trained anything."""
    from nas.devices import import_tensorflow
    from nas.export.litert_file import convert
    from nas.export.micro import arena_bytes

    import_tensorflow()
    found = network(4, 8)
    rng = np.random.default_rng(0)
    model = found.build()
    model.set_weights([weights + rng.normal(0, 0.05, weights.shape) for weights in model.get_weights()])
    content = convert(found, model, calibration=rng.integers(0, 256, (20, 32, 32, 3), np.uint8))
    assert measure(FLASH_BYTES, found) == len(content)
    assert measure(RAM_BYTES, found) == arena_bytes(content) > found.count.activation_bytes / 4


@pytest.mark.parametrize(
    "found",
    [
        network(4, 8),
        Architecture(
            input_shape=(9, 8, 1),
            blocks=(
                Pad(amount=1),
                Conv(filters=6, kernel=5, activation="linear"),
                Pool(pool="average"),
                DenseBlock(growth=3, layers=2, width=1),
                Conv(filters=4, groups=2, activation="hard_silu"),
                Residual(filters=8, form="basic", convolutions=3),
                FlattenHead(classes=3, units=(5,)),
            ),
        ),
        Architecture(
            input_shape=(8, 8, 3),
            blocks=(
                Conv(filters=6, activation="sigmoid"),
                Residual(filters=12, form="bottleneck", squeeze=3),
                Inception(branch1x1=2, reduce3x3=3, branch3x3=5, branch5x5=0, branch_pool=2),
                Separable(filters=6, activation="leaky_relu"),
                Pool(size=2, stride=1, padding="same"),
                GlobalPoolHead(classes=3, pool="max"),
            ),
        ),
    ],
    ids=["chain", "flatten", "branches"],
)
def test_arithmetic_predicts_what_is_measured(found):
    """Flash nearly; RAM within 3 %, and never more. The spaces: benchmarks/device_prediction.py."""
    flash, ram = measure(FLASH_BYTES, found), measure(RAM_BYTES, found)
    assert found.predicted(FLASH_BYTES) == pytest.approx(flash, rel=0.04)
    assert 0.97 * ram < found.predicted(RAM_BYTES) <= ram


def test_what_cannot_be_measured_is_refused_with_what_to_install(monkeypatch):
    check_measurable([RAM_BYTES, FLASH_BYTES, LATENCY])
    monkeypatch.setattr(sys.modules["nas.export.measure"], "find_spec", lambda package: None)
    check_measurable([FLASH_BYTES, LATENCY])
    with pytest.raises(ExportError) as error:
        check_measurable([RAM_BYTES])
    assert str(error.value) == "ram_bytes is measured with tflite_micro; install with: pip install 'keras-nas[tflm]'"
