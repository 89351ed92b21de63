"""A child starts with its parent's weights: with its outputs where a morphism allows that, with what fits elsewhere."""

import random

import numpy as np
import pytest

from nas.architecture import Architecture, Budget
from nas.architecture.blocks import (
    Bottleneck,
    Conv,
    DenseBlock,
    FcnHead,
    FlattenHead,
    FullyConvolutionalHead,
    GlobalPoolHead,
    Inception,
    LocalResponse,
    Pool,
    RegionHead,
    Residual,
    Separable,
    Skip,
    SpatialPyramidHead,
)
from nas.config import TrainingConfig
from nas.devices import import_tensorflow
from nas.errors import NasError
from nas.inheritance.inherit import inherit
from nas.space import load_space
from nas.training import evaluate, rebuild, train
from tests.training.conftest import digits_data, small_network

IMAGES = np.random.default_rng(0).random((8, 8, 8, 2), dtype=np.float32)
# Differently bright, so that they also differ where all of an image is pooled.
IMAGES *= np.linspace(0, 1, 8, dtype=np.float32)[:, None, None, None]
STEM = Conv(filters=6)
HEAD = GlobalPoolHead(classes=3)
FEW = {"regions": 6, "bins": 2}


def network(*blocks):
    blocks = blocks if blocks[-1].is_head else (*blocks, HEAD)
    return Architecture(input_shape=(8, 8, 2), blocks=blocks)


def some_weights(architecture, seed=0):
    """Weights as after a training: every number its own, and statistics of what passes."""
    import_tensorflow()
    rng = np.random.default_rng(seed)
    model = architecture.build(batch_norm_momentum=0.0)
    for variable in model.trainable_variables:
        if len(variable.shape) > 1:
            variable.assign(rng.normal(0, np.sqrt(2 / np.prod(variable.shape[:-1])), variable.shape))
        else:
            variable.assign(rng.normal(float("gamma" in variable.name), 0.2, variable.shape))
    model(rng.random((8, *architecture.input_shape), dtype=np.float32), training=True)
    return [variable.numpy() for variable in model.weights if "seed" not in variable.path]


def outputs(architecture, weights):
    return rebuild(architecture, weights)(IMAGES, training=False).numpy()


