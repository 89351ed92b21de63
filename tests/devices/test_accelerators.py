"""GPUs and TPU chips, faked, are dealt to workers; what cannot work is refused with a sentence."""

import pytest

from nas.config import load_experiment
from nas.devices import accelerators, nvidia, probe_process
from nas.devices.accelerators import Accelerators, deal, find_accelerators
from nas.devices.visible import VisibleDevices
from nas.errors import NasError
from nas.files.shipped import find_experiment
from nas.files.yaml_file import FileError
from nas.tuning import Plan
from nas.tuning.executors import allocate
from nas.tuning.ray_cluster import share

GIB = 2**30
CARDS = Accelerators(kind="gpu", names=("0", "1", "GPU-8f1"), memory_bytes=16 * GIB)
CHIPS = Accelerators(kind="tpu", names=("0", "1", "2", "3"), runtime="jax")


def experiment(**overrides):
    return load_experiment(find_experiment("digits"), overrides)


def seen(dealt):
    return [devices.visible for devices in dealt]


def test_a_trial_has_a_gpu():
    dealt = deal(CARDS, per_trial=1, trials_per_gpu=1)
    assert dealt == tuple(VisibleDevices(kind="gpu", visible=(name,)) for name in CARDS.names)


def test_a_trial_has_several_gpus_and_one_that_is_left_over_rests():
    assert seen(deal(CARDS, per_trial=2, trials_per_gpu=1)) == [("0", "1")]


def test_several_trials_share_a_gpu_and_its_memory():
    dealt = deal(CARDS, per_trial=1, trials_per_gpu=2)
    assert seen(dealt) == [("0",), ("1",), ("GPU-8f1",)] * 2  # three workers have a GPU each
    assert {devices.memory_bytes for devices in dealt} == {8 * GIB - 768 * 2**20}
    told = {"cores": 1, "free_bytes": 0, "data_bytes": 0, "trials": 9, "measures": False}
    assert len(allocate("auto", dealt=dealt, **told).devices) == 6


def test_a_trial_has_a_chip_or_two_or_all():
    assert seen(deal(CHIPS, per_trial=1, trials_per_gpu=1)) == [("0",), ("1",), ("2",), ("3",)]
    assert seen(deal(CHIPS, per_trial=2, trials_per_gpu=1)) == [("0", "1"), ("2", "3")]
    assert deal(CHIPS, per_trial=4, trials_per_gpu=1) == (VisibleDevices(kind="tpu", runtime="jax"),)


def test_tensorflow_takes_the_whole_tpu():
    found = Accelerators(kind="tpu", names=("0",))
    assert deal(found, per_trial=1, trials_per_gpu=1) == (VisibleDevices(kind="tpu"),)


def test_virtual_devices_are_as_many_as_a_trial_takes():
    (devices,) = deal(Accelerators(kind="jax-cpu", runtime="jax"), per_trial=2, trials_per_gpu=1)
    assert devices == VisibleDevices(kind="jax-cpu", visible=("0", "1"), runtime="jax")


@pytest.mark.parametrize(
    ("found", "per_trial", "trials_per_gpu", "sentence"),
    [
        (CARDS, 4, 1, "gpus_per_trial must be at most the 3 GPUs of this machine; received 4; use 3"),
        (CHIPS, 8, 1, "gpus_per_trial must be at most the 4 TPU chips of this machine; received 8; use 4"),
        (CHIPS, 3, 1, "gpus_per_trial must be 1, 2 or all 4 TPU chips of this machine; received 3; use 2"),
        (
            CARDS,
            1,
            16,
            "trials_per_gpu must be at most 12 on a GPU of 16,384 MiB, as each trial needs 1,280 MiB; received 16; let "
            "fewer trials share it",
        ),
        (
            Accelerators(kind="gpu", names=("0",)),
            1,
            2,
            "trials_per_gpu must be 1 where nvidia-smi does not tell the GPU's memory; received 2; use 1",
        ),
    ],
)
def test_what_the_machine_does_not_have_is_refused(found, per_trial, trials_per_gpu, sentence):
    with pytest.raises(NasError) as error:
        deal(found, per_trial=per_trial, trials_per_gpu=trials_per_gpu)
    assert str(error.value) == sentence


REFUSED = {
    "uneven batch": (
        {"device": "gpu", "gpus_per_trial": 3},
        "training.batch_size must be a multiple of the 3 devices of a trial, which have equal shares of a batch; "
        "received 32; use 33",
    ),
    "float16 on a TPU": (
        {"device": "tpu", "training.precision": "mixed_float16"},
        "training.precision: a TPU multiplies bfloat16, not float16; received mixed_float16; use mixed_bfloat16",
    ),
    "JAX in this process": (
        {"device": "jax-cpu", "workers": 0},
        "workers: device 'jax-cpu' trains in worker processes, since Keras runs on JAX there and on TensorFlow here; "
        "received 0; use 1 or auto",
    ),
    "no JAX": (
        {"device": "jax-cpu"},
        "device: 'jax-cpu' needs JAX, which is not installed; pip install 'keras-nas[tpu]'",
    ),
}


