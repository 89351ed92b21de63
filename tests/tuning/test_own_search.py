"""Searches with a loss, metrics, an optimizer and callbacks of a program's own."""

import pytest

import nas
from nas.config import load_experiment
from nas.files.shipped import find_experiment
from nas.tracking import Store
from nas.training.own import Own
from nas.tuning import Plan, SearchError, run
from tests.tuning.test_search import plan


def brier_score(targets, outputs):
    """In hundredths, so it is no score of ours, which are in [0, 1]."""
    from keras import ops

    hot = ops.one_hot(ops.cast(targets, "int32"), 10)
    return 100 * ops.sum(ops.square(hot - outputs), axis=1)


def search(runs_dir, **own):
    return nas.search(
        "digits",
        space="tiny",
        max_params=2_000,
        trials=1,
        epochs=1,
        runs_dir=runs_dir,
        settings={"workers": 1, "final.seeds": 1, "training.batch_size": 64},
        **own,
    )


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """In a worker process, of functions that only a pickle by value takes there."""
    folder = tmp_path_factory.mktemp("runs")
    names = folder / "names"

    def tells(name):
        import keras

        names.open("a").write(f"{name}\n")
        return keras.callbacks.Callback()

    own = {"metrics": [brier_score], "callbacks": [tells]}
    return search(folder, **own), own, names


def test_metrics_are_in_tables_and_in_the_journal(done):
    found, _, _ = done
    (row,) = found.to_dataframe().to_dict("records")
    assert row["status"] == "COMPLETED"
    assert 1 < row["val_brier_score"] < 200
    assert len(nas.Search(found.name, found.folder.runs_dir).trials[0].curves["brier_score"]) == 1


def test_callbacks_know_which_training_they_are_of(done):
    _, _, names = done
    trial, final = names.read_text().splitlines()
    assert trial == "trial-0"
    assert final.startswith("trial-0-seed-")


def test_mlflow_has_the_names_and_the_metrics(done):
    found, _, _ = done
    store = Store.resolve(found.folder.runs_dir, None)
    client = store.connect()
    runs = {each.info.run_name: each for each in client.search_runs([store.experiment_id(client, "digits")])}
    parent = runs.pop("digits")
    assert parent.data.params["metrics"] == f"{__name__}.brier_score"
    assert parent.data.params["callbacks"].endswith(".tells")
    (trial,) = runs.values()
    assert 1 < trial.data.metrics["val_brier_score"] < 200
    assert trial.data.metrics["epoch/val_brier_score"] == trial.data.metrics["val_brier_score"]
    assert "metrics tests.tuning.test_own_search.brier_score" in found.report()


def test_a_search_goes_on_with_the_same_functions_only(done):
    found, own, _ = done
    assert search(found.folder.runs_dir, **own).trials == found.trials
    with pytest.raises(SearchError) as caught:
        search(found.folder.runs_dir, metrics=[brier_score])
    assert "exists with other settings (callbacks was " in str(caught.value)
    assert "tells, is not given); give another --name, or --fresh" in str(caught.value)


@pytest.mark.parametrize(
    ("own", "settings", "message"),
    [
        (
            {"loss": brier_score},
            {"training.label_smoothing": 0.1},
            "loss comes in place of training.label_smoothing, which the experiment sets; leave one of them out",
        ),
        (
            {"optimizer": lambda rate: __import__("keras").optimizers.Lion(rate)},
            {"training.optimizer": ["sgd", "adam"]},
            "optimizer comes in place of training.optimizer, which the experiment sets; leave one of them out",
        ),
    ],
)
def test_settings_that_would_not_hold_are_refused(own, settings, message):
    experiment = load_experiment(find_experiment("digits"), settings)
    with pytest.raises(nas.NasError) as caught:
        Plan.of(experiment, own=Own.of(**own))
    assert str(caught.value) == message


def test_a_loss_that_fails_ends_the_search_with_what_is_wrong(tmp_path):
    def of_the_batch(targets, outputs):
        from keras import ops

        return ops.mean(outputs)

    quick = plan()
    with pytest.raises(SearchError, match="every trial failed, the last with: loss must return a number an image"):
        run(Plan.of(quick.experiment, own=Own.of(loss=of_the_batch)), runs_dir=tmp_path)
