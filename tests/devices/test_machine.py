import json
import re
import sys
from types import SimpleNamespace

import psutil
import pytest

from nas.devices import inspect_machine, machine, nvidia, probe_process


@pytest.fixture(scope="module")
def found():
    return inspect_machine()


def test_this_machine_is_described_as_plain_data(found):
    assert json.loads(json.dumps(found)) == found
    assert found["probe"] == {"ok": True, "reason": ""}
    assert all(found["versions"][name] for name in ("python", "nas", "tensorflow", "keras", "keras-tuner", "mlflow"))
    assert "CPU:0" in [device["name"] for device in found["devices"]]
    assert found["machine"]["usable_cpus"] >= 1
    assert found["machine"]["memory_bytes"] > 2**28
    assert found["choice"]["device"] not in found["choice"]["why_not"]
    assert found["choice"]["why_not"]["tpu"] == "JAX for TPUs is not installed; pip install 'keras-nas[tpu]'"
    assert "rehearses" in found["choice"]["why_not"]["jax-cpu"]


PROBES = {
    "hangs": ("import time; time.sleep(60)", "did not answer within 0.5 seconds"),
    "aborts": ("import os; os.abort()", r"failed to start \(exit status -6\)"),
    "raises": ("raise ImportError('libcuda is broken')", "exit status 1.*ImportError: libcuda is broken"),
    "babbles": ("print('hello')", r"failed to start \(exit status 0\)"),
}


@pytest.mark.parametrize(("code", "reason"), PROBES.values(), ids=PROBES)
def test_a_broken_tensorflow_is_reported_and_the_rest_still_told(code, reason):
    limit = 0.5 if "sleep" in code else 30
    broken = inspect_machine(time_limit_seconds=limit, probe_command=[sys.executable, "-c", code])
    assert not broken["probe"]["ok"]
    assert re.search(reason, broken["probe"]["reason"])
    assert broken["choice"]["why_not"]["gpu"] == broken["probe"]["reason"]
    assert broken["versions"]["tensorflow"]


def _answering(answer):
    return [sys.executable, "-c", f"print({json.dumps(answer)!r})"]


def test_gpus_are_taken_and_their_precision_told():
    card = {"name": "GPU:0", "kind": "gpu", "description": "T4", "compute_capability": [7, 5]}
    found = inspect_machine(probe_command=_answering({"devices": [card], "built_with_cuda": True}))

    assert found["choice"]["device"] == "gpu"
    assert "slower" in found["choice"]["why_not"]["cpu"]
    assert found["precision"]["mixed_float16"].startswith("fast")
    assert found["precision"]["mixed_bfloat16"] == "works, without tensor cores"


@pytest.mark.parametrize(
    ("cards", "cuda", "hidden", "reason"),
    [
        ([], True, None, "no NVIDIA driver"),
        (["T4, 15360 MiB, 550"], False, None, "built without CUDA"),
        (["T4, 15360 MiB, 550"], True, None, r"lacks its CUDA libraries; pip install 'keras-nas\[gpu\]'"),
        (["T4, 15360 MiB, 550"], True, "", "CUDA_VISIBLE_DEVICES hides every GPU"),
    ],
)
def test_why_no_gpu_is_used(monkeypatch, cards, cuda, hidden, reason):
    monkeypatch.setattr(nvidia, "cards", lambda: cards)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if hidden is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", hidden)
    found = inspect_machine(probe_command=_answering({"devices": [], "built_with_cuda": cuda}))
    assert re.search(reason, found["choice"]["why_not"]["gpu"])


def _tpu_library(monkeypatch):
    monkeypatch.setattr(probe_process, "has_tpu_library", lambda: True)


def test_a_tpu_is_taken_where_there_is_no_gpu_and_its_precision_told(monkeypatch):
    _tpu_library(monkeypatch)
    chip = {"name": "TPU:0", "kind": "tpu", "description": "TPU v5 lite", "memory_bytes": 2**34}
    answer = {"devices": [chip], "chips": 1, "built_with_cuda": True}
    found = inspect_machine(probe_command=_answering(answer))
    assert (found["choice"]["device"], found["choice"]["backend"]) == ("tpu", "jax")
    assert chip in found["devices"]
    assert found["precision"]["mixed_float16"] == "refused: a TPU multiplies bfloat16, not float16"
    assert "slower than the TPU" in found["choice"]["why_not"]["cpu"]


@pytest.mark.parametrize(("code", "reason"), PROBES.values(), ids=PROBES)
def test_a_broken_tpu_library_is_reported_and_the_cpu_used(monkeypatch, code, reason):
    _tpu_library(monkeypatch)
    limit = 0.5 if "sleep" in code else 30
    found, why = probe_process.ask_tpu("jax", time_limit_seconds=limit, command=[sys.executable, "-c", code])
    assert found == {}
    assert re.search(reason, why)


def test_the_real_probe_of_a_tpu_ends_with_a_reason_where_there_is_none(monkeypatch):
    _tpu_library(monkeypatch)
    found, why = probe_process.ask_tpu("jax")
    assert found == {}
    assert re.search(r"JAX failed to start \(exit status 1\): .*tpu", why)


@pytest.fixture
def container(tmp_path, monkeypatch):
    """On a machine of 8 cores with 16 GiB free."""
    monkeypatch.setattr(machine, "_CGROUP", tmp_path)
    monkeypatch.setattr(machine.os, "sched_getaffinity", lambda process: set(range(8)), raising=False)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=16 * 2**30))
    return tmp_path


@pytest.mark.parametrize(
    ("text", "expected"),
    [("200000 100000", 2), ("50000 100000", 1), ("1600000 100000", 8), ("max 100000", 8), (None, 8)],
)
def test_a_container_has_a_quota_of_processors(container, text, expected):
    if text is not None:
        (container / "cpu.max").write_text(text + "\n")
    assert machine.usable_cpus() == expected


def test_processors_are_counted_where_a_process_is_not_tied_to_some(container, monkeypatch):
    monkeypatch.delattr(machine.os, "sched_getaffinity")
    monkeypatch.setattr(machine.os, "cpu_count", lambda: 4)
    assert machine.usable_cpus() == 4


def test_a_container_has_what_its_limit_leaves_and_pages_of_files_give_way(container):
    assert machine.free_bytes() == 16 * 2**30
    (container / "memory.max").write_text("max\n")
    assert machine.free_bytes() == 16 * 2**30
    (container / "memory.max").write_text(f"{4 * 2**30}\n")
    (container / "memory.current").write_text(f"{3 * 2**30}\n")
    (container / "memory.stat").write_text(f"anon {2 * 2**30}\ninactive_file {2**30}\n")
    assert machine.free_bytes() == 2 * 2**30
    (container / "memory.max").write_text(f"{64 * 2**30}\n")
    assert machine.free_bytes() == 16 * 2**30


def test_a_runs_folder_that_does_not_exist_yet_is_looked_up_at_its_parent(tmp_path):
    command = _answering({"devices": [], "built_with_cuda": True})
    found = inspect_machine(tmp_path / "a" / "b", probe_command=command)["runs_dir"]
    assert found["writable"]
    assert found["free_bytes"] > 0
