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
