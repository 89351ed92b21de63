from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from nas.architecture import Architecture
from nas.architecture.blocks import Conv, Pool, YoloHead
from nas.errors import NasError
from nas.tracking import sync
from nas.tracking.model_registry import _served


@pytest.fixture(scope="module")
def registered(finished_search):
    return [finished_search.register("tiny digits") for _ in range(2)]


@pytest.mark.slow
def test_the_registered_model_predicts_what_the_trained_one_does(finished_search, registered):
    import mlflow

    from nas.datasets import load
    from nas.training import answers_of, load_weights, rebuild

    search, last = finished_search, registered[-1]
    best = search.best()
    run = search.tracking_run()
    mlflow.set_tracking_uri(run.store.uri)
    loaded = mlflow.pyfunc.load_model(last.uri)
    images = load(search.experiment.dataset).validation.images[:20]
    received = np.asarray(loaded.predict(images))
    example = np.asarray(loaded.input_example)
    model = rebuild(best.architecture, load_weights(search.folder.weights(best.number), best.architecture))
    assert np.allclose(received, answers_of(best.architecture, model, images), atol=1e-5)
    assert (example.shape, example.dtype) == ((2, 8, 8, 1), np.uint8)
    assert loaded.metadata.metadata["labels"] == [str(digit) for digit in range(10)]
    assert str(loaded.metadata.signature.inputs.inputs[0].type) == "uint8"
    assert loaded.metadata.signature.outputs.inputs[0].shape == (-1, 10)


def test_the_signature_has_the_shape_of_the_answers_whatever_the_classes_are():
    import keras

    image = keras.Input((8, 8, 1))
    model = keras.Model(image, keras.layers.Conv2D(3, 1, strides=2)(image))
    halved = SimpleNamespace(head=SimpleNamespace(task="classification", answers=lambda outputs: outputs[:, :2]))
    _, signature = _served(halved, model, np.zeros((1, 8, 8, 1), np.uint8))
    assert signature.outputs.inputs[0].shape == (-1, 2, 4, 3)


def test_boxes_are_registered_by_name_and_found_again_in_plain_keras(tmp_path):
    import keras

    architecture = Architecture(input_shape=(12, 12, 1), blocks=(Conv(filters=4), Pool(size=4), YoloHead(classes=2)))
    served, signature = _served(architecture, architecture.build(), np.zeros((1, 12, 12, 1), np.uint8))
    told = {each.name: (each.type, each.shape) for each in signature.outputs.inputs}
    assert told["boxes"] == (np.dtype("float32"), (-1, 32, 4))
    assert told["count"] == (np.dtype("int32"), (-1,))
    served.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    images = np.random.default_rng(0).integers(0, 256, (3, 12, 12, 1), np.uint8)
    for name, value in served(images).items():
        assert np.array_equal(value, again(images)[name]), name


@pytest.mark.slow
def test_the_last_version_is_champion_and_belongs_to_its_trial(finished_search, registered):
    client = finished_search.tracking_run().store.connect()
    assert [model.version for model in registered] == [1, 2]
    assert [model.uri for model in registered] == ["models:/tiny digits/1", "models:/tiny digits/2"]
    version = client.get_model_version_by_alias("tiny digits", "champion")
    assert int(version.version) == 2
    run = client.get_run(version.run_id)
    assert run.data.tags["nas.trial"] == str(finished_search.best().number)
    assert run.data.tags["nas.role"] == "trial"
    best = finished_search.best()
    assert version.tags == {
        "nas.architecture_id": best.architecture.id,
        "nas.parameters": str(best.parameters),
        "nas.val_accuracy": f"{best.score:.6g}",
    }
    assert version.description.endswith(f"{best.parameters:,} parameters, validation accuracy {best.score:.2%}")


@pytest.mark.parametrize("name", ["", " ", "a/b", "a:b"])
def test_a_name_that_is_none_is_refused(finished_search, name):
    with pytest.raises(NasError, match="a registered model's name has no / and no :, and is not empty; received"):
        finished_search.register(name)


def test_a_trial_that_mlflow_does_not_have_says_how_to_add_it(finished_search, tmp_path):
    uri = f"sqlite:///{tmp_path / 'other.db'}"
    with pytest.raises(NasError, match=r"is not in MLflow at .*; add it with: nas sync digits"):
        finished_search.register("tiny", tracking_uri=uri)
    assert sync(finished_search.tracking_run(uri), [], description={}) == 0
