"""Searches on a Ray cluster: nodes come and go, the journal is the same; a cluster that cannot serve is refused."""

import json
import os
import signal
from pathlib import Path

import psutil
import pytest

import nas
from nas.errors import NasError
from nas.trial import TrialStatus
from nas.tuning import ray_cluster
from nas.tuning.ray_cluster import connected, require_ray, room, share
from tests.tuning.ray_nodes import on, two_nodes

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


@pytest.fixture
def open_cluster():
    """Two nodes of one core which let in everybody."""
    with two_nodes("disabled") as cluster:
        yield cluster


class Saboteur:
    """Takes a node away while it trains, once the other one has trained, too."""

    def __init__(self, cluster):
        self.cluster, self.removed, self.lost = cluster, False, set()
        self.seen = {node: set() for node in cluster.list_all_nodes()}

    def on_trial_begin(self, record):
        pass

    def on_epoch(self, record, epoch, metrics):
        if self.removed:
            return
        for node, seen in self.seen.items():
            seen |= set(on(node))
        _, victim = self.seen
        if all(self.seen.values()) and on(victim):
            self.removed, self.lost = True, set(on(victim))
            self.cluster.remove_node(victim, allow_graceful=False)

    def on_trial_end(self, record):
        pass


@pytest.mark.slow
def test_a_node_is_lost_and_no_trial_is(open_cluster, tmp_path, monkeypatch, finished_search, caplog):
    def search(*observers):
        return nas.search(
            "digits",
            space="tiny",
            max_parameters=3000,
            strategy="random",
            trials=8,
            epochs=8,
            settings={
                "engine": "ray",
                "ray_address": open_cluster.address,
                "training.batch_size": 8,
                "final.seeds": 0,
                "time_limit": 300,
            },
            runs_dir=tmp_path,
            observers=observers,
        )

    monkeypatch.delenv("RAY_AUTH_MODE", raising=False)
    with pytest.raises(NasError, match=rf"the Ray cluster at {open_cluster.address} asks for no token: whoever .* or "):
        search()
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    saboteur = Saboteur(open_cluster)
    done = search(saboteur)
    assert saboteur.removed
    (lost,) = saboteur.lost
    assert f"trial {lost} runs again on another node" in caplog.text
    assert [trial.status for trial in done.trials] == [TrialStatus.COMPLETED] * 8
    assert {len(trial.curves["loss"]) for trial in done.trials} == {8}
    events = [json.loads(line) for line in done.folder.journal.path.read_text().splitlines()[1:]]
    assert sorted((event["event"], event["trial"]) for event in events) == sorted(
        (event, trial) for event in ("start", "end") for trial in range(8)
    )
    # As the local engine would have proposed them.
    assert [trial.architecture.id for trial in done.trials[:3]] == [t.architecture.id for t in finished_search.trials]