WIDEN = [
    ((STEM, RegionHead(classes=2, **FEW)), (Conv(filters=9), RegionHead(classes=2, **FEW))),
    (
        (STEM, RegionHead(classes=2, **FEW, width=5, units=7)),
        (STEM, RegionHead(classes=2, **FEW, width=9, units=10)),
    ),
    ((Conv(filters=4), Conv(filters=5)), (Conv(filters=9), Conv(filters=7))),
    ((Conv(filters=4, normalization="none"),), (Conv(filters=13, normalization="none"),)),
    ((STEM, Separable(filters=4), Pool()), (Conv(filters=8), Separable(filters=8), Pool())),
    ((STEM, Bottleneck(filters=6, squeeze=3)), (STEM, Bottleneck(filters=9, squeeze=5))),
    ((STEM, Residual(filters=6), Conv(filters=4)), (Conv(filters=9), Residual(filters=9), Conv(filters=4))),
    ((STEM, Residual(filters=6)), (STEM, Residual(filters=8))),  # now with a projection
    ((STEM, Residual(filters=8, stride=2)), (STEM, Residual(filters=12, stride=2))),
    (
        (STEM, Inception(branch1x1=2, branch3x3=3, branch5x5=1, branch_pool=2), Conv(filters=4)),
        (STEM, Inception(branch1x1=4, branch3x3=3, branch5x5=3, branch_pool=5), Conv(filters=4)),
    ),
    ((STEM, DenseBlock(growth=2, layers=2)), (Conv(filters=10), DenseBlock(growth=3, layers=2, compression=0.75))),
    ((Conv(filters=4), FlattenHead(classes=3, units=(5,))), (Conv(filters=6), FlattenHead(classes=3, units=(7,)))),
    ((STEM, SpatialPyramidHead(classes=3)), (Conv(filters=8), SpatialPyramidHead(classes=3))),
    ((STEM, Conv(filters=6, groups=2)), (STEM, Conv(filters=6, groups=1))),
    (
        (STEM, FullyConvolutionalHead(classes=3, units=(4,), kernel=3)),
        (STEM, FullyConvolutionalHead(classes=3, units=(6,), kernel=3)),
    ),
]
DEEPEN = [
    ((STEM,), (STEM, Conv(filters=6))),
    ((STEM,), (STEM, Conv(filters=8, kernel=5, normalization="none"))),
    ((STEM, Pool()), (STEM, Separable(filters=7), Pool())),
    ((STEM,), (STEM, Bottleneck(filters=8, squeeze=6))),
    (
        (Conv(filters=6, activation="relu6"),),
        (Conv(filters=6, activation="relu6"), Conv(filters=6, activation="relu6")),
    ),
    ((STEM, HEAD), (STEM, GlobalPoolHead(classes=3, units=(8,), dropout=0.3))),
    ((Conv(filters=4, normalization="none"),), (Conv(filters=4, normalization="none"), Conv(filters=4, groups=2))),
]
BRANCH = [
    (
        (STEM, Inception(branch1x1=2, branch3x3=3, branch5x5=0, branch_pool=0), Conv(filters=4)),
        (STEM, Inception(branch1x1=2, branch3x3=3, branch5x5=2, branch_pool=2, reduce5x5=1), Conv(filters=4)),
    ),
    (
        (STEM, Inception(branch1x1=2, branch3x3=3, branch5x5=1, branch_pool=0)),
        (STEM, Inception(branch1x1=2, branch3x3=3, branch5x5=1, branch_pool=2)),
    ),
    ((STEM,), (STEM, Residual(filters=6))),
    ((STEM,), (STEM, Residual(filters=9, form="bottleneck", squeeze=2))),
    ((STEM,), (STEM, Residual(filters=6, normalization="none"))),
    ((STEM, DenseBlock(growth=2, layers=2)), (STEM, DenseBlock(growth=2, layers=3, compression=0.45))),
    ((STEM,), (STEM, DenseBlock(growth=2, layers=1, transition=False))),
]
KERNEL = [
    ((STEM,), (Conv(filters=6, kernel=5),)),
    ((STEM,), (Conv(filters=6, kernel=(4, 7)),)),
    ((Conv(filters=6, kernel=1, padding="valid"),), (Conv(filters=6, kernel=3),)),
    ((Conv(filters=6, stride=2),), (Conv(filters=6, kernel=5, stride=2),)),
    ((STEM, Separable(filters=4)), (STEM, Separable(filters=4, kernel=5))),
    ((STEM, Residual(filters=6)), (STEM, Residual(filters=6, kernel=5))),
]
TOGETHER = [
    (
        (STEM, Pool(), Residual(filters=6), FlattenHead(classes=3)),
        (
            Conv(filters=10, kernel=5),
            Pool(),
            Residual(filters=10, kernel=5),
            Separable(filters=12),
            Residual(filters=12, form="bottleneck", squeeze=3),
            FlattenHead(classes=3, dropout=0.5),
        ),
    ),
]


@pytest.mark.parametrize(
    ("before", "after"), [*WIDEN, *DEEPEN, *BRANCH, *KERNEL, *TOGETHER], ids=lambda blocks: "-".join(map(str, blocks))
)
def test_a_morphism_keeps_the_outputs(before, after):
    parent, child = network(*before), network(*after)
    weights = some_weights(parent)
    found = inherit(parent, weights, child, seed=1)
    assert found.preserving
    assert 0 < found.share <= 1
    expected = outputs(parent, weights)
    assert np.ptp(expected, axis=0).max() > 1e-2  # else nothing depends on the images
    np.testing.assert_allclose(outputs(child, found.weights), expected, atol=1e-5)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ((Conv(filters=8), Conv(filters=6)), (Conv(filters=4), Conv(filters=6))),  # narrower
        ((STEM, Conv(filters=4)), (STEM,)),  # shallower
        ((Conv(filters=6, kernel=5),), (STEM,)),  # smaller kernel
        ((STEM,), (Conv(filters=6, stride=2),)),
        ((STEM,), (Conv(filters=6, activation="gelu"),)),
        ((Conv(filters=6, activation="tanh"),), (Conv(filters=6, activation="tanh"), STEM)),  # relu cuts it
        ((STEM,), (STEM, Conv(filters=6, padding="valid"))),
        ((STEM,), (STEM, Bottleneck(filters=6, squeeze=4))),  # too few channels for an identity
        ((STEM,), (STEM, Pool(size=3, stride=1, padding="same"))),
        (
            (STEM, LocalResponse(alpha=1)),
            (Conv(filters=9), LocalResponse(alpha=1)),
        ),  # copies are neighbors that change the sum
        ((STEM, HEAD), (STEM, GlobalPoolHead(classes=3, pool="max"))),
        ((STEM, Conv(filters=6)), (STEM, Conv(filters=6, groups=3))),  # connections that the child does not have
        ((Conv(filters=6, bias=True),), (Conv(filters=6, bias=False),)),
        ((STEM, HEAD), (STEM, GlobalPoolHead(classes=4))),
    ],
    ids=lambda blocks: "-".join(map(str, blocks)),
)
def test_what_is_no_morphism_inherits_a_part_and_says_so(before, after):
    parent, child = network(*before), network(*after)
    weights = some_weights(parent)
    found = inherit(parent, weights, child, seed=1)
    assert not found.preserving
    assert found.share > 0.1
    received, expected = outputs(child, found.weights), outputs(parent, weights)
    assert received.shape != expected.shape or abs(received - expected).max() > 1e-4


