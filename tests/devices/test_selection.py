import json
import subprocess
import sys
import textwrap

import pytest

from nas.devices import nvidia, open_devices, select_devices
from nas.devices.visible import VisibleDevices
from nas.errors import NasError


def python(code, **environment):
    import os

    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        capture_output=True,
        text=True,
        timeout=240,
        check=True,
        env=os.environ | environment,
    )


def test_what_trains_on_jax_is_refused_here_without_starting_tensorflow():
    code = """
        import sys
        from nas.devices import select_devices
        try:
            select_devices("tpu")
        except Exception as error:
            print(type(error).__name__, error)
        print("tensorflow" in sys.modules)
    """
    message, started = python(code).stdout.splitlines()
    assert message.startswith("NasError device 'tpu' trains in worker processes, since Keras runs on JAX there")
    assert started == "False"


def test_an_unknown_device_is_refused():
    with pytest.raises(NasError, match=r"unknown device 'npu'; use 'auto', 'cpu', 'gpu', 'tpu' or 'jax-cpu'$"):
        select_devices("npu")


def test_without_a_gpu_auto_is_the_cpu_and_gpu_is_an_error(monkeypatch):
    import tensorflow as tf

    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind=None: [])
    devices = select_devices("auto")
    assert (devices.kind, devices.names, devices.strategy, devices.replicas) == ("cpu", ("CPU:0",), None, 1)
    monkeypatch.setattr(nvidia, "cards", list)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    sentence = r"device 'gpu' needs a GPU that TensorFlow can use, and it finds none: no NVIDIA driver answers"
    with pytest.raises(NasError, match=sentence):
        select_devices("gpu")


def test_every_gpu_gets_memory_growth_and_several_are_mirrored(monkeypatch):
    import tensorflow as tf

    grown, mirrored, visible = [], [], []
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind=None: ["first", "second"])
    monkeypatch.setattr(tf.config.experimental, "set_memory_growth", lambda gpu, on: grown.append((gpu, on)))
    monkeypatch.setattr(tf.distribute, "MirroredStrategy", lambda devices: mirrored.append(devices) or "strategy")
    monkeypatch.setattr(tf.config, "set_visible_devices", lambda gpus, kind: visible.append(gpus))

    devices = select_devices("auto")

    assert grown == [("first", True), ("second", True)]
    assert mirrored == [["GPU:0", "GPU:1"]]
    assert visible == [["first", "second"]]
    assert (devices.kind, devices.replicas, devices.strategy) == ("gpu", 2, "strategy")


def test_one_gpu_needs_no_strategy_and_the_others_stay_free(monkeypatch):
    import tensorflow as tf

    visible = []
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind=None: ["first", "second"])
    monkeypatch.setattr(tf.config, "set_visible_devices", lambda gpus, kind: visible.append(gpus))
    monkeypatch.setattr(tf.config.experimental, "set_memory_growth", lambda gpu, on: None)
    devices = select_devices("gpu", most=1)
    assert (devices.names, devices.strategy) == (("GPU:0",), None)
    assert visible == [["first"]]


def test_a_process_takes_no_more_of_a_shared_gpu_than_its_share(monkeypatch):
    import tensorflow as tf

    limits = {}
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind=None: ["only"])
    monkeypatch.setattr(tf.config, "set_visible_devices", lambda gpus, kind: None)
    monkeypatch.setattr(tf.config, "set_logical_device_configuration", limits.__setitem__)
    place = VisibleDevices(kind="gpu", visible=("3",), memory_bytes=3 * 2**30)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3")
    assert open_devices(place).names == ("GPU:0",)
    assert [limit.memory_limit for limit in limits["only"]] == [3 * 1024]


