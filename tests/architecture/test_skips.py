"""Maps that go past blocks to the head: counted, identified and built as they are."""

from __future__ import annotations

import numpy as np
import pytest

from nas.architecture import Architecture
from nas.architecture.architecture import ArchitectureError
from nas.architecture.blocks import Conv, FcnHead, FlattenHead, Pool, Skip

PLAIN = {"normalization": "none", "activation": "linear"}


def network(*places):
    """Two convolutions, 8x8 and 4x4, with a skip behind the blocks of these numbers."""
    blocks = [Conv(filters=4, **PLAIN), Pool(), Conv(filters=6, **PLAIN)]
    body = [each for number, block in enumerate(blocks) for each in (block, *[Skip(classes=3)] * (number in places))]
    return Architecture(input_shape=(8, 8, 1), blocks=(*body, FcnHead(classes=3, output_size=8)))


def test_a_network_with_skips_by_hand():
    plain, skipped = network(), network(0)
    assert plain.count.parameters == (9 * 4 + 4) + (9 * 4 * 6 + 6) + (6 * 3 + 3)
    assert skipped.count.parameters == plain.count.parameters + 4 * 3 + 3
    assert skipped.count.macs == plain.count.macs + 64 * 4 * 3
    # The image and the first map; that map and the skip; the skip under pooling, under the second convolution.
    # The head: the skip of 192 numbers beside 48 numbers that become 192, the sum, and softmax over it.
    peaks = [64 + 256, 256 + 192, 256 + 64 + 192, 64 + 96 + 192, 192 + 48 + 192, 192 + 192 + 192]
    assert skipped.count.activation_bytes == 4 * max(peaks)
    assert plain.count.activation_bytes == 4 * (256 + 64)


def test_what_waits_for_the_head_lies_in_memory_meanwhile():
    wide = (Conv(filters=16, **PLAIN), Conv(filters=16, **PLAIN), FcnHead(classes=3, output_size=8))
    plain, waiting = (Architecture(input_shape=(8, 8, 1), blocks=(*first, *wide)) for first in ((), (Skip(classes=3),)))
    assert plain.count.activation_bytes == 4 * 2 * 8 * 8 * 16
    assert waiting.count.activation_bytes == 4 * (2 * 8 * 8 * 16 + 8 * 8 * 3)


@pytest.mark.parametrize("places", [(), (0,), (1,), (0, 1), (0, 1, 2)])
def test_keras_has_as_many_and_the_network_is_read_again(places):
    made = network(*places)
    model = made.build()
    assert model.count_params() == made.count.parameters
    assert model.output_shape == (None, 8, 8, 3)
    again = Architecture.from_json(made.to_json())
    assert (again, again.id, again.count) == (made, made.id, made.count)
    names = [f"{block}_{node.name}" for block, node in made.nodes()]
    assert sorted(names) == sorted(layer.name for layer in model.layers[1:])


def test_each_place_is_another_network_and_has_another_answer():
    rng = np.random.default_rng(0)
    made = [network(), network(0), network(1), network(2), network(0, 1), network(1, 1)]
    assert len({each.id for each in made[:5]}) == 5
    assert made[5].id == made[2].id
    first, head = (Conv(filters=3, kernel=1, **PLAIN), Skip(classes=3)), FcnHead(classes=3, output_size=8)
    assert len({Architecture(input_shape=(8, 8, 1), blocks=(each, head)).id for each in first}) == 2
    # What is handed over is added: without the way through the blocks, the answer is that of the skip alone.
    model = network(0).build()
    image = rng.random((1, 8, 8, 1)).astype(np.float32)
    for layer in model.layers:
        if layer.name == "05_fcn_classes":
            layer.set_weights([np.zeros_like(each) for each in layer.get_weights()])
    first, skip = model.get_layer("01_conv_conv"), model.get_layer("02_skip_classes")
    logits = np.asarray(skip(first(image)))
    expected = np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True)
    assert np.asarray(model(image)) == pytest.approx(expected, abs=1e-6)


def test_a_head_that_takes_no_skip_says_so():
    with pytest.raises(ArchitectureError, match=r"^a skip needs a head that takes it \(fcn\); received flatten$"):
        Architecture(input_shape=(8, 8, 1), blocks=(Skip(classes=3), FlattenHead(classes=3)))


def test_the_table_and_the_receptive_field():
    text = network(0).summary()
    assert "02_skip" in text
    assert "Resize2D" not in text
    rows = text.splitlines()
    # 3x3, then pooled and 3x3 on every second pixel: 3 + 1 + 2 * 2 = 8; two of these are 2 pixels more.
    assert rows[-4].split()[-1] == "10x10"
