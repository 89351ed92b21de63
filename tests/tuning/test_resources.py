"""How many trials run at once, on what, and on which data."""

import pytest

from nas.config import DatasetConfig
from nas.datasets import load
from nas.errors import NasError
from nas.training.place import Place
from nas.tuning.resources import Allocation, allocate
from nas.tuning.shared_data import read_shared, write_shared

GIB = 2**30
CPU = Place(kind="cpu")


@pytest.fixture(scope="module")
def data():
    return load(DatasetConfig(name="digits"))


@pytest.fixture(scope="module")
def shared(data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("shared")
    write_shared(data, folder)
    return folder


def test_shared_data_are_the_same_data(data, shared):
    mapped = read_shared(shared)
    assert mapped.info == data.info
    for name in ("train", "validation", "test"):
        assert (getattr(mapped, name).images == getattr(data, name).images).all()
        assert (getattr(mapped, name).labels == getattr(data, name).labels).all()


def gpu(name):
    return Place(kind="gpu", visible=(name,))


@pytest.mark.parametrize(
    ("wanted", "places", "cores", "memory", "trials", "expected"),
    [
        ("auto", (CPU,), 4, 64 * GIB, 20, Allocation(places=(CPU,) * 4, threads=1)),
        ("auto", (CPU,), 4, 2 * GIB, 20, Allocation(places=(CPU,) * 2, threads=2)),
        ("auto", (CPU,), 4, 64 * GIB, 3, Allocation(places=(CPU,) * 3, threads=1)),
        ("auto", (CPU,), 4, 0, 20, Allocation(places=(CPU,), threads=4)),
        (2, (CPU,), 8, 64 * GIB, 20, Allocation(places=(CPU,) * 2, threads=4)),
        (8, (CPU,), 2, 64 * GIB, 20, Allocation(places=(CPU,) * 8, threads=1)),
        ("auto", (gpu("0"), gpu("1")), 4, 64 * GIB, 20, Allocation(places=(gpu("0"), gpu("1")))),
        ("auto", (gpu("0"), gpu("1")), 4, 64 * GIB, 1, Allocation(places=(gpu("0"),))),
        (1, (gpu("3"), gpu("5")), 4, 64 * GIB, 20, Allocation(places=(gpu("3"),))),
    ],
)
def test_allocation(wanted, places, cores, memory, trials, expected):
    assert allocate(wanted, places=places, cores=cores, free_bytes=memory, trials=trials) == expected


def test_more_workers_than_gpus_are_refused():
    with pytest.raises(NasError, match=r"each worker has GPUs.* at most 1 workers on this machine .*; received 2"):
        allocate(2, places=(gpu("0"),), cores=4, free_bytes=GIB, trials=5)