def test_a_widened_network_by_hand():
    parent = Architecture(
        input_shape=(1, 1, 1),
        blocks=(Conv(filters=1, kernel=1, normalization="none"), GlobalPoolHead(classes=2)),
    )
    child = Architecture(
        input_shape=(1, 1, 1),
        blocks=(Conv(filters=2, kernel=1, normalization="none"), GlobalPoolHead(classes=2)),
    )
    weights = [np.array([[[[2.0]]]]), np.array([0.5]), np.array([[1.0, -4.0]]), np.array([0.1, 0.2])]
    found = inherit(parent, [array.astype(np.float32) for array in weights], child, seed=0)
    kernel, bias, dense, dense_bias = found.weights
    np.testing.assert_array_equal(kernel, [[[[2.0, 2.0]]]])
    np.testing.assert_array_equal(bias, [0.5, 0.5])
    np.testing.assert_allclose(dense.sum(axis=0), [1.0, -4.0], rtol=1e-6)
    assert (np.abs(dense) >= np.array([0.25, 1.0]) - 1e-6).all()  # no part is less than a quarter
    assert dense[0, 0] != dense[1, 0]  # equal parts would stay equal in training
    np.testing.assert_allclose(dense_bias, [0.1, 0.2])
    assert (found.share, found.preserving) == (1.0, True)


def test_an_identity_layer_by_hand():
    parent, child = network(Conv(filters=2)), network(Conv(filters=2), Conv(filters=2))
    found = inherit(parent, some_weights(parent), child, seed=0)
    model = child.build()
    model.set_weights(found.weights)
    kernel = np.zeros((3, 3, 2, 2))
    kernel[1, 1] = np.eye(2)
    np.testing.assert_array_equal(model.get_layer("02_conv_conv").kernel, kernel)
    norm = model.get_layer("02_conv_conv_norm")
    gamma, beta, mean, variance = (np.asarray(values) for values in norm.get_weights())
    np.testing.assert_allclose(gamma, np.sqrt(1 + norm.epsilon), rtol=1e-6)
    assert (list(beta), list(mean), list(variance)) == ([0, 0], [0, 0], [1, 1])
    new = kernel.size + 4 * 2
    assert found.share == pytest.approx(1 - new / child.count.parameters)


def test_what_is_not_inherited_is_what_training_would_start_with():
    import keras

    parent, child = network(STEM), network(STEM, Pool(), Conv(filters=4))
    found = inherit(parent, some_weights(parent), child, seed=5)
    keras.utils.set_random_seed(5)
    model = child.build()
    fresh = {variable.path: variable.numpy() for variable in model.weights}
    model.set_weights(found.weights)
    np.testing.assert_array_equal(model.get_layer("03_conv_conv").kernel, fresh["03_conv_conv/kernel"])
    assert (model.get_layer("01_conv_conv").kernel.numpy() != fresh["01_conv_conv/kernel"]).all()


