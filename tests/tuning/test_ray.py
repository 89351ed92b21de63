"""Searches on a Ray cluster: nodes come and go, the journal is the same; a cluster that cannot serve is refused."""

import os
import re
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


@pytest.fixture
def no_ray(monkeypatch, tmp_path):
    """Ray that never starts, and a home without a token; gives what happens in place of starting."""
    monkeypatch.setenv("RAY_AUTH_MODE", "token")  # before the import: Ray reads its settings once
    import ray

    class Start:
        def __call__(self, *arguments, **options):
            return self.action()

        action = staticmethod(lambda: None)

    start = Start()
    monkeypatch.setattr(ray, "init", start)
    monkeypatch.setattr(ray, "shutdown", lambda: None)
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"):
        monkeypatch.delenv(name, raising=False)
    return start


def test_the_token_is_nobody_elses_before_ray_starts(no_ray, tmp_path):
    token = tmp_path / ".ray" / "auth_token"
    seen = []
    no_ray.action = lambda: seen.append((token.stat().st_mode & 0o777, token.read_text()))
    with connected(None, cores=1):
        pass
    with connected(None, cores=1):  # the same again
        pass
    assert seen[0] == seen[1]
    assert seen[0][0] == 0o600
    assert re.fullmatch("[0-9a-f]{64}", seen[0][1])
    assert os.listdir(token.parent) == ["auth_token"]
    token.chmod(0o644)
    with connected(None, cores=1):
        assert token.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    "variables", [{"RAY_AUTH_TOKEN": "x"}, {"RAY_AUTH_TOKEN_PATH": "/x"}, {"RAY_AUTH_MODE": "disabled"}], ids=str
)
def test_no_token_is_made_where_the_user_has_one_or_wants_none(no_ray, tmp_path, monkeypatch, variables):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with connected(None, cores=1):
        assert not (tmp_path / ".ray").exists()


@pytest.mark.parametrize(
    ("error", "said"),
    [(Exception("The current node timed out\nduring startup"), "The current node timed out"), (OSError(), "OSError")],
    ids=str,
)
def test_whatever_ray_raises_when_it_starts_is_one_line(no_ray, error, said):
    def fail():
        raise error

    no_ray.action = fail
    with (
        pytest.raises(NasError, match=rf"^cannot start a Ray cluster on this machine: {said}; Ray's logs are in .*$"),
        connected(None, cores=1),
    ):
        pass


def test_a_cluster_that_breaks_down_is_one_line(no_ray):
    from ray.exceptions import RaySystemError

    with (
        pytest.raises(NasError, match=r"^the Ray cluster broke down: System error: gone; everything that finished is"),
        connected(None, cores=1),
    ):
        raise RaySystemError("gone\nand more")


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
