"""Searches whose trials start with the weights of earlier ones."""

import json
import random

import numpy as np
import pytest
from typer.testing import CliRunner

from nas.architecture import Architecture
from nas.cli.app import app
from nas.objectives import DEFAULT_COSTS
from nas.results.pareto import ParetoFront
from nas.results.trial import TrialRecord, TrialStatus
from nas.training import TrainingResult
from nas.tuning import Search, SearchFolder, run
from nas.tuning.execution import Executor, Failed, Trained
from nas.tuning.parents import nearest
from nas.tuning.running import _run_trials
from tests.tuning.test_search import Watcher, plan

INHERIT = {"inherit": True, "trials": 3, "strategy": "local"}


@pytest.fixture(scope="module")
def inherited(tmp_path_factory):
    return run(plan(**INHERIT), runs_dir=tmp_path_factory.mktemp("runs"))


def completed(number, architecture, accuracy):
    return TrialRecord(
        number=number, architecture=architecture, status=TrialStatus.COMPLETED, metrics={"val_score": accuracy}
    )


def test_the_nearest_is_on_the_front_and_differs_in_the_fewest_decisions():
    space, rng = plan().space, random.Random(3)
    child = space.sample(rng)
    genes = space.encode(child)

    def distance(other):
        theirs = space.encode(other)
        return sum(genes.get(name) != theirs.get(name) for name in {*genes, *theirs})

    near = space.mutate(child, rng)
    by_size = {found.count.parameters: found for found in (space.sample(rng) for _ in range(60))}
    others = [
        found for size, found in by_size.items() if size != near.count.parameters and distance(found) > distance(near)
    ]
    # The larger the better, and no two of a size: all of them are on the front.
    records = [completed(n, a, 0.5 + a.count.parameters / 1e6) for n, a in enumerate([*others[:9], near])]
    assert nearest(space, DEFAULT_COSTS, child, records) == 9
    failed = [*records[:9], TrialRecord(number=9, architecture=near, status=TrialStatus.FAILED)]
    assert nearest(space, DEFAULT_COSTS, child, failed) in range(9)
    assert nearest(space, DEFAULT_COSTS, child, []) is None
    running = TrialRecord(number=0, architecture=near, status=TrialStatus.RUNNING)
    assert nearest(space, DEFAULT_COSTS, child, [running]) is None


def test_every_trial_but_the_first_has_a_parent_on_the_front_of_its_time(inherited):
    trials = inherited.trials
    assert [trial.status for trial in trials] == [TrialStatus.COMPLETED] * 3
    assert trials[0].parent is None
    for trial in trials[1:]:
        before = [point.number for point in ParetoFront.of(trials[: trial.number])]
        assert trial.parent in before


def test_the_journal_says_at_the_start_whose_weights_a_trial_gets(inherited):
    lines = [json.loads(line) for line in inherited.folder.journal.path.read_text().splitlines()[1:]]
    starts = [line for line in lines if line["event"] == "start"]
    assert "parent" not in starts[0]
    assert [line["parent"] for line in starts[1:]] == [trial.parent for trial in inherited.trials[1:]]


def test_it_trains_otherwise_than_without(inherited, tmp_path):
    alone = run(plan(**INHERIT | {"inherit": False, "trials": 2}), runs_dir=tmp_path)
    assert all(trial.parent is None for trial in alone.trials)
    (one, other), (same, own) = inherited.trials[:2], alone.trials
    assert one.architecture.id == same.architecture.id
    assert one.curves["loss"] == pytest.approx(same.curves["loss"], rel=1e-4)
    assert other.architecture.id == own.architecture.id
    assert other.curves["loss"] != pytest.approx(own.curves["loss"], rel=1e-4)


