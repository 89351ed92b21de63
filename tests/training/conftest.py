"""A small network and the digits as arrays: seconds, not minutes, and no TFDS."""

import pytest

from nas.architecture import Architecture
from nas.architecture.blocks import BLOCKS, Conv, GlobalPoolHead, Pool
from nas.config import TrainingConfig
from nas.training import train


def small_network(normalization="batch", filters=12):
    blocks = (
        Conv(filters=filters, normalization=normalization),
        Pool(),
        Conv(filters=2 * filters, normalization=normalization),
        GlobalPoolHead(classes=10),
    )
    return Architecture(input_shape=(8, 8, 1), blocks=blocks)


def dropped_before_normalized(filters=8):
    """What dropout blanks in training changes what the batch normalization behind it sees."""
    head = BLOCKS["fully_convolutional"](classes=10, units=(12, 16), dropout=0.3, normalization="batch")
    return Architecture(input_shape=(8, 8, 1), blocks=(Conv(filters=filters), Pool(), head))


def statistics_by_hand(architecture, weights, split, *, training_size):
    """Means and variances that a chain of layers with these weights sees of the measured images, in Keras' order.

    Layer after layer on each of the batches, without dropout, each normalization by NumPy.
    """
    import numpy as np

    from nas.training import rebuild
    from nas.training.statistics import measured_batches

    seen = []
    for batch in measured_batches(len(split), training_size):
        x, values = split.images[batch].astype(np.float32) / 255, []
        for layer in rebuild(architecture, weights).layers[1:]:
            if not hasattr(layer, "moving_mean"):
                x = np.asarray(layer(x, training=False))
                continue
            mean, variance = x.mean(axis=(0, 1, 2), dtype=np.float64), x.var(axis=(0, 1, 2), dtype=np.float64)
            values += [mean, variance]
            gamma, beta = np.asarray(layer.gamma), np.asarray(layer.beta)
            x = (gamma * (x - mean) / np.sqrt(variance + layer.epsilon) + beta).astype(np.float32)
        seen.append(values)
    return [np.mean(each, axis=0) for each in zip(*seen, strict=True)]


def kept_statistics(architecture, weights):
    """The same as a training has left them in its weights."""
    from nas.training import rebuild

    layers = [layer for layer in rebuild(architecture, weights).layers if hasattr(layer, "moving_mean")]
    return [variable.numpy() for layer in layers for variable in (layer.moving_mean, layer.moving_variance)]


def digits_data(train_images=1_100):
    import numpy as np
    from sklearn.datasets import load_digits

    from nas.datasets import DatasetInfo, DatasetSpec, Split

    bunch = load_digits()
    order = np.random.default_rng(0).permutation(len(bunch.target))
    whole = Split(
        images=np.round(bunch.images * (255 / 16)).astype(np.uint8)[..., None],
        targets=bunch.target.astype(np.int64),
    )
    return DatasetSpec(
        info=DatasetInfo(name="digits", input_shape=(8, 8, 1), labels=tuple("0123456789")),
        train=whole.take(order[:train_images]),
        validation=whole.take(order[1_100:1_401]),
        test=whole.take(order[1_401:]),
    )


@pytest.fixture(scope="session")
def network():
    return small_network()


@pytest.fixture(scope="session")
def data():
    return digits_data()


@pytest.fixture(scope="session")
def quick():
    return TrainingConfig(epochs=5, batch_size=64, learning_rate=1e-2)


@pytest.fixture(scope="session")
def trained(network, data, quick):
    return train(network, data, quick, seed=3)
