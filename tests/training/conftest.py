"""A small network and the digits as arrays: seconds, not minutes, and no TFDS."""

import pytest

from nas.architecture import Architecture
from nas.architecture.blocks import Conv, GlobalPoolHead, Pool
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
