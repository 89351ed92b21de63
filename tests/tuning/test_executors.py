"""How many trials run at once, on what, and on which data."""

import errno
import shutil
from dataclasses import replace

import numpy as np
import pytest

from nas.config import DatasetConfig, load_experiment
from nas.datasets import Split, in_forms, load
from nas.devices.visible import VisibleDevices
from nas.errors import NasError
from nas.files.shipped import find_experiment
from nas.training import compiled
from nas.tuning import Plan, SearchFolder, run
from nas.tuning.executors import Allocation, _copied_bytes, _load, allocate, check_workers
from nas.tuning.shared_data import read_shared, write_shared

GIB = 2**30
CPU = VisibleDevices(kind="cpu")


@pytest.fixture(scope="module")
def data():
    return load(DatasetConfig(name="digits"))


@pytest.fixture(scope="module")
def shared(data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("shared")
    (folder / "left-by-a-killed-search.npy").touch()
    write_shared(in_forms(data, [(8, 8, 1), (4, 4, 1)]), folder)
    return folder


def test_shared_data_are_the_same_data(data, shared):
    assert {folder.name: len(list(folder.iterdir())) for folder in shared.iterdir()} == {"8x8x1": 7, "4x4x1": 7}
    forms = read_shared(shared)
    assert forms[4, 4, 1].train.images.shape == (1150, 4, 4, 1)
    mapped = forms[8, 8, 1]
    assert mapped.info == data.info
    for name in ("train", "validation", "test"):
        assert (getattr(mapped, name).images == getattr(data, name).images).all()
        assert (getattr(mapped, name).targets == getattr(data, name).targets).all()


def test_a_worker_copies_what_it_trains_on_and_twice_what_it_streams(data, monkeypatch):
    size = data.train.nbytes + data.validation.nbytes
    assert _copied_bytes(data, CPU) == size > 0
    assert _copied_bytes(data, VisibleDevices(kind="jax-cpu")) == 2 * size
    monkeypatch.setattr(compiled, "LARGEST_DATA_BYTES", size - 1)
    assert _copied_bytes(data, CPU) == 2 * size


def gpu(name):
    return VisibleDevices(kind="gpu", visible=(name,))


@pytest.mark.parametrize(
    ("wanted", "dealt", "cores", "memory", "data_bytes", "trials", "expected"),
    [
        ("auto", (CPU,), 4, 64 * GIB, 0, 20, Allocation(devices=(CPU,) * 4, threads=1)),
        ("auto", (CPU,), 4, 2 * GIB, 0, 20, Allocation(devices=(CPU,) * 2, threads=2)),
        ("auto", (CPU,), 4, 7 * GIB, GIB, 20, Allocation(devices=(CPU,) * 3, threads=1)),
        ("auto", (CPU,), 4, 64 * GIB, 0, 3, Allocation(devices=(CPU,) * 3, threads=1)),
        ("auto", (CPU,), 4, 0, 0, 20, Allocation(devices=(CPU,), threads=4)),
        (2, (CPU,), 8, 64 * GIB, 0, 20, Allocation(devices=(CPU,) * 2, threads=4)),
        (8, (CPU,), 2, 64 * GIB, 0, 20, Allocation(devices=(CPU,) * 8, threads=1)),
        (4, (CPU,), 8, 64 * GIB, 0, 2, Allocation(devices=(CPU,) * 2, threads=2)),
        (2, (gpu("3"), gpu("5")), 4, 64 * GIB, 0, 1, Allocation(devices=(gpu("3"),))),
        ("auto", (gpu("0"), gpu("1")), 4, 64 * GIB, 0, 20, Allocation(devices=(gpu("0"), gpu("1")))),
        ("auto", (gpu("0"), gpu("1")), 4, 64 * GIB, 0, 1, Allocation(devices=(gpu("0"),))),
        (1, (gpu("3"), gpu("5")), 4, 64 * GIB, 0, 20, Allocation(devices=(gpu("3"),))),
    ],
)
def test_allocation(wanted, dealt, cores, memory, data_bytes, trials, expected):
    told = {"dealt": dealt, "cores": cores, "free_bytes": memory, "data_bytes": data_bytes, "trials": trials}
    assert allocate(wanted, **told, measures=False) == expected
    # Latencies compare, however many workers there are room for today.
    threads = 1 if wanted == "auto" and dealt == (CPU,) else expected.threads
    assert allocate(wanted, **told, measures=True) == replace(expected, threads=threads)


def test_more_workers_than_gpus_are_refused():
    with pytest.raises(NasError, match=r"each worker has GPUs.* at most 1 workers on this machine .*; received 2"):
        check_workers(2, (gpu("0"),))
    check_workers(2, (gpu("0"), gpu("1")))
    check_workers(2, (CPU,))
    check_workers("auto", (gpu("0"),))


class Full:
    """A disk with room for the first file alone."""

    def __init__(self, save):
        self.save, self.files = save, 0

    def __call__(self, path, array):
        self.files += 1
        if self.files > 1:
            raise OSError(errno.ENOSPC, "No space left on device")
        self.save(path, array)


def test_a_disk_that_is_full_of_data_stops_a_search_that_can_go_on(finished_search, tmp_path, monkeypatch):
    shutil.copytree(finished_search.folder.runs_dir, tmp_path, dirs_exist_ok=True)
    folder = SearchFolder(tmp_path, "digits")
    left = folder.path / ".data"
    journal = folder.journal.path.read_bytes()

    def go_on():
        settings = {"space": "tiny", "strategy": "random", "budget.max_parameters": 3000, "trials": 4}
        settings |= {"training.epochs": 2, "final.seeds": 0, "workers": 1}
        return run(Plan.of(load_experiment(find_experiment("digits"), settings)), runs_dir=tmp_path)

    with monkeypatch.context() as patch:
        patch.setattr(np, "save", Full(np.save))
        with pytest.raises(NasError) as caught:
            go_on()
    assert str(caught.value) == (
        f"cannot share the data set with the worker processes: {left} does not take its 1 MB (No space left on "
        f"device); everything that finished is kept; free space or make the folder writable, then run the same command "
        f"again"
    )
    assert not left.exists()
    assert folder.journal.path.read_bytes() == journal
    assert [trial.completed for trial in go_on().trials] == [True] * 4
    assert not left.exists()


def test_a_search_goes_on_with_the_same_data_alone(data, tmp_path):
    experiment = load_experiment(find_experiment("digits"))
    folder = SearchFolder(tmp_path, "digits")
    plan = Plan.of(experiment)
    folder.create(experiment, plan.space_text, plan.facts())
    _load(experiment, folder, None)
    assert folder.facts().data == {name: split.digest for name, split in data.splits.items()}
    pixels = data.train.images.copy()
    pixels[700, 3, 3] ^= 255
    turned = data.test.take(np.arange(len(data.test))[::-1])
    other = replace(data, train=Split(images=pixels, targets=data.train.targets), test=turned)
    with pytest.raises(NasError) as told:
        folder.check_data(other)
    assert str(told.value) == (
        "the search 'digits' was started with other train and test images of digits: some were changed, added, "
        "removed, renamed or given other targets; restore them, give another --name, or --fresh to start over"
    )


@pytest.mark.parametrize("same", [True, False])
def test_a_search_of_an_earlier_version_knows_its_targets(data, tmp_path, same):
    experiment = load_experiment(find_experiment("digits"))
    folder = SearchFolder(tmp_path, "digits")
    plan = Plan.of(experiment)
    digest = "b666d9641425a2409885f51f41285ee88ea51bf6a0aeafaa1ed67fc5e10f57a2" if same else "0" * 64
    folder.create(experiment, plan.space_text, plan.facts().model_copy(update={"labels_digest": digest}))
    if same:
        _load(experiment, folder, None)
        assert folder.facts().data.keys() == data.splits.keys()
    else:
        with pytest.raises(NasError, match="was started with other train, validation or test images of digits"):
            _load(experiment, folder, None)
