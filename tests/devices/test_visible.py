"""The environment in which a worker starts says what it may see."""

import pytest

from nas.devices.visible import VisibleDevices


@pytest.fixture(autouse=True)
def clean(monkeypatch, tmp_path):
    for name in ("XLA_FLAGS", "JAX_COMPILATION_CACHE_DIR", "JAX_COMPILATION_CACHE_MAX_SIZE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))


def test_on_the_cpu_every_gpu_is_hidden():
    assert VisibleDevices(kind="cpu").environment() == {"KERAS_BACKEND": "tensorflow", "CUDA_VISIBLE_DEVICES": ""}


def test_a_gpu_worker_sees_its_own():
    environment = VisibleDevices(kind="gpu", visible=("2", "GPU-8f1")).environment()
    assert environment == {"KERAS_BACKEND": "tensorflow", "CUDA_VISIBLE_DEVICES": "2,GPU-8f1"}


def test_a_tpu_worker_sees_its_chip_runs_keras_on_jax_and_does_not_go_on_without_a_tpu(tmp_path):
    environment = VisibleDevices(kind="tpu", visible=("3",), runtime="jax").environment()
    assert environment == {
        "KERAS_BACKEND": "jax",
        "CUDA_VISIBLE_DEVICES": "",
        "JAX_PLATFORMS": "tpu,cpu",
        "JAX_COMPILATION_CACHE_DIR": str(tmp_path / "nas" / "jax"),
        "JAX_COMPILATION_CACHE_MAX_SIZE": str(2**30),
        "TPU_VISIBLE_CHIPS": "3",
        "TPU_CHIPS_PER_PROCESS_BOUNDS": "1,1,1",
        "TPU_PROCESS_BOUNDS": "1,1,1",
    }


def test_two_chips_lie_beside_each_other_and_a_whole_tpu_is_as_it_is():
    assert (
        VisibleDevices(kind="tpu", visible=("2", "3"), runtime="jax").environment()["TPU_CHIPS_PER_PROCESS_BOUNDS"]
        == "1,2,1"
    )
    assert not any(name.startswith("TPU") for name in VisibleDevices(kind="tpu", runtime="jax").environment())


def test_virtual_devices_come_to_what_the_user_says_of_xla(monkeypatch):
    place = VisibleDevices(kind="jax-cpu", visible=("0", "1"), runtime="jax")
    assert place.environment()["XLA_FLAGS"] == "--xla_force_host_platform_device_count=2"
    monkeypatch.setenv("XLA_FLAGS", "--xla_dump_to=x")
    assert place.environment()["XLA_FLAGS"] == "--xla_dump_to=x --xla_force_host_platform_device_count=2"


def test_the_users_cache_is_used(monkeypatch):
    monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", "/elsewhere")
    assert VisibleDevices(kind="tpu", runtime="jax").environment()["JAX_COMPILATION_CACHE_DIR"] == "/elsewhere"


def test_tensorflow_may_have_the_tpu():
    assert VisibleDevices(kind="tpu").environment() == {"KERAS_BACKEND": "tensorflow", "CUDA_VISIBLE_DEVICES": ""}