@pytest.mark.parametrize(("settings", "sentence"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_work_is_refused_before_anything_starts(settings, sentence, monkeypatch):
    monkeypatch.setattr(accelerators, "find_spec", lambda name: None if "not installed" in sentence else name)
    with pytest.raises(NasError) as error:
        Plan.of(experiment(**settings))
    assert str(error.value) == sentence


def test_settings_of_accelerators_do_not_matter_on_the_cpu():
    Plan.of(experiment(device="cpu", gpus_per_trial=3))


def test_gpus_are_shared_one_way():
    with pytest.raises(FileError, match=r"gpus_per_trial or trials_per_gpu must be 1; received 2 and 3"):
        experiment(gpus_per_trial=2, trials_per_gpu=3)


@pytest.fixture
def machine(monkeypatch):
    """A machine with as many GPUs, and a TPU of as many chips, as a test says."""
    import tensorflow as tf

    def has(*, gpus=0, chips=0):
        answer = ({"devices": [], "chips": chips}, "") if chips else ({}, "JAX for TPUs is not installed")
        monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind=None: [f"card {i}" for i in range(gpus)])
        monkeypatch.setattr(tf.config, "set_visible_devices", lambda devices, kind: None)
        monkeypatch.setattr(probe_process, "ask_tpu", lambda runtime: answer)
        monkeypatch.setattr(probe_process, "has_tpu_library", lambda: chips > 0)
        monkeypatch.setattr(nvidia, "memory_bytes", lambda: 16 * GIB)
        monkeypatch.setattr(nvidia, "cards", list)

    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    return has


@pytest.mark.parametrize(
    ("device", "gpus", "chips", "kind", "names"),
    [
        ("auto", 0, 0, "cpu", ()),
        ("auto", 2, 4, "gpu", ("0", "1")),
        ("auto", 0, 2, "tpu", ("0", "1")),
        ("tpu", 2, 1, "tpu", ("0",)),
        ("cpu", 2, 4, "cpu", ()),
        ("jax-cpu", 2, 4, "jax-cpu", ()),
    ],
)
def test_what_a_search_uses(machine, device, gpus, chips, kind, names):
    machine(gpus=gpus, chips=chips)
    found = find_accelerators(experiment(device=device))
    assert (found.kind, found.names) == (kind, names)
    assert found.runtime == ("jax" if kind in ("tpu", "jax-cpu") else "tensorflow")


def test_gpus_are_called_as_the_user_calls_them(machine, monkeypatch):
    machine(gpus=2)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3,GPU-8f1")
    assert find_accelerators(experiment(device="gpu")).names == ("3", "GPU-8f1")


@pytest.mark.parametrize(
    ("device", "sentence"),
    [
        (
            "tpu",
            "device 'tpu' needs a TPU, and none is visible: JAX for TPUs is not installed; `nas doctor` says more",
        ),
        (
            "gpu",
            "device 'gpu' needs a GPU that TensorFlow can use, and it finds none: no NVIDIA driver answers "
            "(nvidia-smi); `nas doctor` says more, and 'cpu' works everywhere",
        ),
    ],
)
def test_a_device_that_is_not_there_is_refused(machine, device, sentence):
    machine()
    with pytest.raises(NasError) as error:
        find_accelerators(experiment(device=device))
    assert str(error.value) == sentence


@pytest.mark.parametrize(
    ("nodes", "settings", "need", "slots"),
    [
        ([{"CPU": 8, "GPU": 4}], {"device": "gpu", "gpus_per_trial": 2}, {"CPU": 1, "GPU": 2}, 2),
        ([{"CPU": 80, "GPU": 2}], {"device": "gpu", "trials_per_gpu": 10}, {"CPU": 1, "GPU": 0.1}, 20),
        ([{"CPU": 80, "GPU": 1}], {"device": "gpu", "trials_per_gpu": 7}, {"CPU": 1, "GPU": 0.1428}, 7),
        ([{"CPU": 8, "TPU": 4}, {"CPU": 8}], {"device": "tpu", "gpus_per_trial": 2}, {"CPU": 1, "TPU": 2}, 2),
        ([{"CPU": 3}], {"device": "jax-cpu", "gpus_per_trial": 2}, {"CPU": 1}, 3),
    ],
)
def test_a_ray_cluster_deals_them_out(nodes, settings, need, slots):
    assert share(nodes, workers="auto", trials=99, **settings) == (need, slots)
