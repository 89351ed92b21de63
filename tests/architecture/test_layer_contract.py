"""What every layer says about itself is so: measured on its Keras layer."""

import inspect
import itertools
import math
import sys
from typing import get_args

import numpy as np
import pytest

from nas.architecture.arithmetic import padded
from nas.architecture.fields import ActivationName
from nas.architecture.layers import (
    Activation,
    Add,
    AnchorBoxes,
    Flatten,
    Layer,
    LocalResponseNormalization,
    Proposals,
    RegionPool,
    Window,
    ZeroPad2D,
)
from nas.architecture.layers.facets import ANY, Bins, Channels, Mixed, Normalized, Scattered, Sight, Stretch
from tests.architecture.layer_examples import EXAMPLES, applied, keras_model, text

FACETS = sorted(Layer.__abstractmethods__)
RANGES = [(0.0, 1.0), (-2.0, 3.0), (2.0, 8.0)]
every_example = pytest.mark.parametrize(("layer", "shapes"), EXAMPLES, ids=text)


def subclasses(cls):
    for subclass in cls.__subclasses__():
        yield subclass
        yield from subclasses(subclass)


# A dataclass with slots replaces the class that was written, which stays a subclass, too.
OURS = {cls for cls in subclasses(Layer) if vars(sys.modules[cls.__module__]).get(cls.__name__) is cls}
CONCRETE = {cls for cls in OURS if not inspect.isabstract(cls)}


def drawn(shapes, values, seed=0):
    """Arrays of two examples, each with both ends of the range."""
    arrays = [np.random.default_rng(seed).uniform(*values, (2, *shape)).astype(np.float32) for shape in shapes]
    for array in arrays:
        array.flat[:2] = values
    return arrays


def test_every_layer_class_has_examples():
    assert {type(layer) for layer, _ in EXAMPLES} == CONCRETE


def test_every_activation_that_a_block_may_name_has_an_example():
    functions = {layer.function for layer, _ in EXAMPLES if isinstance(layer, Activation)}
    assert functions == {*get_args(ActivationName), "softmax"}
    with pytest.raises(ValueError, match="nothing is known of the activation 'swoosh'; there are linear, relu, "):
        Activation(function="swoosh")


@pytest.mark.parametrize("facet", FACETS)
def test_a_layer_that_lacks_a_facet_cannot_be_made(facet):
    members = dict.fromkeys(FACETS)
    type("Complete", (Layer,), dict(members))()
    del members[facet]
    with pytest.raises(TypeError, match=f"abstract .*{facet}"):
        type("Lacking", (Layer,), members)()


def test_a_layer_has_no_member_with_a_default():
    assert {name for name in vars(Layer) if not name.startswith("_")} == set(FACETS)


@pytest.mark.parametrize("cls", sorted(CONCRETE, key=str), ids=lambda cls: cls.__name__)
def test_each_facet_is_answered_once(cls):
    """In the class or in one of those that it shares answers with: no answer replaces another."""
    assert cls.__final__
    for facet in FACETS:
        assert sum(facet in vars(base) for base in cls.__mro__ if base is not Layer) == 1, facet


@every_example
def test_shape_and_weights_equal_keras(layer, shapes):
    model = keras_model(layer, shapes)
    output = layer.output_shape(*shapes)
    weights = layer.weights(shapes, output)
    assert output == model.output_shape[1:]
    assert (weights is None) == (not model.weights)
    if weights:
        assert weights.count.parameters == model.count_params() == eval(weights.formula)
        assert weights.count.trainable == sum(math.prod(each.shape) for each in model.trainable_weights)
        kernels = [each for each in model.weights if each.name == "kernel"]
        # A transposed convolution's kernel meets each pixel of its input.
        place = shapes[0] if isinstance(layer.view, Scattered) else output
        assert weights.count.macs == sum(math.prod(kernel.shape) * math.prod(place[:-1]) for kernel in kernels)


@every_example
def test_an_identity_changes_nothing_in_training_either(layer, shapes):
    """The converse has one exception: flattening a vector changes nothing, and the layer is kept."""
    arrays = drawn(shapes, (-2, 8))
    received = applied(keras_model(layer, shapes), arrays, training=True)
    if layer.is_identity:
        np.testing.assert_array_equal(received, arrays[0])
    elif not isinstance(layer, Flatten):
        assert not np.array_equal(received, arrays[0])


@every_example
@pytest.mark.parametrize("values", RANGES, ids=str)
def test_the_output_is_in_its_range_and_equal_to_the_input_where_it_passes(layer, shapes, values):
    arrays = drawn(shapes, values)
    received = applied(keras_model(layer, shapes), arrays)
    low, high = layer.output_range(*[values] * len(shapes))
    assert low - 1e-6 <= received.min() <= received.max() <= high + 1e-6
    width = shapes[0][-1]
    equal = received.shape[-1] == width and np.array_equal(received.reshape(-1, width), arrays[0].reshape(-1, width))
    assert equal == (layer.is_identity or layer.passes.holds(shapes[0], values))