def test_a_search_that_was_killed_takes_the_same_parents(inherited, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        run(plan(**INHERIT), runs_dir=tmp_path, observers=(Watcher(stop_at=2),))
    assert Search("digits", tmp_path).trial(2).parent == inherited.trial(2).parent
    again = run(plan(**INHERIT), runs_dir=tmp_path)
    assert [trial.parent for trial in again.trials] == [trial.parent for trial in inherited.trials]
    assert [trial.architecture.id for trial in again.trials] == [t.architecture.id for t in inherited.trials]


@pytest.mark.parametrize("content", [None, b"nothing"])
def test_without_its_parent_a_trial_starts_with_random_weights_and_says_so(inherited, tmp_path, caplog, content):
    with pytest.raises(KeyboardInterrupt):
        run(plan(**INHERIT), runs_dir=tmp_path, observers=(Watcher(stop_at=2),))
    kept = tmp_path / "digits" / "weights" / f"{inherited.trial(2).parent}.npz"
    if content is None:
        kept.unlink()
    else:
        kept.write_bytes(content)
    done = run(plan(**INHERIT), runs_dir=tmp_path)
    assert [trial.status for trial in done.trials] == [TrialStatus.COMPLETED] * 3
    assert [trial.parent for trial in done.trials] == [None, inherited.trial(1).parent, None]
    assert done.trial(2).curves != inherited.trial(2).curves
    (told,) = [record.message for record in caplog.records if record.levelname == "WARNING"]
    assert told.startswith(f"trial 2 starts with random weights, because those of trial {kept.stem} cannot be used: ")


def test_workers_inherit_too(inherited, tmp_path):
    done = run(plan(**INHERIT | {"trials": 2}, workers=1), runs_dir=tmp_path)
    assert [trial.parent for trial in done.trials] == [None, 0]
    assert done.trials[1].score == pytest.approx(inherited.trials[1].score, abs=0.02)


class TwoSlots(Executor):
    """Of the first two trials the larger one ends first, and is then beaten by the smaller one.

    All others fail, in order.
    """

    slots = 2

    def __init__(self, folder):
        self.folder, self.jobs, self.seen = folder, {}, []

    def submit(self, slot, job):
        self.jobs[slot] = job
        kept = sorted(int(path.stem) for path in (self.folder.path / "weights").iterdir())
        self.seen.append((job.number, kept, job.parent))

    def next_outcome(self, timeout_seconds, on_epoch):
        def order(slot):
            job = self.jobs[slot]
            size = Architecture.from_json(job.architecture).count.parameters
            return (0, -size) if job.number < 2 else (job.number, 0)

        slot = min(self.jobs, key=order)
        job = self.jobs.pop(slot)
        ended = len(self.seen) - len(self.jobs)
        if job.number > 1:
            return Failed(slot=slot, number=job.number, reason="it went wrong", log="how")
        accuracy = {1: 0.5, 2: 1.0}[ended]
        result = TrainingResult(
            metrics={"val_score": accuracy, "val_loss": 1.0},
            curves={},
            weights=[np.full(1, job.number)],
            best_epoch=1,
            epochs=1,
            duration_seconds=0.0,
        )
        return Trained(slot=slot, number=job.number, result=result)

    def close(self):
        pass


def test_weights_of_a_parent_are_kept_until_its_children_have_ended(tmp_path, monkeypatch):
    monkeypatch.setattr("nas.tuning.tuner.KEPT_RANKS", 1)  # of no other trial but those on the front
    made = plan(**INHERIT | {"strategy": "random", "trials": 6})
    folder = SearchFolder(tmp_path, "digits")
    folder.create(made.experiment, made.space_text, made.facts())
    executor = TwoSlots(folder)
    _run_trials(made, folder, executor, (), lambda: False, own=None)
    trials = folder.trials()
    large, small = sorted((0, 1), key=lambda number: -trials[number].parameters)
    assert [trial.parent for trial in trials] == [None, None, large, small, small, small]
    # Trial 2 still runs when trial 3 starts; both have ended when trial 5 starts.
    assert [kept for _, kept, _ in executor.seen] == [[], [], [large], [0, 1], [small], [small]]
    assert [None if parent is None else int(parent.weights[0][0]) for _, _, parent in executor.seen[2:]] == [
        large,
        small,
        small,
        small,
    ]


def test_it_is_shown(inherited):
    runs_dir = str(inherited.folder.runs_dir)
    shown = CliRunner().invoke(app, ["show", "digits/1", "--runs-dir", runs_dir])
    assert "Its training started with the weights of trial 0." in shown.output
    shown = CliRunner().invoke(app, ["show", "digits/0", "--runs-dir", runs_dir])
    assert "began with" not in shown.output
    shown = CliRunner().invoke(app, ["show", "digits/1", "--format", "json", "--runs-dir", runs_dir])
    assert json.loads(shown.output)["inherited_from"] == 0
    search = inherited.tracking_run()
    client = search.store.connect()
    experiment = client.get_experiment_by_name(search.experiment)
    tags = [found.data.tags for found in client.search_runs([experiment.experiment_id], "tags.`nas.role` = 'trial'")]
    parents = {int(each["nas.trial"]): each.get("inherited_from") for each in tags}
    assert parents == {t.number: None if t.parent is None else str(t.parent) for t in inherited.trials}


def test_an_export_says_with_whose_weights_the_training_began(inherited, tmp_path):
    best = inherited.best()
    inherited.export(tmp_path / "model", trial=best.number)
    assert json.loads((tmp_path / "model" / "export.json").read_text())["inherited_from"] == best.parent
