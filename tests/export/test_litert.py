"""LiteRT files: whole numbers only where that was asked for, small, aligned, and the same in TFLM."""

import random

import numpy as np
import pytest

from nas.architecture import Architecture, Budget
from nas.architecture.blocks import Conv, GlobalPoolHead
from nas.devices import import_tensorflow
from nas.errors import NasError
from nas.export.litert_file import ALIGNMENT, answers, convert, describe, pixels_for
from nas.export.micro import arena_bytes, micro_answers
from nas.space import load_space

INPUT = (12, 10, 3)
SEEDS = range(4)


def images_of(count):
    rng = np.random.default_rng(0)
    return (rng.integers(0, 200, (count, *INPUT)) * rng.random((count, 1, 1, 1))).astype(np.uint8)


@pytest.fixture(scope="module")
def networks():
    """Some of `mixed`, with random weights and statistics."""
    import_tensorflow()
    space = load_space("mixed", input_shape=INPUT, classes=4)
    rng = random.Random(3)
    found = [space.sample(rng, Budget(max_parameters=9_000)) for _ in SEEDS]
    return [(network, network.build()) for network in found]


@pytest.fixture(scope="module")
def quantized(networks):
    return [convert(network, model, calibration=images_of(64)) for network, model in networks]


@pytest.mark.parametrize("number", SEEDS)
def test_no_number_of_a_quantized_network_is_a_float(quantized, number):
    from tensorflow.lite.python import schema_py_generated as schema

    graph = schema.ModelT.InitFromPackedBuf(bytearray(quantized[number]), 0).subgraphs[0]
    allowed = {schema.TensorType.INT8, schema.TensorType.INT32}
    assert {tensor.type for tensor in graph.tensors} <= allowed
    facts = describe(quantized[number])
    assert not {"SHAPE", "QUANTIZE", "DEQUANTIZE", "CAST"} & {*facts["operators"]}
    assert facts["input"] == {
        "dtype": "int8",
        "shape": [1, *INPUT],
        "scale": pytest.approx(1 / 255),
        "zero_point": -128,
    }
    assert facts["output"] == {"dtype": "int8", "shape": [1, 4], "scale": 1 / 256, "zero_point": -128}


@pytest.mark.parametrize("number", SEEDS)
def test_tflm_computes_what_litert_computes_bit_by_bit(quantized, number):
    """All maps. Dense layers and softmax have other ways to round: there one step is possible."""
    images, content = images_of(100), quantized[number]
    maps = up_to_dense(content)
    np.testing.assert_array_equal(micro_answers(maps, images), answers(maps, images))
    assert np.unique(answers(maps, images)).size > 4
    assert np.abs(micro_answers(content, images) - answers(content, images)).max() <= 2 / 256


def up_to_dense(content):
    """The same file without what comes after the last map."""
    import flatbuffers
    from tensorflow.lite.python import schema_py_generated as schema

    model = schema.ModelT.InitFromPackedBuf(bytearray(content), 0)
    graph = model.subgraphs[0]
    codes = [model.operatorCodes[operator.opcodeIndex].builtinCode for operator in graph.operators]
    dense = codes.index(schema.BuiltinOperator.FULLY_CONNECTED)
    graph.outputs = graph.operators[dense].inputs[:1]
    graph.operators = graph.operators[:dense]
    builder = flatbuffers.Builder(len(content))
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


@pytest.mark.parametrize("number", SEEDS)
def test_the_arena_holds_the_maps(networks, quantized, number):
    """The peak of the float32 maps, with a quarter of the bytes, is a lower bound."""
    network, _ = networks[number]
    assert network.count.activation_bytes / 4 <= arena_bytes(quantized[number]) < 2**20


@pytest.mark.parametrize("number", SEEDS)
def test_weights_are_aligned_and_nothing_else_is_kept(quantized, number):
    from tensorflow.lite.python import schema_py_generated as schema

    content = quantized[number]
    model = schema.Model.GetRootAs(content, 0)
    constants = 0
    for place in range(model.BuffersLength()):
        buffer = model.Buffers(place)
        if buffer.DataLength():
            field = buffer._tab.Offset(4)
            assert buffer._tab.Vector(field) % ALIGNMENT == 0
            constants += buffer.DataLength()
    assert model.MetadataLength() == model.SignatureDefsLength() == 0
    assert not any(model.Subgraphs(0).Tensors(n).Name() for n in range(model.Subgraphs(0).TensorsLength()))
    assert constants < len(content)


def test_both_kinds_of_pixels_are_the_same_network(networks):
    network, model = networks[0]
    images = images_of(30)
    signed, unsigned = (convert(network, model, calibration=images, pixels=pixels) for pixels in ("int8", "uint8"))
    assert describe(unsigned)["input"]["dtype"] == "uint8"
    np.testing.assert_array_equal(answers(signed, images), answers(unsigned, images))


def test_pixels_by_hand():
    image = np.array([[[0], [127], [128], [255]]], np.uint8)[None]
    assert pixels_for(np.int8, image).ravel().tolist() == [-128, -1, 0, 127]
    assert pixels_for(np.uint8, image).ravel().tolist() == [0, 127, 128, 255]
    assert pixels_for(np.float32, image).ravel().tolist() == pytest.approx([0, 127 / 255, 128 / 255, 1])


def test_what_litert_computes_in_float_is_refused():
    import_tensorflow()
    network = Architecture(input_shape=INPUT, blocks=(Conv(filters=3, activation="elu"), GlobalPoolHead(classes=4)))
    told = (
        "^an int8 network has whole numbers only, and LiteRT computes ELU in float32; choose a network without it, or "
        "a float format$"
    )
    with pytest.raises(NasError, match=told):
        convert(network, network.build(), calibration=images_of(2))
    assert "ELU" in describe(convert(network, network.build()))["operators"]
