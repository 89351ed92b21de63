"""What is known of the int8 files of a front: measured once, kept, and shown."""

import json
import shutil
from pathlib import Path
from urllib.parse import urlparse

import pytest

from nas import export
from nas.cli import main
from nas.config import load_experiment
from nas.files.shipped import find_experiment
from nas.objectives import FLASH_BYTES, RAM_BYTES
from nas.tracking.model_registry import EXPORT
from nas.tuning import Search, run
from nas.tuning.shipped import INT8_SCORE, is_for_devices, keep, lacks
from tests.tracking.examples import read_runs
from tests.tuning.test_search import plan


@pytest.fixture(scope="module")
def limited(tmp_path_factory):
    """A search with a limit on flash."""
    return run(plan(**{"budget.max_flash_bytes": "9k"}), runs_dir=tmp_path_factory.mktemp("runs"))


@pytest.fixture
def copied(finished_search, tmp_path):
    """An ordinary search, which may be changed."""
    shutil.copytree(finished_search.folder.path, tmp_path / finished_search.name)
    return Search(finished_search.name, tmp_path)


def test_a_search_for_a_device_ends_with_the_files_of_its_front(limited, capsys):
    assert len(limited.front)
    for point in limited.front:
        assert point.cost(FLASH_BYTES) <= 9_000
        assert 0 < point.cost(RAM_BYTES) < 30_000
        assert abs(point.metrics[INT8_SCORE] - point.observed) < 0.1
    _, children = read_runs(limited.tracking_run())
    on_front = {str(point.number): point for point in limited.front}
    for child in children.values():
        point = on_front.get(child.data.tags["nas.trial"])
        if point is not None:
            assert child.data.metrics["val_accuracy_int8"] == pytest.approx(point.metrics[INT8_SCORE], rel=1e-5)
            assert child.data.metrics["ram_bytes"] == point.cost(RAM_BYTES)
    page = limited.report()
    assert "RAM (bytes)" in page
    assert "validation int8 accuracy" in page
    assert main(["front", limited.name, "--runs-dir", str(limited.folder.runs_dir), "--format", "json"]) == 0
    for row, point in zip(json.loads(capsys.readouterr().out)["points"], limited.front, strict=True):
        assert row["val_accuracy_int8"] == point.metrics[INT8_SCORE]


def test_it_is_measured_once(limited, monkeypatch):
    monkeypatch.delattr("nas.export.int8_facts")
    Search(limited.name, limited.folder.runs_dir).measure_front()


def test_a_network_without_an_int8_file_costs_the_others_nothing(copied, monkeypatch, caplog):
    first, *others = (point.number for point in copied.front)
    assert others
    real = export.int8_facts

    def facts(architecture, *args, **named):
        if architecture == copied.trial(first).architecture:
            raise export.ExportError("TFLM cannot run this network")
        return real(architecture, *args, **named)

    monkeypatch.setattr(export, "int8_facts", facts)
    copied.measure_front()
    assert f"trial {first}: TFLM cannot run this network" in caplog.text
    assert lacks(copied.trial(first), copied.experiment.score)
    assert not any(lacks(copied.trial(number), copied.experiment.score) for number in others)


def test_any_search_can_be_measured_and_an_export_measures_too(copied, tmp_path):
    best = copied.front.best()
    assert lacks(best, copied.experiment.score)
    copied.export(tmp_path / "device", trial=best.number, format="litert-int8,c")
    by_export = copied.trial(best.number)
    assert not lacks(by_export, copied.experiment.score)
    card = json.loads((tmp_path / "device" / "export.json").read_text())["formats"]
    assert by_export.cost(FLASH_BYTES) == card["litert-int8"]["bytes"]
    assert by_export.cost(RAM_BYTES) == card["c"]["arena_bytes"]
    copied.folder.shipped(best.number).unlink()
    copied.refresh()
    copied.measure_front()
    again = copied.trial(best.number)
    assert again.cost(FLASH_BYTES) == by_export.cost(FLASH_BYTES)
    assert again.cost(RAM_BYTES) == by_export.cost(RAM_BYTES)
    assert again.metrics[INT8_SCORE] == pytest.approx(by_export.metrics[INT8_SCORE], abs=1.5 * copied.objectives.finest)
    assert not any(lacks(point, copied.experiment.score) for point in copied.front)


def test_a_registered_version_has_the_files_for_a_device_and_their_card(limited, tmp_path):
    best = limited.front.best()
    report = limited.export(tmp_path / "device", trial=best.number, format="litert-int8", allowed_loss=1.0)
    registered = limited.register("sensor", trial=best.number, export=report)
    client = limited.tracking_run().store.connect()
    version = client.get_model_version("sensor", str(registered.version))
    assert version.tags["nas.flash_bytes"] == f"{best.cost(FLASH_BYTES):.0f}"
    assert version.tags["nas.ram_bytes"] == f"{best.cost(RAM_BYTES):.0f}"
    assert float(version.tags["nas.val_accuracy_int8"]) > 0
    assert f"export/ has its files for a device: {best.cost(FLASH_BYTES):,.0f} bytes of flash, " in version.description
    stored = Path(urlparse(version.source).path) / EXPORT
    assert (stored / "model_int8.tflite").read_bytes() == (report.path / "model_int8.tflite").read_bytes()
    card = json.loads((stored / "export.json").read_text())
    assert card["formats"]["litert-int8"]["bytes"] == best.cost(FLASH_BYTES)


@pytest.mark.parametrize(
    "content",
    ["", "[]", '{"flash_bytes": -1}', '{"flash_bytes": "many"}', '{"val_accuracy_int8": 2}', '{"val_accuracy": 0.5}'],
)
def test_a_damaged_file_is_not_used(copied, content, caplog):
    path = copied.folder.shipped(copied.front.best().number)
    path.parent.mkdir()
    path.write_text(content)
    copied.refresh()
    assert not copied.front.best().has_cost(FLASH_BYTES)
    assert f"{path} is not used: " in caplog.text


def test_what_is_known_is_kept_beside_what_is_new(copied):
    number, score = copied.front.best().number, copied.experiment.score
    keep(copied.folder.shipped(number), {"flash_bytes": 3_000}, score)
    keep(copied.folder.shipped(number), {INT8_SCORE: 0.123456789}, score)
    copied.refresh()
    found = copied.trial(number)
    assert found.cost(FLASH_BYTES) == 3_000
    assert found.metrics[INT8_SCORE] == 0.1234568
    assert json.loads(copied.folder.shipped(number).read_text()) == {
        "flash_bytes": 3000,
        "val_accuracy_int8": 0.1234568,
    }


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, False),
        ({"board": "stm32l010rb"}, True),
        ({"budget.max_ram_bytes": "9k"}, True),
        ({"objectives": ["val_accuracy", "flash_bytes"]}, True),
        ({"objectives": ["val_accuracy_int8", "macs"]}, True),
        ({"budget.max_latency_ms": 1}, False),
    ],
)
def test_which_searches_are_for_devices(settings, expected):
    assert is_for_devices(load_experiment(find_experiment("digits"), settings)) is expected
