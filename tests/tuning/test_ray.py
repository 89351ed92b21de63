"""Searches on a Ray cluster: nodes come and go, the journal is the same; a cluster that cannot serve is refused."""

import os
import signal
from pathlib import Path

import psutil
import pytest

import nas
from nas.errors import NasError
from nas.tuning import ray_cluster
from nas.tuning.ray_cluster import connected, require_ray, room, share, trials_a_process
from nas.tuning.workers import TRIALS_A_PROCESS

GPU_NODES = [{"CPU": 8.0, "GPU": 2.0}, {"CPU": 4.0, "GPU": 1.0}, {"CPU": 2.0}]


@pytest.mark.parametrize(
    ("nodes", "device", "workers", "need", "slots"),
    [
        ([{"CPU": 4}, {"CPU": 2}], "auto", "auto", {"CPU": 1}, 6),
        ([{"CPU": 4}, {"CPU": 2}], "cpu", 3, {"CPU": 2}, 3),
        ([{"CPU": 4}, {"CPU": 2}], "cpu", 1, {"CPU": 4}, 1),
        ([{"CPU": 4}, {"CPU": 2}], "cpu", 50, {"CPU": 1}, 50),
        (GPU_NODES, "auto", "auto", {"CPU": 1, "GPU": 1}, 3),
        (GPU_NODES, "gpu", 2, {"CPU": 1, "GPU": 1}, 2),
        (GPU_NODES, "cpu", "auto", {"CPU": 1}, 14),
        ([{"CPU": 8, "TPU": 4}], "tpu", "auto", {"CPU": 1, "TPU": 1}, 4),
        ([{"CPU": 64}], "auto", "auto", {"CPU": 1}, 20),
    ],
)
def test_what_a_trial_gets(nodes, device, workers, need, slots):
    assert share(nodes, device=device, workers=workers, trials=20) == (need, slots)
    assert workers == 50 or room(nodes, need) >= slots


def test_a_process_with_an_accelerator_trains_once():
    assert trials_a_process({"CPU": 2.0}) == TRIALS_A_PROCESS > 1
    assert trials_a_process({"CPU": 1.0, "GPU": 0.5}) == 1
    assert trials_a_process({"CPU": 1.0, "TPU": 4.0}) == 1


def test_what_no_node_has_is_refused_with_the_numbers():
    with pytest.raises(
        NasError,
        match=r"no node of the Ray cluster can ever run a trial, which needs 1 CPU and 1 GPU: there are 2 nodes, with "
        r"2 CPU and 0 GPU; 4 CPU and 0 GPU; add a node that has it, or choose another device",
    ):
        share([{"CPU": 4}, {"CPU": 2}], device="gpu", workers="auto", trials=20)


def test_without_ray_one_sentence_says_so(monkeypatch):
    monkeypatch.setattr(ray_cluster.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(NasError, match=r"needs the package ray, which is not installed: pip install 'keras-nas\[clust"):
        nas.search("digits", settings={"engine": "ray"})
    with pytest.raises(NasError, match="not installed"):
        require_ray()


def test_an_address_where_nothing_is():
    with (
        pytest.raises(NasError, match=r"cannot reach the Ray cluster at 127.0.0.1:9: .*refused; is it running there\?"),
        connected("127.0.0.1:9", cores=1),
    ):
        pass


def descendants():
    return psutil.Process().children(recursive=True)


@pytest.mark.slow
def test_a_cluster_of_its_own_is_private_and_leaves_nothing(monkeypatch):
    monkeypatch.delenv("RAY_AUTH_MODE", raising=False)
    monkeypatch.setenv("RAY_ADDRESS", "192.0.2.1:6379")  # one that must not be joined
    before, handler = set(descendants()), signal.getsignal(signal.SIGTERM)
    with connected(None, cores=2):
        import ray

        started = set(descendants()) - before
        assert started
        assert ray.cluster_resources()["CPU"] == 2
        assert os.environ["RAY_AUTH_MODE"] == "token"
        assert os.environ["RAY_USAGE_STATS_ENABLED"] == "0"
        assert not ray._private.worker.global_worker.node.webui_url
        assert (Path.home() / ".ray" / "auth_token").stat().st_mode & 0o077 == 0
        assert signal.getsignal(signal.SIGTERM) is handler
        with pytest.raises(NasError, match="this process uses a Ray cluster already"), connected(None, cores=1):
            pass
    _, alive = psutil.wait_procs(started, timeout=20)
    assert not alive
