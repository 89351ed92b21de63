"""A search on three Ray nodes, two of which are lost.

Ray keeps state of earlier clusters in a process: `make test` runs this file in one of its own.
"""

import json
from contextlib import suppress

import psutil
import pytest

import nas
from nas.errors import NasError
from nas.results.trial import TrialStatus
from nas.tuning.observer import Observer
from tests.tuning.ray_nodes import nodes, on, processes

EPOCHS = 16


@pytest.fixture
def open_cluster():
    """Three nodes of one core which let in everybody."""
    with nodes(3, "disabled") as cluster:
        yield cluster


class Saboteur(Observer):
    """Once all nodes have trained, one of them is taken away and one freezes, both in the first half of a trial."""

    def __init__(self, cluster):
        self.cluster, self.lost, self.frozen = cluster, set(), []
        self.seen = {node: set() for node in cluster.list_all_nodes()}
        self.early = set()

    def on_epoch(self, record, epoch, metrics):
        if self.lost:
            return
        # What ended is told a little later, so the last epochs are not waited for.
        self.early = self.early | {record.number} if epoch < EPOCHS // 2 else self.early - {record.number}
        now = {node: set(on(node)) for node in self.seen}
        for node, seen in self.seen.items():
            seen |= now[node]
        _, removed, freezing = self.seen
        lost = now[removed] | now[freezing]
        if all(self.seen.values()) and now[removed] and now[freezing] and lost <= self.early:
            self.lost, self.frozen = lost, [*processes(removed), *processes(freezing)]
            for process in self.frozen:
                process.suspend()
            self.cluster.remove_node(removed, allow_graceful=False)

    def thaw(self):
        for process in self.frozen:
            with suppress(psutil.NoSuchProcess):
                process.resume()


@pytest.mark.slow
def test_nodes_are_lost_and_no_trial_is(open_cluster, tmp_path, monkeypatch, finished_search, caplog):
    def search(*observers):
        return nas.search(
            "digits",
            space="tiny",
            max_parameters=3000,
            strategy="random",
            trials=8,
            epochs=EPOCHS,
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
    try:
        done = search(saboteur)
    finally:
        saboteur.thaw()
    assert len(saboteur.lost) == 2
    for lost in saboteur.lost:
        assert f"trial {lost} runs again on another node" in caplog.text
    assert [trial.status for trial in done.trials] == [TrialStatus.COMPLETED] * 8
    assert {len(trial.curves["loss"]) for trial in done.trials} == {EPOCHS}
    events = [json.loads(line) for line in done.folder.journal.path.read_text().splitlines()[1:]]
    assert sorted((event["event"], event["trial"]) for event in events) == sorted(
        (event, trial) for event in ("start", "end") for trial in range(8)
    )
    # As the local engine would have proposed them.
    assert [trial.architecture.id for trial in done.trials[:3]] == [t.architecture.id for t in finished_search.trials]
