"""How many trials run at once, on what, and on which data."""

import pytest

from nas.config import DatasetConfig
from nas.datasets import load
from nas.errors import NasError
from nas.tuning.resources import Allocation, allocate
from nas.tuning.shared_data import read_shared, write_shared

GIB = 2**30


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


@pytest.mark.parametrize(
    ("wanted", "gpus", "cores", "memory", "trials", "expected"),
    [
        ("auto", (), 4, 64 * GIB, 20, Allocation(slots=4, threads=1)),
        ("auto", (), 4, 2 * GIB, 20, Allocation(slots=2, threads=2)),
        ("auto", (), 4, 64 * GIB, 3, Allocation(slots=3, threads=1)),
        ("auto", (), 4, 0, 20, Allocation(slots=1, threads=4)),
        (2, (), 8, 64 * GIB, 20, Allocation(slots=2, threads=4)),
        (8, (), 2, 64 * GIB, 20, Allocation(slots=8, threads=1)),
        ("auto", ("0", "1"), 4, 64 * GIB, 20, Allocation(slots=2, gpus=("0", "1"))),
        (1, ("3", "5"), 4, 64 * GIB, 20, Allocation(slots=1, gpus=("3",))),
    ],
)
def test_allocation(wanted, gpus, cores, memory, trials, expected):
    assert allocate(wanted, gpus=gpus, cores=cores, free_bytes=memory, trials=trials) == expected


def test_more_workers_than_gpus_are_refused():
    with pytest.raises(NasError, match="at most 1 workers on this machine; received 2"):
        allocate(2, gpus=("0",), cores=4, free_bytes=GIB, trials=5)