@pytest.mark.parametrize(
    ("layer", "inputs", "expected"),
    [
        (Activation(function="relu"), [(-1, 9)], (0, 9)),
        (Activation(function="relu"), [(-3, -1)], (0, 0)),
        (Activation(function="relu6"), [(-1, 9)], (0, 6)),
        (Activation(function="relu6"), [(1, 2)], (1, 2)),
        (Activation(function="leaky_relu"), [(1, 9)], (1, 9)),
        (Activation(function="elu"), [(-1, 9)], ANY),
        (Activation(function="sigmoid"), [ANY], (0, 1)),
        (ZeroPad2D(top=1, bottom=0, left=0, right=0), [(1, 2)], (0, 2)),
        (ZeroPad2D(top=1, bottom=0, left=0, right=0), [(-2, -1)], (-2, 0)),
        (Add(), [(-1, 9), (2, 3)], (1, 12)),
        (LocalResponseNormalization(size=3, offset=1, alpha=1, beta=1), [(0, 1)], (0, math.inf)),
    ],
    ids=str,
)
def test_ranges_by_hand(layer, inputs, expected):
    assert layer.output_range(*inputs) == expected


def seen_channels(layer, shapes, place, channel):
    """The output channels that one channel of one input can change."""
    width, pixels = shapes[place][-1], math.prod(shapes[place][:-1])
    match layer.channels:
        case Mixed(groups=groups):
            step = layer.output_shape(*shapes)[-1] // groups
            group = channel * groups // width
            return set(range(group * step, (group + 1) * step))
        case Channels.JOINED:
            return {sum(shape[-1] for shape in shapes[:place]) + channel}
        case Channels.FLATTENED:
            return {pixel * width + channel for pixel in range(pixels)}
        case Channels.COMPARED:
            return None
        case Channels.ALONE if place > 0:
            # It says where, for all channels.
            return set(range(layer.output_shape(*shapes)[-1]))
    return {channel}


@every_example
def test_channels_depend_on_each_other_as_the_layer_says(layer, shapes):
    model, arrays = keras_model(layer, shapes), drawn(shapes, (0.1, 1))
    before = applied(model, arrays)
    for place, shape in enumerate(shapes):
        for channel in range(shape[-1]):
            others = [array.copy() for array in arrays]
            others[place][..., channel] += np.random.default_rng(1).uniform(0.5, 1, shape[:-1])
            changed = np.flatnonzero((applied(model, others) != before).reshape(-1, before.shape[-1]).any(axis=0))
            expected = seen_channels(layer, shapes, place, channel)
            # A further input may be passed on channel by channel.
            assert set(changed) == expected if expected is not None else len(changed) > (place == 0)


@every_example
def test_weights_are_those_of_the_layers_way_with_channels(layer, shapes):
    model, channels = keras_model(layer, shapes), shapes[0][-1]
    found = {variable.name: tuple(variable.shape) for variable in model.weights}
    bias = {"bias"} & found.keys()
    match layer.channels:
        case Mixed(groups=groups, transposed=transposed):
            assert found.keys() == {"kernel"} | bias
            ends = (channels // groups, model.output_shape[-1])
            assert found["kernel"][-2:] == (ends[::-1] if transposed else ends)
        case Channels.FILTERED:
            assert found.keys() == {"kernel"} | bias
            assert found["kernel"][2:] == (channels, 1)
        case Normalized(epsilon=epsilon):
            assert found == dict.fromkeys(["gamma", "beta", "moving_mean", "moving_variance"], (channels,))
            assert model.layers[-1].epsilon == epsilon
        case _:
            assert not found
    if layer.channels is Channels.ALONE:
        # One function for all channels.
        arrays, order = drawn(shapes, (-1, 1)), np.roll(np.arange(channels), 1)
        moved = applied(model, [arrays[0][..., order], *arrays[1:]])
        np.testing.assert_array_equal(moved, applied(model, arrays)[..., order])


def seen_pixels(view, shape, output, place):
    """The output pixels that see a pixel of the input."""
    axes = []
    for axis in (0, 1):
        match view:
            case Window():
                size, stride = view.size[axis], view.stride[axis]
                first = padded(shape[axis], size, stride, view.padding)[0]
                spans = [(i * stride - first, i * stride - first + size) for i in range(output[axis])]
            case Scattered(window=window):
                size, stride = window.size[axis], window.stride[axis]
                first = place[axis] * stride - (size - stride) // 2
                axes.append([i for i in range(output[axis]) if first <= i < first + size])
                continue
            case Stretch():
                places = (np.arange(output[axis]) + 0.5) * shape[axis] / output[axis] - 0.5
                places = places.clip(0, shape[axis] - 1)
                axes.append([i for i, at in enumerate(places) if abs(at - place[axis]) < 1])
                continue
            case Bins():
                spans = view.edges(shape[axis])
        axes.append([i for i, (start, stop) in enumerate(spans) if start <= place[axis] < stop])
    return set(itertools.product(*axes))


@every_example
def test_an_output_sees_what_the_layer_says(layer, shapes):
    output = layer.output_shape(*shapes)
    if isinstance(layer, (AnchorBoxes, Proposals, RegionPool)):
        # A list of places, each of which may be anywhere.
        assert layer.view is Sight.EVERYTHING
        return
    if layer.view is Sight.EVERYTHING or len(output) == 1:
        assert len(output) == 1
        return
    model, arrays = keras_model(layer, shapes), drawn(shapes, (0.1, 1))
    before = applied(model, arrays)
    for place in itertools.product(*map(range, shapes[0][:2])):
        others = [array.copy() for array in arrays]
        others[0][:, place[0], place[1]] += 2
        changed = {tuple(at) for at in np.argwhere((applied(model, others) != before).any(axis=(0, 3)))}
        if layer.view is Sight.PIXEL:
            assert len(changed) == 1
        else:
            assert changed == seen_pixels(layer.view, shapes[0], output, place)