def test_two_mirrored_devices_train_like_one():
    """Without batch normalization, whose statistics are each replica's own, the losses are equal.

    Two networks of different sizes, one after the other, as in a search.
    """
    code = """
        import json, sys
        sys.modules |= dict.fromkeys(("jax", "matplotlib", "pandas"))  # what Keras imports if it is there
        from nas.devices.tensorflow_import import import_tensorflow
        import_tensorflow()
        import tensorflow as tf
        cpu = tf.config.list_physical_devices("CPU")[0]
        tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)

        from nas.config import TrainingConfig
        from nas.training import train, evaluate
        from nas.devices.selection import over
        from tests.training.conftest import digits_data, small_network

        data = digits_data(train_images=512)  # in one batch: its order then does not matter
        config = TrainingConfig(epochs=2, batch_size=512, learning_rate=1e-2)
        out = {"validation_images": len(data.validation)}
        two = ("CPU:0", "CPU:1")
        for kind, names in (("none", two[:1]), ("none", two), ("batch", two)):
            network = small_network(normalization=kind, filters=4)
            result = train(network, data, config, seed=0, devices=over("cpu", names))
            scored = evaluate(network, result.weights, data.validation)
            out[f"{kind}{len(names)}"] = {"curves": result.curves, "metrics": result.metrics, "scored": scored}
        print(json.dumps(out))
    """
    done = python(code)
    assert done.stderr == ""
    out = json.loads(done.stdout)
    assert out["validation_images"] % 2 == 1  # so the last batch is ragged
    one, two = out["none1"]["curves"], out["none2"]["curves"]
    for name in one:
        assert two[name] == pytest.approx(one[name], abs=1e-4), name
    for kind in ("none2", "batch2"):
        assert out[kind]["scored"]["score"] == pytest.approx(out[kind]["metrics"]["val_score"])
        assert out[kind]["scored"]["loss"] == pytest.approx(out[kind]["metrics"]["val_loss"], rel=1e-4)


def test_start_up_noise_is_hidden_and_everything_else_is_not():
    code = """
        import os, sys
        sys.modules |= dict.fromkeys(("jax", "matplotlib", "pandas", "sklearn"))  # what Keras imports if it is there
        from nas.devices import tensorflow_import
        real = tensorflow_import._import
        def loud():
            real()
            os.write(2, b"I0000 00:00:1795301414.243937    3794 port.cc:153] oneDNN custom operations are on.\\n")
            os.write(2, b"a real message\\n")
        tensorflow_import._import = loud
        tensorflow_import.import_tensorflow()
        import tensorflow as tf
        tf.config.list_physical_devices()
    """
    assert python(code).stderr == "a real message\n"


def test_a_user_who_asks_for_the_log_gets_it():
    code = """
        import os, sys, types
        # Of Keras, only what it is asked: which backend it has.
        sys.modules["keras"] = types.SimpleNamespace(backend=types.SimpleNamespace(backend=lambda: "tensorflow"))
        from nas.devices import tensorflow_import
        tensorflow_import._import = lambda: os.write(2, b"I0000 00:00:1795301414.243937    3794 port.cc:153] oneDNN\\n")
        tensorflow_import.import_tensorflow()
    """
    assert "port.cc" in python(code, TF_CPP_MIN_LOG_LEVEL="0").stderr


def test_a_backend_that_is_not_there_is_refused_before_it_is_imported():
    code = """
        from nas.devices import select_devices
        try:
            select_devices("cpu")
        except Exception as error:
            print(error)
    """
    told = python(code, KERAS_BACKEND="torch").stdout
    assert told.startswith("Keras must run on its TensorFlow backend, but is configured for 'torch'; unset KERAS_")


def test_a_users_configuration_of_keras_changes_no_network(tmp_path):
    (tmp_path / "keras.json").write_text('{"image_data_format": "channels_first", "floatx": "float16"}')
    code = """
        from nas.architecture import Architecture
        from nas.architecture.blocks import Conv, GlobalPoolHead
        from nas.devices import import_tensorflow
        import_tensorflow()
        blocks = (Conv(filters=4), GlobalPoolHead(classes=10))
        model = Architecture(input_shape=(8, 6, 1), blocks=blocks).build()
        print([layer.output.shape for layer in model.layers if "conv" in layer.name][0], model.outputs[0].dtype)
    """
    assert python(code, KERAS_HOME=str(tmp_path)).stdout == "(None, 8, 6, 4) float32\n"


def test_another_keras_backend_is_refused():
    code = """
        import sys, types
        keras = types.ModuleType("keras")
        keras.backend = types.SimpleNamespace(backend=lambda: "jax")
        sys.modules |= {"keras": keras, "tensorflow": types.ModuleType("tensorflow")}
        from nas.devices import select_devices
        try:
            select_devices("cpu")
        except Exception as error:
            print(error)
    """
    assert python(code).stdout.startswith("Keras must run on its TensorFlow backend, but is configured for 'jax'")
