"""What this machine has and what nas would use of it, as plain data for `nas doctor`."""

from __future__ import annotations

import os
import platform
import shutil
from collections.abc import Iterator, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from nas import __version__
from nas.devices import nvidia
from nas.devices.probe_process import LIMIT_SECONDS, PROBE, ask, ask_tpu

_CGROUP = Path("/sys/fs/cgroup")
"""What Linux grants this container, in its current form (version 2)."""

_PACKAGES = ("tensorflow", "keras", "keras-tuner", "mlflow", "tensorflow-datasets", "jax", "libtpu", "tensorflow-tpu")


def inspect_machine(
    runs_dir: Path = Path("runs"), *, time_limit_seconds: float = LIMIT_SECONDS, probe_command: Sequence[str] = PROBE
) -> dict[str, Any]:
    """All that `look` finds."""
    return dict(look(runs_dir, time_limit_seconds=time_limit_seconds, probe_command=probe_command))


def look(
    runs_dir: Path = Path("runs"), *, time_limit_seconds: float = LIMIT_SECONDS, probe_command: Sequence[str] = PROBE
) -> Iterator[tuple[str, Any]]:
    """Looks at the machine; never imports TensorFlow or JAX here, never hangs, never raises for what it finds.

    Yields:
        Key and value as soon as they are known, what takes no time first; JSON-ready: `versions` (name to version,
        None if absent), `machine` (system, usable_cpus, memory_bytes),
        `runs_dir` (path, writable, free_bytes), `nvidia` (a line a card: name, memory, driver), `probe` (ok, reason: of
        TensorFlow), `devices` (name, kind, description; a GPU's compute_capability, a TPU's memory_bytes), `choice`
        (device that "auto" takes, its Keras backend, why, and why_not of the others), `precision` (policy to a remark).
    """
    versions = {package: _version(package) for package in _PACKAGES}
    yield "versions", {"python": platform.python_version(), "nas": __version__} | versions
    yield (
        "machine",
        {
            "system": f"{platform.system()} {platform.machine()}",
            "usable_cpus": usable_cpus(),
            "memory_bytes": _memory_bytes(),
        },
    )
    yield "runs_dir", _disk(runs_dir)
    yield "nvidia", nvidia.cards()
    seen, reason = ask("tensorflow", name="TensorFlow", time_limit_seconds=time_limit_seconds, command=probe_command)
    yield "probe", {"ok": not reason, "reason": reason}
    tpu, no_tpu = ask_tpu("jax", time_limit_seconds=time_limit_seconds, command=probe_command)
    gpus = [device for device in seen.get("devices", []) if device["kind"] == "gpu"]
    yield "devices", seen.get("devices", []) + tpu.get("devices", [])
    why_not = {}
    if gpus:
        device, why = "gpu", f"TensorFlow sees {len(gpus)} GPU(s)"
    elif tpu:
        device, why = "tpu", f"JAX sees {tpu['chips']} TPU chip(s)"
    else:
        device, why = "cpu", "always there"
    if not gpus:
        why_not["gpu"] = reason or nvidia.why_no_gpu(built_with_cuda=seen.get("built_with_cuda", False))
    if device != "tpu":
        why_not["tpu"] = no_tpu or "a GPU is here, too; choose the TPU with --device tpu"
    if device != "cpu":
        why_not["cpu"] = f"slower than the {device.upper()} for all but the smallest networks; --device cpu chooses it"
    why_not["jax-cpu"] = (
        "only rehearses what a TPU runs; --device jax-cpu chooses it"
        if versions["jax"]
        else "JAX is not installed; pip install 'keras-nas[tpu]'"
    )
    backend = "jax" if device == "tpu" else "tensorflow"
    yield "choice", {"device": device, "backend": backend, "why": why, "why_not": why_not}
    yield "precision", _precision(gpus, tpu=device == "tpu")


def _precision(gpus: list[dict[str, Any]], *, tpu: bool) -> dict[str, str]:
    if tpu:
        refused = "refused: a TPU multiplies bfloat16, not float16"
        return {"float32": "works", "mixed_float16": refused, "mixed_bfloat16": "fast (matrix unit)"}
    fast = [tuple(gpu["compute_capability"]) for gpu in gpus if gpu.get("compute_capability")]
    if not gpus:
        slow = "works, without gain on a CPU"
        return {"float32": "works", "mixed_float16": slow, "mixed_bfloat16": slow}
    return {
        "float32": "works",
        "mixed_float16": "fast (tensor cores)" if fast and min(fast) >= (7, 0) else "works, without tensor cores",
        "mixed_bfloat16": "fast (tensor cores)" if fast and min(fast) >= (8, 0) else "works, without tensor cores",
    }


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def usable_cpus() -> int:
    """Those this process may run on, at least 1; in a container they are fewer than the machine's, or quota of them."""
    affinity = getattr(os, "sched_getaffinity", None)  # not on macOS
    cpus = len(affinity(0)) if affinity else os.cpu_count() or 1
    try:
        quota, period = map(int, (_CGROUP / "cpu.max").read_text().split())
    except (OSError, ValueError):  # not in a container, or "max"
        return cpus
    return max(1, min(cpus, quota // period))


def free_bytes() -> int:
    """Memory that can still be taken, of the machine's and of the container's; pages of files give way."""
    import psutil

    free = int(psutil.virtual_memory().available)
    limit = _memory_limit()
    if limit is None:
        return free
    used = int((_CGROUP / "memory.current").read_text())
    statistics = dict(line.split() for line in (_CGROUP / "memory.stat").read_text().splitlines())
    return max(0, min(free, limit - used + int(statistics["inactive_file"])))


def _memory_bytes() -> int | None:
    """Of the machine, or the container's limit."""
    try:
        total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError, AttributeError):
        return None
    return min(total, _memory_limit() or total)


def _memory_limit() -> int | None:
    try:
        return int((_CGROUP / "memory.max").read_text())
    except (OSError, ValueError):  # not in a container, or "max"
        return None


def _disk(runs_dir: Path) -> dict[str, Any]:
    existing = runs_dir.resolve()
    while not existing.exists():
        existing = existing.parent
    return {
        "path": str(runs_dir),
        "writable": existing.is_dir() and os.access(existing, os.W_OK),
        "free_bytes": shutil.disk_usage(existing).free,
    }
