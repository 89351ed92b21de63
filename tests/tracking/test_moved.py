"""A runs folder that was moved or copied: MLflow finds the files where they are, and none is written elsewhere."""

from __future__ import annotations

import os
import shutil
import sqlite3
import urllib.request
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from urllib.parse import quote

import pytest

import nas
from nas.tracking import Store, sync
from nas.tracking.addresses import artifact_root, move_addresses
from nas.tracking.model_registry import register_model
from nas.tracking.projection import Projection
from nas.tracking.ui import serve
from tests.tracking.examples import artifact, read_runs, trial


def content(folder: Path) -> dict[str, str]:
    """Every file with its digest and the time at which it was written."""
    found = {}
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        digest = sha256(path.read_bytes()).hexdigest()
        found[str(path.relative_to(folder))] = f"{digest} {path.stat().st_mtime_ns}"
    return found


def addresses(database: Path) -> list[str]:
    connection = sqlite3.connect(database)
    found = [
        address
        for table, column in (("experiments", "artifact_location"), ("runs", "artifact_uri"))
        for (address,) in connection.execute(f"SELECT {column} FROM {table}")
    ]
    connection.close()
    return found


def at(search, folder):
    return replace(search, store=Store.resolve(folder, f"sqlite:///{folder / 'mlflow.db'}"))


def moved(search, folder):
    shutil.move(search.store.artifact_root.parent, folder)
    return at(search, folder)


def test_files_are_found_and_written_where_the_folder_is_now(search, tmp_path):
    sync(at(search, tmp_path), [trial(0, 0.9)], description={})
    there = moved(search, tmp_path.parent / f"{tmp_path.name} 100% ö")
    parent, children = read_runs(there)
    assert artifact(there, children[0], "architecture.json") == trial(0, 0.9).architecture.to_json().encode()
    sync(there, [trial(0, 0.9), trial(1, 0.95, filters=20)], description={})
    parent, children = read_runs(there)
    assert artifact(there, children[1], "architecture.json")
    assert b"1" in artifact(there, parent, "front.csv")
    root = there.store.artifact_root
    assert all(address.startswith(root.as_uri() + "/") for address in addresses(root.parent / "mlflow.db"))
    assert not tmp_path.exists()


def test_nothing_is_written_to_the_database_of_a_folder_that_has_not_moved(search, tmp_path):
    sync(search, [trial(0, 0.9)], description={})
    (tmp_path / "link").symlink_to(tmp_path, target_is_directory=True)
    connection = sqlite3.connect(tmp_path / "mlflow.db")
    before = connection.execute("PRAGMA data_version").fetchone()  # changes when another connection has written
    for folder in (tmp_path, tmp_path / "link"):
        move_addresses(folder / "mlflow.db")
    assert connection.execute("PRAGMA data_version").fetchone() == before
    connection.close()
    assert {address.rpartition("/mlartifacts/")[0] for address in addresses(tmp_path / "mlflow.db")} == {
        tmp_path.as_uri()
    }


def test_addresses_of_others_stay(store, tmp_path):
    client = store.connect()
    away = (tmp_path / "away").as_uri()
    names = {"s3": "s3://bucket/mlartifacts/" + "0" * 32, "mine": f"{away}/mlartifacts/mine", "other": f"{away}/x"}
    for name, address in names.items():
        client.create_experiment(name, artifact_location=address)
    copy = tmp_path.parent / f"{tmp_path.name}-copy"
    shutil.copytree(tmp_path, copy)
    there = Store.resolve(copy).connect()
    assert {name: there.get_experiment_by_name(name).artifact_location for name in names} == names


def test_a_search_goes_on_in_its_own_folder_while_another_machine_looks_at_it_by_another_path(search, tmp_path):
    """As in a container: who looks from outside makes the addresses its own."""
    projection = Projection(search, {})
    projection.bring_up([trial(0, 0.9)])
    outside = tmp_path.parent / f"{tmp_path.name}-outside"
    connection = sqlite3.connect(tmp_path / "mlflow.db")
    for table, column in (("experiments", "artifact_location"), ("runs", "artifact_uri")):
        connection.execute(f"UPDATE {table} SET {column} = replace({column}, ?, ?)", (str(tmp_path), str(outside)))
    connection.commit()
    connection.close()
    projection.bring_up([trial(0, 0.9), trial(1, 0.95, filters=20)], "FINISHED")
    assert not outside.exists()
    parent, children = read_runs(search)
    assert artifact(search, children[1], "architecture.svg")
    assert artifact(search, parent, "report.html")


@pytest.mark.slow
def test_registered_models_move_too(search, tmp_path):
    import keras
    import mlflow
    import numpy as np

    record = trial(0, 0.9)
    sync(search, [record], description={})
    image = np.zeros((1, *record.architecture.input_shape), np.uint8)
    labels = [str(number) for number in range(10)]
    register_model(search, record, record.architecture.build(), name="small", labels=labels, example=image)
    keras.utils.clear_session()
    there = moved(search, tmp_path.parent / f"{tmp_path.name}-moved")
    there.store.connect()
    mlflow.set_tracking_uri(there.store.uri)
    answers = mlflow.pyfunc.load_model("models:/small@champion").predict(image)
    assert answers.shape == (1, 10)


@pytest.mark.slow
def test_a_copy_goes_on_and_the_original_stays_as_it_was(tmp_path):
    settings = {"workers": 0, "final.seeds": 0}
    what = {"space": "tiny", "max_parameters": 3000, "strategy": "random", "epochs": 1, "settings": settings}
    nas.search("digits", trials=1, runs_dir=tmp_path / "original", **what)
    shutil.copytree(tmp_path / "original", tmp_path / "copy")
    before = content(tmp_path / "original")
    nas.search("digits", trials=2, runs_dir=tmp_path / "copy", **what)
    assert content(tmp_path / "original") == before
    shutil.rmtree(tmp_path / "original")
    search = nas.Search("digits", tmp_path / "copy").tracking_run()
    parent, children = read_runs(search)
    assert sorted(children) == [0, 1]
    logged = {each.tags[0].value: (each.dataset.name, each.dataset.digest) for each in parent.inputs.dataset_inputs}
    kept = nas.Search("digits", tmp_path / "copy").facts.data
    assert logged == {split: ("digits", digest) for split, digest in kept.items()}
    assert set(logged) == {"train", "validation", "test"}
    with serve(tmp_path / "copy") as server:
        for run, name in (
            (parent, "report.html"),
            (children[0], "architecture.json"),
            (children[1], "architecture.json"),
        ):
            address = f"{server.url}/get-artifact?path={quote(name)}&run_uuid={run.info.run_id}"
            with urllib.request.urlopen(address, timeout=60) as answer:
                assert answer.read() == artifact(search, run, name)
    assert os.listdir(tmp_path) == ["copy"]
    assert artifact_root(tmp_path / "copy" / "mlflow.db").is_dir()
