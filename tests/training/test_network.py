"""Every layer and block on flat weights gives what Keras gives, in training and in inference."""

import numpy as np
import pytest

from nas.architecture import Architecture
from nas.architecture.blocks import Conv, FcnHead, GlobalPoolHead
from nas.architecture.layers import Conv2D, Window
from nas.devices import import_tensorflow
from nas.training.model import precision
from nas.training.network import Network, _Call
from tests.architecture.block_examples import ALL
from tests.architecture.layer_examples import EXAMPLES, keras_model, text
from tests.training.conftest import small_network

MOMENTUM = 0.75


class Randomized:
    """An architecture whose model starts with weights and statistics that all differ, and is kept."""

    def __init__(self, architecture):
        self.nodes = architecture.nodes
        self._architecture = architecture

    def build(self):
        self.model = self._architecture.build(batch_norm_momentum=MOMENTUM)
        rng = np.random.default_rng(0)
        self.model.set_weights([rng.uniform(0.1, 1.0, w.shape) * rng.choice([1, 1, -1]) for w in self.model.weights])
        for variable in self.model.weights:
            if "variance" in variable.name:
                variable.assign(abs(variable))
        return self.model


def with_head(block):
    head = FcnHead(classes=3, output_size=8) if block.kind == "skip" else GlobalPoolHead(classes=3)
    blocks = (block,) if block.is_head else (block, head)
    return Architecture(input_shape=(8, 8, 4), blocks=blocks)


@pytest.mark.parametrize("training", [False, True], ids=["inference", "training"])
@pytest.mark.parametrize(("layer", "shapes"), EXAMPLES, ids=text)
def test_a_layer_is_run_as_keras_runs_it(layer, shapes, training):
    model, rng = keras_model(layer, shapes), np.random.default_rng(1)
    arrays = [rng.normal(size=(6, *shape)).astype(np.float32) for shape in shapes]
    values, seen = {id(variable): variable.numpy() for variable in model.weights}, {}
    seeds = [(variable, variable.numpy()) for variable in model.non_trainable_variables if variable.dtype != "float32"]
    received = layer.run(_Call(model.layers[-1], arrays, values, seen, training=training, by_batch=training))
    for variable, value in seeds:
        variable.assign(value)
    np.testing.assert_allclose(received, model(arrays, training=training), atol=1e-5)
    left = model.layers[-1].non_trainable_weights if training else []
    assert seen.keys() == {id(variable) for variable in left}
    for variable in left:
        moved = values[id(variable)] * MOMENTUM + seen[id(variable)] * (1 - MOMENTUM)
        np.testing.assert_allclose(moved, variable.value, atol=1e-5)


@pytest.mark.parametrize("block", ALL, ids=str)
def test_a_network_on_flat_weights_equals_keras(block):
    import_tensorflow()
    randomized = Randomized(with_head(block))
    network = Network(randomized)
    model, flat = randomized.model, [weights.value for weights in network.weights]
    images = np.random.default_rng(1).random((6, 8, 8, 4), dtype=np.float32)

    received = network(images, flat, training=False)
    np.testing.assert_allclose(received, model(images, training=False), rtol=2e-6, atol=1e-5)

    seeds = [variable for variable in model.non_trainable_variables if variable.dtype != "float32"]
    before = [variable.numpy() for variable in seeds]
    received = network(images, flat, training=True)
    for variable, value in zip(seeds, before, strict=True):
        assert (variable.numpy() != value).any()  # the next step drops others
        variable.assign(value)
    np.testing.assert_allclose(received, model(images, training=True), rtol=2e-6, atol=1e-5)


@pytest.mark.parametrize("block", ALL, ids=str)
def test_statistics_are_those_that_keras_sees_of_a_batch_without_dropout(block):
    import_tensorflow()
    randomized = Randomized(with_head(block))
    network = Network(randomized)
    model, flat = randomized.model, [weights.value for weights in network.weights]
    moving = [variable for layer in model.layers for variable in layer.non_trainable_weights]
    assert network.is_normalized == bool(moving)
    if not moving:
        return
    images = np.random.default_rng(1).random((6, 8, 8, 4), dtype=np.float32)
    before = [variable.numpy() for variable in model.variables]
    network.statistics.assign(network.batch_statistics(images, flat))
    for variable, value in zip(model.variables, before, strict=True):
        np.testing.assert_array_equal(variable, value)  # seeds, too: the next step drops what it would have dropped

    for variable in moving:
        variable.assign(np.zeros(variable.shape))
    for layer in model.layers:
        if hasattr(layer, "rate"):
            layer.rate = 0
    model(images, training=True)
    for variable in moving:
        variable.assign(variable / (1 - MOMENTUM))
    for ours, keras_own in zip(network.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_allclose(ours, keras_own, atol=1e-5, rtol=1e-5)


def test_weights_come_back_in_the_order_of_keras_in_one_group_or_two():
    for separate in (False, True):
        randomized = Randomized(small_network())
        network = Network(randomized, separate=separate)
        assert len(network.weights) == 1 + separate
        for ours, keras_own in zip(network.get_weights(), randomized.model.get_weights(), strict=True):
            np.testing.assert_array_equal(ours, keras_own)


def test_weights_that_were_read_do_not_change_when_training_goes_on():
    network = Network(small_network())
    before = network.get_weights()
    copies = [array.copy() for array in before]
    network.weights[0].assign(network.weights[0] + 1)
    network.statistics.assign_add(network.statistics + 1)
    for array, copy in zip(before, copies, strict=True):
        np.testing.assert_array_equal(array, copy)


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_reduced_precision_is_used_where_keras_uses_it(policy):
    """Half precision inside, float32 probabilities, float32 weights."""
    import_tensorflow()
    with precision(policy):
        blocks = (Conv(filters=8), GlobalPoolHead(classes=10))
        randomized = Randomized(Architecture(input_shape=(8, 8, 1), blocks=blocks))
        network = Network(randomized)
    images = np.random.default_rng(1).random((4, 8, 8, 1), dtype=np.float32)
    received = network(images, [weights.value for weights in network.weights], training=False)
    assert received.dtype == "float32"
    np.testing.assert_allclose(received, randomized.model(images, training=False), atol=1e-6)
    assert {weights.dtype for weights in network.weights} == {"float32"}


def test_no_gradient_of_a_strided_pixel_is_taken():
    """TensorFlow 2.21 crashes in it, on CPUs with oneDNN, for these shapes among others."""
    import tensorflow as tf

    layer = Conv2D(filters=16, window=Window(size=(1, 1), stride=(2, 3), padding="same"))
    model = keras_model(layer, [(48, 47, 8)])
    values = {id(variable): variable.value for variable in model.weights}
    image = np.random.default_rng(0).normal(size=(2, 48, 47, 8)).astype(np.float32)

    @tf.function
    def run(image):
        return layer.run(_Call(model.layers[-1], [image], values, {}, training=True, by_batch=True))

    np.testing.assert_allclose(run(image), model(image), atol=1e-5)
    operations = run.get_concrete_function(image).graph.get_operations()
    assert [list(each.get_attr("strides")) for each in operations if each.type == "Conv2D"] == [[1, 1, 1, 1]]
