"""Searches that begin with given networks, and that end by themselves."""

import json
import logging
import shutil
from pathlib import Path

import pytest

from nas.architecture import Architecture
from nas.architecture.blocks import Conv, GlobalPoolHead
from nas.config import load_experiment
from nas.errors import NasError
from nas.files.shipped import find_experiment
from nas.space.recipe_space import Proposal
from nas.strategies import ehvi
from nas.tuning import Plan, Search, run
from nas.tuning.baseline import baseline_plan
from tests.tuning.test_search import QUICK, Watcher, plan

OWN = Architecture(input_shape=(8, 8, 1), blocks=(Conv(filters=4, kernel=5), GlobalPoolHead(classes=10)))
"""Not in the space, which has no kernel of 5."""


@pytest.fixture
def own(tmp_path):
    path = tmp_path / "own.json"
    path.write_text(OWN.to_json())
    return str(path)


def start_from(names, runs_dir, **overrides):
    settings = {"space": QUICK, "strategy": "random", "budget.max_parameters": 3000, "trials": 2, "training.epochs": 1}
    settings |= {"workers": 0, "final.seeds": 0, "name": "next", "start_from": names} | overrides
    return Plan.of(load_experiment(find_experiment("digits"), settings), runs_dir)


def test_a_known_network_is_trained_first_and_may_be_of_another_space(own, tmp_path, monkeypatch):
    monkeypatch.setattr(ehvi, "START", 3)
    search = run(plan(start=[own], strategy="ehvi", trials=5), runs_dir=tmp_path)
    assert search.trials[0].architecture == OWN
    assert search.finished
    assert len(search.trials) == 5  # the model was asked, and knows nothing of the network
    # The file may go: the search has it.
    again = Search(search.name, tmp_path)
    assert json.loads(again.facts.start[0])["blocks"] == json.loads(OWN.to_json())["blocks"]


def test_a_network_of_another_space_hinders_neither_inheritance_nor_patience(own, tmp_path):
    settings = {"start": [own], "trials": 40, "patience": 2, "inherit": True, "strategy": "random"}
    search = run(plan(**settings), runs_dir=tmp_path)
    assert search.finished
    assert search.trials[0].architecture == OWN
    assert search.trials[0].parent is None
    assert all(trial.parent != 0 for trial in search.trials)


def test_a_baseline_begins_with_nothing_and_has_no_patience(own):
    other = baseline_plan(plan(start=[own], patience=3).experiment, "random")
    assert other.start == ()
    assert other.experiment.patience is None


def test_a_dry_run_shows_what_it_begins_with(own):
    assert plan(start=[own]).first_proposals(2)[0] == Proposal(OWN)


@pytest.mark.parametrize(
    ("start", "sentence"),
    [
        ("reference/nothing", "start: there is no search space 'reference/nothing'"),
        ("mixed", "start: mixed is a space of many networks; name one network, such as reference/lenet5"),
        ("reference/lenet5", r"start: reference/lenet5 has [\d,]+ parameters over 3,000; leave it out, or change"),
        ("none.json", r"start: cannot read /.*/none\.json: No such file or directory$"),
    ],
)
def test_a_network_that_cannot_be_started_with_is_refused(start, sentence):
    with pytest.raises(NasError, match=sentence):
        plan(start=[start])


def test_a_network_for_other_images_is_refused(tmp_path):
    path = tmp_path / "large.json"
    path.write_text(Architecture(input_shape=(9, 9, 1), blocks=OWN.blocks).to_json())
    with pytest.raises(NasError, match="takes images of 9x9x1, and the data have 8x8x1; give another network"):
        plan(start=[str(path)])


def test_an_earlier_search_chooses_the_first_trials_and_may_then_be_gone(tmp_path):
    run(plan(trials=6), runs_dir=tmp_path)
    begun = start_from(["digits"], tmp_path, trials=3)
    assert len(begun.start) == 10
    with pytest.raises(KeyboardInterrupt):
        run(begun, runs_dir=tmp_path, observers=(Watcher(stop_at=1),))
    # The search keeps to what it began with, and does not need the other one for that.
    shutil.rmtree(tmp_path / "digits")
    done = run(start_from(["digits"], tmp_path, trials=3), runs_dir=tmp_path)
    assert [trial.architecture.id for trial in done.trials] == [found.id for found in begun.start[:3]]
    assert done.finished