def test_the_same_seed_gives_the_same_weights():
    parent, child = network(STEM), network(Conv(filters=9))
    weights = some_weights(parent)
    first, again, other = (inherit(parent, weights, child, seed=seed).weights for seed in (2, 2, 3))
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert not all(np.array_equal(a, b) for a, b in zip(first, other, strict=True))


@pytest.mark.parametrize(("name", "side"), [("mixed", 12), ("tiny", 12)])
def test_any_mutation_gets_weights_that_fit(name, side):
    space = load_space(name, input_shape=(side, side, 1), classes=3)
    rng, budget = random.Random(f"inherit {name}"), Budget(max_parameters=40_000)
    images = np.random.default_rng(0).random((4, side, side, 1), dtype=np.float32)
    shares = []
    for number in range(15):
        parent = space.sample(rng, budget)
        child = space.mutate(parent, rng, budget)
        weights = parent.build().get_weights()
        found = inherit(parent, weights, child, seed=number)
        shares.append(found.share)
        assert all(np.isfinite(array).all() for array in found.weights)
        received = rebuild(child, found.weights)(images, training=False)  # which refuses any other shape
        if found.preserving:
            np.testing.assert_allclose(received, rebuild(parent, weights)(images, training=False), atol=1e-5)
    assert 0.4 < np.mean(shares) <= 1


def test_networks_with_nothing_in_common():
    parent = network(STEM)
    child = network(Separable(filters=3), FullyConvolutionalHead(classes=3))
    assert inherit(parent, some_weights(parent), child, seed=0) is None


def test_weights_of_another_network_are_refused():
    parent, other = network(STEM), network(Conv(filters=5))
    with pytest.raises(NasError, match=r"must be 7 arrays with .*use the weights that were trained for it"):
        inherit(parent, some_weights(other), network(Conv(filters=9)), seed=0)


@pytest.fixture(scope="module")
def data():
    return digits_data()


@pytest.fixture(scope="module")
def grown(data):
    """A trained network without batch normalization, and a wider one that inherits from it."""
    parent, child = small_network("none", filters=4), small_network("none", filters=6)
    training = TrainingConfig(epochs=1, batch_size=64, learning_rate=1e-2)
    weights = train(parent, data, training, seed=3).weights
    return child, inherit(parent, weights, child, seed=4), evaluate(parent, weights, data.validation)


@pytest.mark.parametrize("loop", ["compiled", "fit"])
def test_training_begins_with_inherited_weights(grown, data, loop):
    child, found, expected = grown
    still = TrainingConfig(epochs=1, batch_size=64, learning_rate=1e-9)
    result = train(child, data, still, seed=4, loop=loop, initial_weights=found.weights)
    assert result.metrics["val_score"] == pytest.approx(expected["score"], abs=1e-6)
    assert result.metrics["val_loss"] == pytest.approx(expected["loss"], rel=1e-4)
    fresh = train(child, data, still, seed=4, loop=loop)
    assert abs(fresh.metrics["val_loss"] - expected["loss"]) > 0.05


def test_copies_of_a_channel_part_in_training(grown, data):
    child, found, _ = grown
    copies = [c for c in range(4) if np.array_equal(found.weights[0][..., c], found.weights[0][..., 4])]
    (original,) = copies
    training = TrainingConfig(epochs=2, batch_size=64, learning_rate=1e-2)
    kernel = train(child, data, training, seed=4, initial_weights=found.weights).weights[0]
    assert abs(kernel[..., original] - kernel[..., 4]).max() > 1e-2


def test_training_refuses_weights_of_another_network(data):
    with pytest.raises(NasError, match="use the weights that were trained for it"):
        train(small_network(), data, TrainingConfig(), seed=0, initial_weights=[np.zeros(3)])


def test_a_new_skip_changes_nothing_until_it_is_trained():
    head = FcnHead(classes=3, output_size=8)
    parent = network(STEM, Pool(), Conv(filters=5), head)
    child = network(STEM, Skip(classes=3), Pool(), Conv(filters=5), head)
    weights = some_weights(parent)
    found = inherit(parent, weights, child, seed=0)
    assert found.preserving
    before, after = rebuild(parent, weights), rebuild(child, found.weights)
    np.testing.assert_allclose(after(IMAGES), before(IMAGES), atol=1e-5)
