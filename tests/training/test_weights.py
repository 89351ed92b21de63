import resource
import signal
import subprocess
import sys
import textwrap

import numpy as np
import pytest

from nas.errors import NasError
from nas.training import load_weights, rebuild, save_weights
from tests.training.conftest import small_network

WEIGHTS = [np.arange(6, dtype=np.float32).reshape(2, 3)] + [np.float32([i]) for i in range(11)]


def test_round_trip_keeps_order_shapes_and_values(network, tmp_path):
    save_weights(tmp_path / "deep" / "17.npz", network, WEIGHTS)
    loaded = load_weights(tmp_path / "deep" / "17.npz", network)

    assert len(loaded) == 12
    for before, after in zip(WEIGHTS, loaded, strict=True):
        np.testing.assert_array_equal(before, after)
    assert [file.name for file in (tmp_path / "deep").iterdir()] == ["17.npz"]


def test_another_architectures_file_is_refused(network, tmp_path):
    save_weights(tmp_path / "w.npz", network, WEIGHTS)
    other = small_network(filters=4)
    with pytest.raises(NasError, match=f"hold the weights of architecture {other.id}; it holds those of {network.id}"):
        load_weights(tmp_path / "w.npz", other)


def test_an_absent_file_is_named(network, tmp_path):
    with pytest.raises(NasError, match=r"there are no weights at .*17\.npz"):
        load_weights(tmp_path / "17.npz", network)


@pytest.mark.parametrize("keep", [0, 10, 400, -30])
def test_a_truncated_file_is_an_error_of_one_line(network, tmp_path, keep):
    path = tmp_path / "w.npz"
    save_weights(path, network, WEIGHTS)
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(NasError, match="must be a weights file of nas; it is damaged or") as error:
        load_weights(path, network)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("kind", ["npy", "pickle", "other npz"])
def test_foreign_files_are_refused_and_never_executed(network, tmp_path, kind):
    path = tmp_path / "w.npz"
    with path.open("wb") as file:
        if kind == "npy":
            np.save(file, WEIGHTS[0])
        elif kind == "pickle":
            np.savez(file, architecture=np.array(network.id), **{"00000": np.array([object()])})
        else:
            np.savez(file, x=WEIGHTS[0])
    with pytest.raises(NasError, match="must be a weights file of nas; it is damaged or"):
        load_weights(path, network)


def test_a_full_disk_is_one_line_and_leaves_the_old_file(network, tmp_path):
    save_weights(tmp_path / "w.npz", network, WEIGHTS)
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    previous = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4_096, limit[1]))  # stands in for a disk that is full
    try:
        with pytest.raises(NasError, match=r"cannot write the weights to .*w\.npz: File too large"):
            save_weights(tmp_path / "w.npz", network, [np.zeros(10_000)])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
        signal.signal(signal.SIGXFSZ, previous)
    assert len(load_weights(tmp_path / "w.npz", network)) == 12
    assert [file.name for file in tmp_path.iterdir()] == ["w.npz"]


def test_weights_of_another_network_do_not_go_into_a_model(network, trained):
    with pytest.raises(NasError, match=r"must be \d+ arrays with [\d,]+ values; received 12 with 17"):
        rebuild(network, WEIGHTS)
    assert rebuild(network, trained.weights).count_params() == network.count.parameters


def test_the_package_imports_without_tensorflow():
    code = """
        import sys, nas.training, nas.export
        print(sorted({"tensorflow", "keras"} & set(sys.modules)))
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
