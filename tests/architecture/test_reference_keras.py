"""The reference networks against keras.applications: totals, every layer's shape, and the function itself."""

from collections import Counter

import numpy as np
import pytest

from nas.architecture.graph import Node
from nas.architecture.layers import Conv2D
from nas.space import load_space

SAME_AS = {
    "vgg16": "VGG16",
    "vgg19": "VGG19",
    "resnet50": "ResNet50",
    "resnet101": "ResNet101",
    "densenet121": "DenseNet121",
    "densenet169": "DenseNet169",
}
CLASSES = {"MaxPooling2D": "Pool2D", "AveragePooling2D": "Pool2D", "GlobalAveragePooling2D": "GlobalPool2D"}
CLASSES |= {"ZeroPadding2D": "ZeroPad2D"}
WITHOUT_SHAPE_OF_THEIR_OWN = {"InputLayer", "Activation", "Flatten"}  # VGG's activations are inside its convolutions


def reference(name, **options):
    return load_space(f"reference/{name}", **options).only()


@pytest.fixture(scope="module")
def application():
    """A network of keras.applications, built once; zeros for weights, because half a billion random ones take long."""
    import keras

    built = {}

    def zeros(self, shape, dtype=None, **_):
        return keras.ops.zeros(shape, dtype=dtype)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(keras.initializers.GlorotUniform, "__call__", zeros)

        def get(name):
            if name not in built:
                built[name] = getattr(keras.applications, SAME_AS[name])(weights=None)
            return built[name]

        yield get
    built.clear()
    keras.backend.clear_session()


def ours(node: Node):
    kernel = (node.window.size, node.window.stride) if node.window else None
    return type(node.layer).__name__, node.shape, kernel, node.count.trainable, node.count.non_trainable


def theirs(layer):
    size = getattr(layer, "kernel_size", getattr(layer, "pool_size", None))
    kernel = (tuple(size), tuple(layer.strides)) if size else None
    kind = type(layer).__name__
    frozen = sum(weight.shape.num_elements() for weight in layer.non_trainable_weights)
    return CLASSES.get(kind, kind), tuple(layer.output.shape[1:]), kernel, layer.count_params() - frozen, frozen


@pytest.mark.slow
@pytest.mark.parametrize("name", SAME_AS)
def test_totals_and_every_layer_equal_keras_applications(application, name):
    model, architecture = application(name), reference(name)
    assert architecture.count.parameters == model.count_params()
    wanted = [theirs(layer) for layer in model.layers if type(layer).__name__ not in WITHOUT_SHAPE_OF_THEIR_OWN]
    found = [ours(node) for _, node in architecture.nodes()]
    found = [row for row in found if row[0] not in WITHOUT_SHAPE_OF_THEIR_OWN]
    assert Counter(found) == Counter(wanted)
    if not name.startswith("resnet"):  # there Keras lists the projection before the convolutions beside it
        assert found == wanted


@pytest.mark.slow
@pytest.mark.parametrize("name", ["vgg16", "resnet50"])
def test_multiply_adds_agree_with_tensorflows_profiler_within_one_percent(application, name):
    """The profiler counts a multiplication and an addition as two, and also biases, pooling and normalization."""
    import tensorflow as tf
    from tensorflow.python.profiler.model_analyzer import profile
    from tensorflow.python.profiler.option_builder import ProfileOptionBuilder

    model = application(name)
    image = tf.TensorSpec((1, 224, 224, 3))
    graph = tf.function(lambda x: model(x, training=False)).get_concrete_function(image).graph
    options = ProfileOptionBuilder(ProfileOptionBuilder.float_operation()).with_empty_output().build()
    operations = profile(graph, options=options).total_float_ops
    assert reference(name).count.macs == pytest.approx(operations / 2, rel=0.01)


def randomized(model):
    """Weights that let a signal through, so that a wrong connection shows."""
    rng = np.random.default_rng(0)
    values = []
    for variable in model.weights:
        shape, last = tuple(variable.shape), variable.path.split("/")[-1]
        if last == "kernel":
            values.append(rng.normal(0, np.sqrt(2 / np.prod(shape[:-1])), shape))
        else:
            values.append(
                rng.uniform(0.5, 1.5, shape) if last in ("gamma", "moving_variance") else rng.normal(0, 0.1, shape)
            )
    model.set_weights(values)


def transfer(name, source, target):
    """Give our network the weights of Keras', layer by layer."""
    import keras

    def weighted(model):
        return {layer.name: layer for layer in model.layers if layer.weights}

    from_layers, to_layers = weighted(source), weighted(target)
    if name == "resnet50":
        parts = {"reduce": "1", "conv": "2", "expand": "3", "project": "0"}
        blocks = [f"conv{stage}_block{i}" for stage, n in ((2, 3), (3, 4), (4, 6), (5, 3)) for i in range(1, n + 1)]
        pairs = {}
        for layer in to_layers:
            place, kind, *rest = layer.split("_")
            if kind == "residual":
                pairs[layer] = f"{blocks[int(place) - 5]}_{parts[rest[0]]}_{'bn' if rest[1:] else 'conv'}"
        names = iter(name for name in from_layers if "block" not in name)
        pairs |= {layer: next(names) for layer in to_layers if "residual" not in layer}
    else:
        pairs = dict(zip(to_layers, from_layers, strict=True))
    for to, origin in pairs.items():
        to_layers[to].set_weights(from_layers[origin].get_weights())
        if isinstance(to_layers[to], keras.layers.BatchNormalization):
            to_layers[to].epsilon = from_layers[origin].epsilon