def test_searches_that_cannot_recommend_anything_are_refused(tmp_path):
    with pytest.raises(NasError, match="there is no search 'digits'"):
        start_from(["digits"], tmp_path)
    run(plan(trials=1), runs_dir=tmp_path)
    with pytest.raises(NasError, match="start_from: 'digits' has no two trials that differ in their score; leave it"):
        start_from(["digits"], tmp_path)
    with pytest.raises(NasError, match="start_from takes searches of the same space; 'digits' was over"):
        start_from(["digits"], tmp_path, space="tiny")


def test_patience_ends_a_search_which_is_then_finished(tmp_path, caplog):
    impatient = plan(trials=60, patience=4, strategy="random")
    with caplog.at_level(logging.WARNING):
        search = run(impatient, runs_dir=tmp_path)
    assert 4 < len(search.trials) < 60
    assert search.finished
    assert f"ended after {len(search.trials)} trials: the last 4 gained less than 0.001 hypervolume" in caplog.text
    assert run(impatient, runs_dir=tmp_path).trials == search.trials
    # Patience is free to change, and then it goes on.
    more = plan(trials=len(search.trials) + 1, strategy="random")
    assert len(run(more, runs_dir=tmp_path).trials) == len(search.trials) + 1


def known_space(tmp_path, name, rows):
    """The quick space with a table of known networks beside it."""
    path, table = tmp_path / f"{name}.yaml", tmp_path / f"{name}.csv"
    table.write_text("\n".join(rows))
    path.write_text(f"known: {table}\n" + Path(QUICK).read_text())
    return str(path)


POOL = "head.1.0.global_pool.pool"


def test_a_space_may_know_networks_that_choose_where_ehvi_begins(tmp_path):
    """In its table, networks that pool the maximum are better than others of their size."""
    header = f"stem.1.0.conv.filters,stem.1.0.conv.kernel,head.1.0.kind,{POOL},parameters,accuracy"
    rows = [
        f"{filters},{kernel},global_pool,{pool},{filters * kernel**2 + 11 * filters},{0.3 + 0.02 * filters + bonus}"
        for filters in range(2, 13)
        for kernel in (1, 2, 3)
        for pool, bonus in (("average", 0.0), ("max", 0.3))
    ]
    space = known_space(tmp_path, "good", [header, *rows])
    begun = plan(space=space, strategy="ehvi", **{"budget.max_parameters": 400})
    pools = [begun.proposals.encode(found).get(POOL) for found in begun.start]
    assert len(pools) == 10
    assert pools.count("max") >= 8
    # The baseline is what it is, and other searches come before.
    assert plan(space=space, strategy="random").start == ()

    other = known_space(tmp_path, "other", ["depth,parameters,accuracy", "1,10,0.5", "2,20,0.6"])
    with pytest.raises(NasError, match="is about other decisions than this space, such as 'depth'; give a table of"):
        plan(space=other, strategy="ehvi")


def begun(space, side, **overrides):
    """What a search of the digits begins with, resized to so many pixels a side."""
    settings = {"space": space, "dataset.image_size": side, "budget.max_parameters": 2_000} | overrides
    return Plan.of(load_experiment(find_experiment("digits"), settings)).start


def test_a_space_with_a_table_begins_with_what_was_good_there():
    sizes = sorted(found.count.parameters for found in begun("tiny", 28))
    assert len(set(sizes)) == len(sizes) == 10
    assert sizes[0] < 110  # a twentieth of the limit, and what is hardly larger
    assert sizes[-1] > 1_800
    # A strategy that does not learn begins as it always does.
    assert not begun("tiny", 28, strategy="random")


@pytest.mark.parametrize(
    ("space", "side", "told"),
    [("tiny", 14, 0), ("tiny", 15, 10), ("tiny", 56, 0), ("mixed", 8, 10), ("mixed", 28, 0), ("mixed", [8, 28], 0)],
)
def test_a_table_of_much_larger_or_smaller_images_says_nothing(space, side, told):
    assert len(begun(space, side)) == told
