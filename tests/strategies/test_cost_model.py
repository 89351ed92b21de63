"""What is known of a candidate's costs."""

import math
import random

import numpy as np
import pytest

from nas.objectives import ACTIVATION_BYTES, FLASH_BYTES, LATENCY, MACS, PARAMETERS, RAM_BYTES, Cost
from nas.strategies.cost_model import CostModel
from nas.strategies.score_model import Encoder
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
    model = CostModel(space, Encoder(space.genes()), (MACS, ACTIVATION_BYTES), {})
    counted = np.array([[each.count.macs, each.count.activation_bytes] for each in found])
    assert np.exp(model(found)) == pytest.approx(counted)


def test_latency_is_learned_from_what_was_measured(candidates):
    space, found = candidates
    known, new = found[:40], found[40:]
    measured = [(each, true_latency(each)) for each in known]
    model = CostModel(space, Encoder(space.genes()), (LATENCY, PARAMETERS), {LATENCY: measured})
    costs = model(new)
    assert np.exp(costs[:, 1]) == pytest.approx(np.array([each.count.parameters for each in new]))
    errors = costs[:, 0] - np.log([true_latency(each) for each in new])
    spread = np.log([true_latency(each) for each in new]).std()
    assert np.sqrt((errors**2).mean()) < 0.35 * spread
    _, deviations = model.predict(LATENCY, new)
    assert (np.abs(errors) < 3 * deviations).mean() > 0.95


def test_what_is_probably_too_slow_is_told_apart(candidates):
    space, found = candidates
    measured = {LATENCY: [(each, true_latency(each)) for each in found[:40]]}
    model = CostModel(space, Encoder(space.genes()), (PARAMETERS,), measured)
    latencies = np.array([true_latency(each) for each in found[40:]])
    limit = float(np.median(latencies))
    fast = model.is_within(LATENCY, found[40:], limit)
    assert ((fast >= 0) & (fast <= 1)).all()
    assert fast[latencies < limit / 1.5].mean() > 0.9
    assert fast[latencies > limit * 1.5].mean() < 0.1
    assert model.is_within(LATENCY, found[:1], math.inf)[0] == 1


def test_each_measured_cost_is_learned_from_its_own_measurements(candidates):
    space, found = candidates
    energy = Cost(name="energy_mj", heading="energy", unit="mJ", measured="energy", span=(0.001, 1_000.0))
    known, new = found[:40], found[40:]
    fast = [(each, true_latency(each)) for each in known]
    # Of another cost fewer networks were measured, and it grows with the parameters.
    frugal = [(each, 2.0 * each.count.parameters) for each in known[:30]]
    encoder = Encoder(space.genes())
    both = CostModel(space, encoder, (energy, LATENCY), {LATENCY: fast, energy: frugal})(new)
    assert (both[:, 1] == CostModel(space, encoder, (LATENCY,), {LATENCY: fast})(new)[:, 0]).all()
    errors = both[:, 0] - np.log([2.0 * each.count.parameters for each in new])
    assert np.abs(errors).mean() < 0.1


def test_bytes_are_known_by_arithmetic_before_any_trial_and_their_error_is_learned(candidates):
    """Of three networks that were measured, too few for a regression of its own."""
    space, found = candidates
    known, new = found[:3], found[3:]
    ram = [(each, 1.01 * each.predicted(RAM_BYTES)) for each in known]
    flash = [(each, each.predicted(FLASH_BYTES)) for each in known]
    model = CostModel(space, Encoder(space.genes()), (RAM_BYTES, FLASH_BYTES), {RAM_BYTES: ram, FLASH_BYTES: flash})
    expected = [[1.01 * each.predicted(RAM_BYTES), each.predicted(FLASH_BYTES)] for each in new]
    assert np.exp(model(new)) == pytest.approx(np.array(expected))
    least, most = min(row[0] for row in expected), max(row[0] for row in expected)
    assert model.is_within(RAM_BYTES, new, 0.9 * least).max() < 0.05
    assert model.is_within(RAM_BYTES, new, 1.1 * most).min() > 0.95