@pytest.mark.slow
@pytest.mark.parametrize("name", ["resnet50", "densenet121"])
def test_the_same_function_as_keras_applications_with_the_same_weights(name):
    """Connections, strides and the order of normalization and activation are the same, not only the counts."""
    import keras

    shape = (64, 64, 3)
    source = getattr(keras.applications, SAME_AS[name])(weights=None, input_shape=shape, classes=10)
    target = reference(name, input_shape=shape, classes=10).build()
    randomized(source)
    transfer(name, source, target)
    images = np.random.default_rng(1).uniform(0, 1, (4, *shape)).astype(np.float32)
    # Up to the last layer: behind a softmax little would be left to compare.
    wanted = np.asarray(keras.Model(source.input, source.get_layer("avg_pool").output)(images, training=False))
    vector = next(layer for layer in target.layers if layer.name.endswith("_vector"))
    found = keras.Model(target.input, vector.output)(images, training=False)
    scale = np.abs(wanted).max()
    assert np.ptp(wanted, axis=0).max() > 0.01 * scale  # the images differ in their answers
    np.testing.assert_allclose(found / scale, wanted / scale, atol=1e-4)
    keras.backend.clear_session()


@pytest.mark.parametrize(
    ("name", "size"),
    [("lenet5", 28), ("mnist_small", 28), ("alexnet", 67), ("alexnet_two_gpu", 67), ("googlenet", 32), ("sppnet", 33)],
)
def test_the_small_ones_are_counted_as_keras_counts_them(name, size):
    import keras

    channels = 1 if size == 28 else 3
    architecture = reference(name, input_shape=(size, size, channels), classes=10)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(keras.initializers.GlorotUniform, "__call__", lambda self, shape, **_: keras.ops.zeros(shape))
        model = architecture.build()
    assert model.count_params() == architecture.count.parameters
    assert model.output_shape == (None, 10)
    groups = {node.layer.groups for _, node in architecture.nodes() if isinstance(node.layer, Conv2D)}
    assert groups == ({1, 2} if name == "alexnet_two_gpu" else {1})
    keras.backend.clear_session()


def test_local_response_normalization_is_tensorflows():
    import keras
    import tensorflow as tf

    from nas.architecture.blocks import LocalResponse

    images = np.random.default_rng(0).normal(0, 20, (2, 5, 4, 7)).astype(np.float32)
    block = LocalResponse(size=5, offset=2, alpha=1e-2, beta=0.75)
    x = keras.Input((5, 4, 7))
    model = keras.Model(x, block.build(x, name="b"))
    wanted = tf.nn.local_response_normalization(images, depth_radius=2, bias=2.0, alpha=1e-2, beta=0.75)
    np.testing.assert_allclose(model(images), wanted, rtol=1e-5)


@pytest.mark.parametrize("pool", ["max", "average"])
@pytest.mark.parametrize("size", [(13, 13), (7, 9), (6, 12), (2, 3), (1, 1)])
def test_spatial_pyramid_pooling_is_its_definition(size, pool):
    import keras

    from nas.architecture.blocks import SpatialPyramidHead

    levels = (6, 3, 2, 1)
    images = np.random.default_rng(0).normal(size=(2, *size, 3)).astype(np.float32)
    x = keras.Input((*size, 3))
    head = SpatialPyramidHead(classes=2, levels=levels, pool=pool).build(x, name="b")
    vector = keras.Model(x, keras.Model(x, head).get_layer("b_vector").output)(images)
    reduce = np.max if pool == "max" else np.mean
    bins = []
    for n in levels:
        rows, columns = ([range(i * s // n, -(-(i + 1) * s // n)) for i in range(n)] for s in size)
        bins += [reduce(images[:, r][:, :, c], axis=(1, 2)) for r in rows for c in columns]
    np.testing.assert_allclose(vector, np.concatenate(bins, axis=1), rtol=1e-5, atol=1e-6)


def test_composed_layers_are_read_back_by_plain_keras(tmp_path):
    """A saved network names no class of ours."""
    import keras

    architecture = reference("sppnet", input_shape=(40, 40, 3), classes=3)
    small = type(architecture)(
        input_shape=(12, 12, 3),
        blocks=(architecture.blocks[2], type(architecture.blocks[-1])(classes=3, levels=(3, 2, 1))),
    )
    assert small.kinds == ("lrn", "spp")
    model = small.build()
    model.save(tmp_path / "model.keras")
    images = np.random.default_rng(0).uniform(size=(3, 12, 12, 3)).astype(np.float32)
    loaded = keras.saving.load_model(tmp_path / "model.keras", safe_mode=True)
    np.testing.assert_array_equal(loaded(images), model(images))
    assert "nas" not in {config["module"].split(".")[0] for config in model.get_config()["layers"]}
