"""How long an exported network takes."""

import sys

import numpy as np
import pytest

from nas.architecture import Architecture
from nas.architecture.blocks import Conv, GlobalPoolHead
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


def test_what_cannot_be_measured_is_refused_with_what_to_install(monkeypatch):
    check_measurable([RAM_BYTES, FLASH_BYTES, LATENCY])
    monkeypatch.setattr(sys.modules["nas.export.measure"], "find_spec", lambda package: None)
    check_measurable([FLASH_BYTES, LATENCY])
    with pytest.raises(ExportError) as error:
        check_measurable([RAM_BYTES])
    assert str(error.value) == "ram_bytes is measured with tflite_micro; install with: pip install 'keras-nas[tflm]'"
