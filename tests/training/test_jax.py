"""Training on Keras' JAX backend, on virtual devices: what a TPU runs but the TPU."""

import json
import os
import subprocess
import sys
import textwrap

import numpy as np
import pytest

from nas.devices.visible import VisibleDevices
from nas.training import evaluate
from tests.training.conftest import digits_data, dropped_before_normalized, kept_statistics, statistics_by_hand

CODE = """
    import json, sys
    from nas.devices import open_devices
    from nas.training import train
    from nas.training.own import Own
    from nas.devices.selection import Devices
    from nas.devices.visible import VisibleDevices
    from nas.config import AugmentationConfig, TrainingConfig
    from tests.training.conftest import digits_data, dropped_before_normalized

    two = open_devices(VisibleDevices(kind="jax-cpu", visible=("0", "1"), runtime="jax"))
    one = Devices(kind="jax-cpu", names=two.names[:1], runtime="jax")
    mixed = AugmentationConfig(mixup=0.4, rotation=5)
    config = TrainingConfig(
        epochs=2, batch_size=64, learning_rate=1e-2, label_smoothing=0.1, class_weights="balanced", augmentation=mixed
    )
    import keras
    out = {"names": two.names}
    training = dropped_before_normalized(filters=4), digits_data(train_images=256), config
    result = train(*training, seed=3, devices=one)
    own = Own.of(metrics=[keras.metrics.SparseCategoricalCrossentropy(name="entropy")])
    out["1"] = {name: list(curve) for name, curve in result.curves.items()}
    left = train(*training, seed=3, devices=two, epochs=1, own=own)
    result = train(*training, seed=3, devices=two, checkpoint=left.checkpoint, own=own)
    out["2"] = {name: list(curve) for name, curve in result.curves.items()}
    out["metrics"] = dict(result.metrics)
    import numpy as np
    np.savez(sys.argv[1], *left.weights, *result.weights)
    print(json.dumps(out))
"""


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    weights = tmp_path_factory.mktemp("jax") / "weights.npz"
    place = VisibleDevices(kind="jax-cpu", visible=("0", "1"), runtime="jax").environment()
    place["XLA_FLAGS"] += " --xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true"
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(CODE), str(weights)],
        capture_output=True,
        text=True,
        timeout=540,
        check=True,
        env=os.environ | place | {"JAX_COMPILATION_CACHE_DIR": str(weights.parent / "cache")},
    )
    with np.load(weights) as file:
        arrays = [file[name] for name in file.files]
    half = len(arrays) // 2
    return json.loads(done.stdout.splitlines()[-1]), arrays[:half], arrays[half:]


def test_two_devices_train_like_one_even_when_left_after_an_epoch(trained):
    """With batch normalization: JAX normalizes by the whole batch, wherever its parts are."""
    out, _, _ = trained
    assert len(out["names"]) == 2
    assert len(out["1"]["loss"]) == 2
    for name, curve in out["1"].items():
        assert out["2"][name] == pytest.approx(curve, abs=1e-4), name
    assert out["2"]["loss"][1] < out["2"]["loss"][0]


def test_metrics_of_a_program_are_told_of_whole_splits_and_of_the_images_own_targets(trained):
    out, _, _ = trained
    assert out["2"]["val_entropy"] == pytest.approx(out["2"]["val_loss"], rel=1e-4)
    assert out["2"]["entropy"] == pytest.approx(out["2"]["loss"], rel=1e-4)


def test_padded_validation_is_exactly_what_tensorflow_says_of_the_same_weights(trained):
    out, _, weights = trained
    data = digits_data()
    assert len(data.validation) % 2 == 1  # so its last batch is padded
    scored = evaluate(dropped_before_normalized(filters=4), weights, data.validation)
    assert scored["score"] == pytest.approx(out["metrics"]["val_score"], abs=1e-6)
    assert scored["loss"] == pytest.approx(out["metrics"]["val_loss"], rel=1e-4)


def test_statistics_are_measured_on_jax_as_on_tensorflow(trained):
    """In mid-training, with dropout before a normalization, on two devices."""
    _, weights, _ = trained
    network = dropped_before_normalized(filters=4)
    measured = statistics_by_hand(network, weights, digits_data(train_images=256).train, training_size=64)
    for ours, by_hand in zip(kept_statistics(network, weights), measured, strict=True):
        np.testing.assert_allclose(ours, by_hand, rtol=1e-3, atol=1e-5)
