"""As many operators as the converter makes of each layer, behind a convolution."""

from types import SimpleNamespace

import numpy as np
import pytest

from nas.architecture.graph import Graph
from nas.architecture.layers import Activation, Conv2D, LocalResponseNormalization, Window
from nas.architecture.lowering import lower
from nas.devices import import_tensorflow
from nas.export.litert_file import convert
from tests.architecture.layer_examples import EXAMPLES, MAP

PICK = Window(size=(1, 1), stride=(1, 1), padding="valid")
APART = {Activation(function="elu"), LocalResponseNormalization(size=3, offset=1, alpha=0.5, beta=0.5)}
"""Computed in float, or by a power that TFLM lacks: they have no int8 file."""

ONE_OF_EACH = {
    (type(layer), getattr(layer, "function", getattr(layer, "pool", ""))): (layer, shapes)
    for layer, shapes in reversed(EXAMPLES)
    if layer not in APART
    and layer.lowered.is_known
    and all(shape[:2] == MAP[:2] for shape in shapes)
    and not layer.is_identity
}


@pytest.mark.parametrize(("layer", "shapes"), ONE_OF_EACH.values(), ids=str)
def test_operators_are_those_of_the_converter(layer, shapes):
    import_tensorflow()
    import keras
    from tensorflow.lite.python import schema_py_generated as schema

    graph = Graph(MAP)
    sources = [
        graph.add(Conv2D(filters=shape[2], window=PICK), graph.input, name=f"conv_{place}")
        for place, shape in enumerate(shapes)
    ]
    graph.add(layer, *sources, name="layer")
    tensors = [keras.Input(MAP)]
    for node in graph.nodes:
        inputs = [tensors[source + 1] for source in node.inputs]
        made = node.layer.keras_layer(node.name, momentum=0.9)
        tensors.append(made(inputs[0] if len(inputs) == 1 else inputs))
    head = SimpleNamespace(task="classification", answers=lambda outputs: outputs)
    network = SimpleNamespace(input_shape=MAP, head=head, lacking=())
    model = keras.Model(tensors[0], tensors[-1])
    rng = np.random.default_rng(0)
    model.set_weights([rng.uniform(0.5, 1.5, weights.shape) for weights in model.get_weights()])
    content = convert(network, model, calibration=rng.integers(0, 256, (2, *MAP), np.uint8))
    found = schema.ModelT.InitFromPackedBuf(bytearray(content), 0).subgraphs[0]
    assert len(lower(("b", node) for node in graph.nodes)) == len(found.operators)
