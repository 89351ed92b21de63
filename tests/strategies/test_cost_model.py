"""What is known of a candidate's costs."""

import math
import random

import numpy as np
import pytest

from nas.strategies.accuracy_model import Encoder
from nas.strategies.cost_model import CostModel
from tests.strategies.examples import decisions_space


def true_latency(architecture):
    """Milliseconds: a power of the MACs, and a factor for a kind of layer."""
    return 1e-3 * architecture.count.macs**0.6 * (3.0 if "bottleneck" in architecture.kinds else 1.0)


@pytest.fixture(scope="module")
def candidates():
    space, rng = decisions_space(), random.Random(0)
    found = {each.id: each for each in (space.sample(rng) for _ in range(120))}
    return space, list(found.values())


def test_counts_are_counted(candidates):
    space, found = candidates
    model = CostModel(space, Encoder(space.genes()), ("macs", "activation_bytes"), [])
    counted = np.array([[each.count.macs, each.count.activation_bytes] for each in found])
    assert np.exp(model(found)) == pytest.approx(counted)


def test_latency_is_learned_from_what_was_measured(candidates):
    space, found = candidates
    known, new = found[:40], found[40:]
    measured = [(each, true_latency(each)) for each in known]
    model = CostModel(space, Encoder(space.genes()), ("latency_ms", "parameters"), measured)
    costs = model(new)
    assert np.exp(costs[:, 1]) == pytest.approx(np.array([each.count.parameters for each in new]))
    errors = costs[:, 0] - np.log([true_latency(each) for each in new])
    spread = np.log([true_latency(each) for each in new]).std()
    assert np.sqrt((errors**2).mean()) < 0.35 * spread
    _, deviations = model.latency(new)
    assert (np.abs(errors) < 3 * deviations).mean() > 0.95


def test_what_is_probably_too_slow_is_told_apart(candidates):
    space, found = candidates
    model = CostModel(
        space, Encoder(space.genes()), ("parameters",), [(each, true_latency(each)) for each in found[:40]]
    )
    latencies = np.array([true_latency(each) for each in found[40:]])
    limit = float(np.median(latencies))
    fast = model.is_fast(found[40:], limit)
    assert ((fast >= 0) & (fast <= 1)).all()
    assert fast[latencies < limit / 1.5].mean() > 0.9
    assert fast[latencies > limit * 1.5].mean() < 0.1
    assert model.is_fast(found[:1], math.inf)[0] == 1
