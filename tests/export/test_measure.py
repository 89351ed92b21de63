"""How long an exported network takes."""

from nas.architecture import Architecture
from nas.architecture.blocks import Conv, GlobalPoolHead
from nas.export import measure
from nas.objectives import COSTS, LATENCY


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
