import os
import subprocess
import sys
import textwrap

import numpy as np
import pytest

from nas.architecture import Architecture
from nas.architecture.blocks import Conv, GlobalPoolHead
from nas.devices import import_tensorflow
from nas.export import export
from nas.training import answers_of, rebuild

IMAGES = np.random.default_rng(1).integers(0, 256, (5, 8, 6, 1), np.uint8)


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    import_tensorflow()
    network = Architecture(input_shape=(8, 6, 1), blocks=(Conv(filters=4), GlobalPoolHead(classes=3)))
    weights = network.build().get_weights()
    report = export(
        network,
        weights,
        labels="abc",
        to=tmp_path_factory.mktemp("export") / "model",
        check_images=IMAGES,
    )
    return report, answers_of(network, rebuild(network, weights), IMAGES)


def test_both_endpoints_take_uint8_images_and_name_their_output(exported):
    import tensorflow as tf

    report, expected = exported
    loaded = tf.saved_model.load(str(report.path))
    signature = loaded.signatures["serving_default"]

    assert signature.structured_input_signature[1]["image"].dtype == tf.uint8
    assert signature.structured_input_signature[1]["image"].shape.as_list() == [None, 8, 6, 1]
    for answer in (loaded.serve(IMAGES), signature(image=tf.constant(IMAGES))):
        assert list(answer) == ["probabilities"]
        np.testing.assert_allclose(answer["probabilities"], expected, atol=1e-6)


def test_floats_have_a_signature_of_their_own(exported):
    import tensorflow as tf

    report, expected = exported
    floats = tf.saved_model.load(str(report.path))
    signature = floats.signatures["float_0_to_1"]
    scaled = (IMAGES / 255).astype("float32")
    np.testing.assert_allclose(signature(image_0_to_1=tf.constant(scaled))["probabilities"], expected, atol=1e-6)
    for wrong in (IMAGES.astype("float32"), scaled * np.float32("nan"), scaled - 1):
        with pytest.raises(tf.errors.InvalidArgumentError, match=r"must lie in \[0, 1\]; pass uint8 images"):
            signature(image_0_to_1=tf.constant(wrong))


@pytest.mark.parametrize(("name", "argument"), [("serving_default", "image"), ("float_0_to_1", "image_0_to_1")])
def test_images_of_another_shape_or_type_are_refused(name, argument, exported):
    import tensorflow as tf

    loaded = tf.saved_model.load(str(exported[0].path))
    right, other = (tf.uint8, tf.float32) if name == "serving_default" else (tf.float32, tf.uint8)
    call = loaded.signatures[name]
    for shape in ((1, 10, 10, 1), (2, 6, 8, 1), (1, 8, 6, 3)):
        with pytest.raises(tf.errors.InvalidArgumentError, match=r"must be .* of 8x6x1; received the shape"):
            call(**{argument: tf.zeros(shape, right)})
    with pytest.raises(tf.errors.InvalidArgumentError):
        call(**{argument: tf.zeros((8, 6, 1), right)})
    with pytest.raises(tf.errors.InvalidArgumentError, match="was expected to be a"):
        call(**{argument: tf.zeros((1, 8, 6, 1), other)})


def test_a_session_loads_it_as_tensorflow_serving_does(exported):
    import tensorflow as tf

    report, expected = exported
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        graph = tf.compat.v1.saved_model.load(session, ["serve"], str(report.path))
        for name, images in (("serving_default", IMAGES), ("float_0_to_1", IMAGES / 255)):
            signature = graph.signature_def[name]
            (placeholder,), output = signature.inputs.values(), signature.outputs["probabilities"]
            answers = session.run(output.name, {placeholder.name: images})
            np.testing.assert_allclose(answers, expected, atol=1e-6)


def test_a_program_without_nas_can_use_it(exported, tmp_path):
    report, expected = exported
    np.save(tmp_path / "images.npy", IMAGES)
    code = f"""
        import sys
        import numpy as np, tensorflow as tf
        serve = tf.saved_model.load({str(report.path)!r})
        p = serve.serve(tf.constant(np.load("images.npy")))["probabilities"]
        np.save("answer.npy", p)
        print("nas" in sys.modules)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        cwd=tmp_path,
        env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"},
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    assert done.stdout.strip() == "False"
    np.testing.assert_allclose(np.load(tmp_path / "answer.npy"), expected, atol=1e-6)
