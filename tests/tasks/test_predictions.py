"""What networks on the front answer, drawn when a search ends."""

import pytest

import nas
from nas.errors import NasError
from nas.tasks.tiles import is_picture
from nas.tuning import Search
from tests.tracking.examples import read_runs


@pytest.fixture(scope="module")
def search(tmp_path_factory):
    return nas.search(
        "digit_scenes_segmentation",
        max_params=3_000,
        trials=2,
        epochs=1,
        workers=0,
        settings={"dataset.train_limit": 64, "final.seeds": 0},
        runs_dir=tmp_path_factory.mktemp("runs"),
    )


def test_each_point_has_its_predictions_in_mlflow_and_in_the_report(search):
    _, children = read_runs(search.tracking_run())
    for point in search.front:
        picture = search.folder.predictions(point.number).read_text()
        assert is_picture(picture)
        assert picture.count("mean IoU") == 2 * 6  # below each image, and in its tooltip
        assert search.breakdown(point).predictions == picture
        run = children[point.number]
        assert "![Its predictions](get-artifact?path=predictions.svg" in run.data.tags["mlflow.note.content"]
        folder = search.tracking_run().store.folder_of(run.info.artifact_uri)
        assert (folder / "predictions.svg").read_text() == picture
    assert search.report().count('<img class="predictions"') == len(search.front)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("<svg ", '<svg onload="steal()" '),
        ("<image ", "<script>steal()</script><image "),
        ("data:image/png;base64,", "https://example.org/"),
        ("data:image/png;base64,", "data:image/svg+xml;base64,"),
        ("image-rendering:pixelated", "background:url(https://example.org/)"),
        ("<svg ", '<!DOCTYPE svg [<!ENTITY a "a">]><svg '),
        ("</svg>", ""),
    ],
)
def test_a_picture_of_another_program_is_not_shown(search, before, after):
    point = search.front.best()
    path = search.folder.predictions(point.number)
    drawn = path.read_text()
    try:
        path.write_text(drawn.replace(before, after, 1))
        with pytest.raises(NasError, match=r"is no picture of predictions; delete it, and it is left out of reports$"):
            Search(search.name, search.folder.runs_dir).report()
    finally:
        path.write_text(drawn)
