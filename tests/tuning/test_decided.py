"""The decisions of a space as parameters of MLflow's runs, and as axes of its chart."""

from dataclasses import replace

import pytest

from nas.architecture import Architecture
from nas.architecture.blocks import Conv, GlobalPoolHead
from nas.tracking import views
from nas.tuning import SearchFolder
from nas.tuning.decided import choices, decided
from tests.tracking.examples import read_runs


def test_decisions_have_the_names_that_effects_have(finished_search):
    names = choices(finished_search.proposals)
    assert names == (
        "stage1.repeat",
        "stage1.filters",
        "stage1.downsample",
        "stage2.repeat",
        "stage2.filters",
        "stage2.downsample",
    )
    assert set(names) <= finished_search.proposals.genes().keys()
    for record in finished_search.trials:
        made = decided(finished_search.proposals, record)
        assert set(names) <= made.keys()
        blocks = record.architecture.kinds
        for stage in ("stage1", "stage2"):
            kinds = [value for name, value in made.items() if name.startswith(stage) and name.endswith(".kind")]
            assert len(kinds) == int(made[f"{stage}.repeat"])
            assert not any(name.startswith("stem") for name in made)  # which is always a convolution
            assert all(kind in blocks for kind in kinds)
            assert (made[f"{stage}.filters"] == "-") == (made[f"{stage}.repeat"] == "0")


def test_a_network_of_another_space_has_no_decisions(finished_search):
    foreign = Architecture(input_shape=(8, 8, 1), blocks=(Conv(filters=33, kernel=7), GlobalPoolHead(classes=10)))
    assert decided(finished_search.proposals, replace(finished_search.trials[0], architecture=foreign)) == {}


def test_mlflow_has_decisions_time_and_the_searchs_name(finished_search):
    search = finished_search.tracking_run()
    parent, children = read_runs(search)
    assert parent.data.metrics["active_seconds"] == finished_search.folder.seconds > 1
    everything, *_ = views.search_views(search.search_id, search.name, search.objectives, search.choices)
    (card,) = (card for card in everything.state["compareRunCharts"] if card["type"] == "PARALLEL")
    assert card["selectedParams"] == list(choices(finished_search.proposals))
    for record in finished_search.trials:
        run = children[record.number]
        assert run.data.params.items() >= decided(finished_search.proposals, record).items()
        assert run.data.tags["nas.search"] == "digits"
        assert run.info.run_name.endswith(" (digits)")  # in a comparison with other searches
        inputs = {each.tags[0].value: each.dataset.digest for each in run.inputs.dataset_inputs}
        assert inputs == {split: finished_search.folder.facts().data[split] for split in ("train", "validation")}
        first = run.data.tags["mlflow.note.content"].splitlines()[0]
        assert first == f"{record.parameters:,} parameters, {record.score:.2%} accuracy: {record.in_words}"


def test_time_adds_up_and_is_not_known_of_a_damaged_file(tmp_path):
    folder = SearchFolder(tmp_path, "x")
    folder.path.mkdir()
    assert folder.seconds == 0
    folder.add_seconds(1.25)
    folder.add_seconds(2)
    assert folder.seconds == pytest.approx(3.2)
    for damaged in ("soon", "nan", "-3", "inf"):
        (folder.path / "seconds").write_text(damaged)
        assert folder.seconds == 0
