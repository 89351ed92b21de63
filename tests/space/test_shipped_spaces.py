"""Every shipped space, against a second reading of each architecture and against Keras."""

import random

import pytest

from nas.architecture import Architecture, Budget
from nas.architecture.blocks import BLOCKS, base
from nas.space import load_space
from tests.space.conftest import SHAPES, SHIPPED, made

SAMPLES = 50
"""For each space and input: 1,200 in a run."""


def test_what_is_shipped():
    assert set(SHIPPED) >= {"mixed", "plain", "inception", "residual", "bottleneck", "tiny"}
    assert len(SHIPPED) * len(SHAPES) * SAMPLES >= 1_000


def test_random_architectures_are_counted_the_same_from_their_json_without_any_memory(space):
    rng = random.Random(7)
    found = [space.sample(rng) for _ in range(SAMPLES)]
    texts = [network.to_json() for network in found]
    base._trace.cache_clear()
    for network, text in zip(found, texts, strict=True):
        again = Architecture.from_json(text)
        assert again == network
        assert again.count == network.count
        assert [trace.key for trace in again.traces] == [trace.key for trace in network.traces]
        assert space.fewest_parameters <= network.count.parameters <= space.most_parameters


def chosen_for_keras():
    """A few small networks of every space and input that together have every kind and padding of the spaces."""
    chosen, seen = [], set()
    for name in SHIPPED:
        for number, shape in enumerate(SHAPES):
            space = made(name, shape)
            rng = random.Random(f"{name}/{shape}")
            budget = Budget(max_parameters=max(30_000, 2 * space.fewest_parameters))
            candidates = [space.sample(rng, budget) for _ in range(40)]
            best = max(candidates, key=lambda network: (len(traits(network) - seen), -len(network.traces)))
            if traits(best) - seen or number == 0:
                chosen.append(pytest.param(best, id=f"{name}-{'x'.join(map(str, shape))}"))
                seen |= traits(best)
    return chosen


def traits(network):
    found = set()
    for block in network.blocks:
        found.add((block.kind, getattr(block, "padding", None)))
        found.update(
            (block.kind, option, getattr(block, option))
            for option in ("stacked", "form", "transition", "stride", "pool")
            if hasattr(block, option)
        )
    return found


@pytest.mark.parametrize("network", chosen_for_keras())
def test_networks_equal_keras_to_the_last_parameter_and_layer(network):
    model = network.build()
    assert model.count_params() == network.count.parameters
    assert sum(w.shape.num_elements() for w in model.trainable_weights) == network.count.trainable
    assert sum(w.shape.num_elements() for w in model.non_trainable_weights) == network.count.non_trainable
    nodes = list(network.nodes())
    assert len(nodes) == len(model.layers) - 1
    for block, node in nodes:
        layer = model.get_layer(f"{block}_{node.name}")
        assert tuple(layer.output.shape[1:]) == node.shape, layer.name
        assert layer.count_params() == node.count.parameters, layer.name


def test_the_networks_built_in_keras_have_every_kind_and_padding_of_the_spaces():
    networks = [parameter.values[0] for parameter in chosen_for_keras()]
    built = {(block.kind, getattr(block, "padding", None)) for network in networks for block in network.blocks}
    offered = set()
    for name in SHIPPED:
        for stage in made(name, SHAPES[0]).definition.stages:
            for slot in stage.slots:
                for alternative in slot:
                    for block in alternative.blocks(filters=16, classes=10, stride=False):
                        offered.add((block.kind, getattr(block, "padding", None)))
    assert built >= offered
    assert {"conv", "separable", "bottleneck", "inception", "residual", "dense_block", "pool"} <= {k for k, _ in built}


def test_mixed_has_what_it_says():
    stages = made("mixed", (32, 32, 3)).definition.stages
    blocks = [
        block
        for stage in stages
        for slot in stage.slots
        for alternative in slot
        for block in alternative.blocks(filters=16, classes=10, stride=False)
    ]
    offered = {(block.kind, name, getattr(block, name)) for block in blocks for name in block.__dataclass_fields__}
    for wanted in [
        ("conv", "padding", "same"),
        ("conv", "padding", "valid"),
        ("conv", "stacked", True),
        ("residual", "form", "basic"),
        ("residual", "form", "bottleneck"),
        ("dense_block", "transition", True),
        ("dense_block", "transition", False),
        ("pool", "pool", "max"),
        ("pool", "pool", "average"),
    ]:
        assert wanted in offered
    kinds = {kind for kind, _, _ in offered}
    assert kinds >= {"separable", "bottleneck", "inception", "global_pool", "flatten"}
    downsampling = {word for stage in stages for word in stage.downsample}
    assert downsampling == {"none", "max_pool", "average_pool", "stride"}


def test_tiny_is_where_small_problems_are_decided():
    space = load_space("tiny", input_shape=(28, 28, 1), classes=10)
    assert space.fewest_parameters < 300
    assert space.share(Budget(max_parameters=5_000)).value > 0.5


def test_every_head_is_last_and_every_network_of_the_space_has_the_classes():
    space = made("plain", (28, 28, 1), classes=3)
    for network in space.sample_distinct(20, random.Random(0)):
        assert network.head.classes == 3
        assert BLOCKS[network.kinds[-1]].is_head
