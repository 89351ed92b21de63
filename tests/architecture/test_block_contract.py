"""What every block kind promises, held for everything that is registered: arithmetic equals Keras."""

import dataclasses
import inspect
import json

import pytest

from nas.architecture import Architecture
from nas.architecture.blocks import BLOCKS, Block, BlockError, GlobalPoolHead, block_from_dict
from nas.architecture.fields import field_types
from nas.architecture.layers import DoesNotFitError
from tests.architecture.block_examples import ALL, EXAMPLES, SHAPES

FITTING = [
    pytest.param(block, shape, id=f"{block}-{'x'.join(map(str, shape))}")
    for block in ALL
    for shape in SHAPES
    if block.fits(shape)
]


def test_every_registered_kind_has_examples():
    assert set(EXAMPLES) == set(BLOCKS)
    assert {id(param.values[0]) for param in FITTING} == {id(block) for block in ALL}


@pytest.mark.parametrize("kind", sorted(BLOCKS))
def test_examples_set_every_option_to_another_value_than_its_default(kind):
    """An option that no example sets could be ignored by the wiring and nobody would see it."""
    options = {field.name: field.default for field in dataclasses.fields(BLOCKS[kind])}
    touched = {name for block in EXAMPLES[kind] for name in options if getattr(block, name) != options[name]}
    assert touched == set(options)


def keras_macs(model):
    """Multiply-adds read off Keras' own kernels and output shapes."""
    import math

    total = 0
    for layer in model.layers:
        kernel = getattr(layer, "kernel", None)
        if kernel is not None:
            # Transposed, a kernel meets each pixel of its input.
            map_ = layer.input if type(layer).__name__ == "Conv2DTranspose" else layer.output
            positions = math.prod(map_.shape[1:-1])
            total += math.prod(kernel.shape) * positions
    return total


@pytest.mark.parametrize(("block", "shape"), FITTING)
def test_shapes_counts_and_macs_equal_keras(block, shape):
    import keras

    image = keras.Input(shape)
    skips = []
    output = block.build(image, name="b", skips=skips)
    model = keras.Model(image, [output, *skips] if skips else output)
    count = block.count(shape)
    assert block.output_shape(shape) == tuple(output.shape[1:])
    assert count.parameters == model.count_params()
    assert count.trainable == sum(weight.shape.num_elements() for weight in model.trainable_weights)
    assert count.non_trainable == sum(weight.shape.num_elements() for weight in model.non_trainable_weights)
    assert count.macs == keras_macs(model)
    graph, _ = block.wired(shape)
    layers = {layer.name: layer for layer in model.layers}
    assert len(graph.nodes) == len(layers) - 1  # the input
    for node in graph.nodes:
        layer = layers[f"b_{node.name}"]
        assert node.shape == tuple(layer.output.shape[1:]), node.name
        assert node.count.parameters == layer.count_params(), node.name


@pytest.mark.parametrize("block", ALL, ids=str)
def test_json_round_trip_is_the_identity(block):
    written = json.loads(json.dumps(block.to_dict()))
    assert block_from_dict(written) == block
    assert type(block_from_dict(written)) is type(block)


@pytest.mark.parametrize("block", ALL, ids=str)
def test_only_required_options_and_those_that_differ_from_their_default_are_written(block):
    """So that a new option with a default changes no written architecture."""
    for field in dataclasses.fields(block):
        required = field.default is dataclasses.MISSING
        changed = not required and getattr(block, field.name) != field.default
        assert (field.name in block.to_dict()) == (required or changed)


@pytest.mark.parametrize("kind", sorted(BLOCKS))
def test_a_kind_is_frozen_keyword_only_final_and_documents_each_option(kind):
    cls = BLOCKS[kind]
    block = EXAMPLES[kind][0]
    name = dataclasses.fields(cls)[0].name
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(block, name, 1)
    with pytest.raises(TypeError, match="positional"):
        cls(1)
    assert issubclass(cls, Block)
    assert all(inspect.isabstract(base) for base in cls.__bases__)
    assert cls.__final__
    assert not hasattr(block, "__dict__")
    from nas.space.schema import option_texts

    assert set(option_texts(cls)) >= set(field_types(cls))


@pytest.mark.parametrize("kind", sorted(BLOCKS))
def test_every_option_refuses_what_it_cannot_be(kind):
    block = EXAMPLES[kind][0]
    for field in dataclasses.fields(block):
        for value in (object(), -1, {"a": 1}, 10**12):
            with pytest.raises(BlockError, match=f"^{kind}: `{field.name}` must be .*; received "):
                dataclasses.replace(block, **{field.name: value})


@pytest.mark.parametrize("block", ALL, ids=str)
def test_a_block_that_does_not_fit_says_so_and_one_that_fits_gives_positive_sizes(block):
    for height in range(1, 8):
        for width in range(1, 8):
            shape = (height, width, 4)
            if block.fits(shape):
                assert all(size >= 1 for size in block.output_shape(shape))
            else:
                with pytest.raises(DoesNotFitError, match=r"; (use|set|received) "):
                    block.trace(shape)


@pytest.mark.parametrize("block", ALL, ids=str)
def test_every_activation_is_a_keras_layer_of_its_own_and_names_are_unique(block):
    graph, _ = block.wired(next(shape for shape in SHAPES if block.fits(shape)))
    names = [node.name for node in graph.nodes]
    assert len(set(names)) == len(names)


def test_a_network_runs_gives_probabilities_and_takes_the_momentum():
    import numpy as np

    kinds = [kind for kind, cls in BLOCKS.items() if not cls.is_head and kind != "skip"]
    body = [EXAMPLES[kind][0] for kind in kinds]
    network = Architecture(input_shape=(17, 12, 3), blocks=(*body, GlobalPoolHead(classes=5)))
    model = network.build(batch_norm_momentum=0.75)
    output = model(np.zeros((2, 17, 12, 3), "float32"))
    assert output.shape == (2, 5)
    assert output.numpy().sum(axis=1) == pytest.approx(1)
    momenta = {layer.momentum for layer in model.layers if hasattr(layer, "momentum")}
    assert momenta == {0.75}
    assert model.count_params() == network.count.parameters
    assert model.name == f"architecture_{network.id}"


def test_under_mixed_precision_only_the_probabilities_are_float32():
    import keras

    network = Architecture(input_shape=(8, 8, 1), blocks=(EXAMPLES["conv"][0], GlobalPoolHead(classes=3)))
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = network.build()
    finally:
        keras.config.set_dtype_policy(before)
    kinds = {layer.name: layer.compute_dtype for layer in model.layers}
    assert kinds.pop("02_global_pool_probabilities") == "float32"
    kinds.pop("image")
    assert set(kinds.values()) == {"bfloat16"}
