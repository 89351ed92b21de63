"""A whole search whose workers run Keras on JAX, on two virtual devices: what a TPU would run."""

import numpy as np
import pytest

from nas.config import DatasetConfig, load_experiment
from nas.datasets import load
from nas.files.shipped import find_experiment
from nas.training import answers_of, evaluate, load_weights, rebuild
from nas.tuning import Plan, run


def test_a_search_on_two_virtual_devices_is_exported_and_predicts_as_on_tensorflow(tmp_path, monkeypatch):
    # The compiler's optimizations cost more than they bring here.
    monkeypatch.setenv("XLA_FLAGS", "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true")
    monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", str(tmp_path / "cache"))
    settings = {
        "space": "tiny",
        "strategy": "random",
        "budget.max_parameters": 3000,
        "trials": 2,
        "training.epochs": 1,
        "device": "jax-cpu",
        "gpus_per_trial": 2,
        "workers": 1,
        "inherit": True,
        "final.seeds": 1,
        "final.top": 1,
    }
    search = run(Plan.of(load_experiment(find_experiment("digits"), settings)), runs_dir=tmp_path)

    assert [(trial.reason, trial.parent) for trial in search.trials] == [("", None), ("", 0)]
    assert search.finished
    assert sum(len(point.finals) for point in search.front) == 1
    best = search.best()
    weights = load_weights(search.folder.weights(best.number), best.architecture)
    data = load(DatasetConfig(name="digits"))
    scored = evaluate(best.architecture, weights, data.validation)
    assert scored["score"] == pytest.approx(best.observed, abs=1e-6)
    assert scored["loss"] == pytest.approx(best.metrics["val_loss"], rel=1e-4)

    search.export(tmp_path / "model")
    import tensorflow as tf

    images = data.validation.images[:50]
    exported = tf.saved_model.load(str(tmp_path / "model")).signatures["serving_default"](image=tf.constant(images))
    expected = answers_of(best.architecture, rebuild(best.architecture, weights), images)
    assert np.asarray(exported["probabilities"]) == pytest.approx(expected, abs=1e-5)
    assert list((tmp_path / "cache").iterdir())  # what was compiled is kept
