"""A search on two Ray nodes, one of which is lost.

Ray keeps state of earlier clusters in a process: `make test` runs this file in one of its own.
"""

import json

import pytest

import nas
from nas.errors import NasError
from nas.trial import TrialStatus
from tests.tuning.ray_nodes import on, two_nodes


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
