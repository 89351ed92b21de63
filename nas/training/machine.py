"""What this machine has and what nas would use of it, as plain data for `nas doctor`."""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from nas import __version__
from nas.training.devices import TPU_REFUSAL

_PACKAGES = ("tensorflow", "keras", "keras-tuner", "mlflow", "tensorflow-datasets")
_PROBE = (sys.executable, "-m", "nas.training.probe")


def inspect_machine(
    runs_dir: Path = Path("runs"), *, time_limit_seconds: float = 60.0, probe_command: Sequence[str] = _PROBE
) -> dict[str, Any]:
    """Looks at the machine; never imports TensorFlow here, never hangs, never raises for what it finds.

    Returns:
        JSON-ready: `versions` (name to version, None if absent), `machine` (system, usable_cpus, memory_bytes),
        `probe` (ok, reason), `devices` (name, kind, description, compute_capability), `nvidia` (a line a card: name,
        memory, driver), `choice` (device that "auto" takes, why, and why_not of the others), `precision` (policy to
        a remark), `runs_dir` (path, writable, free_bytes).
    """
    seen, reason = _probe(probe_command, time_limit_seconds)
    devices = seen.get("devices", [])
    gpus = [device for device in devices if device["kind"] == "gpu"]
    nvidia = _nvidia_cards()
    why_not = {"tpu": TPU_REFUSAL}
    if gpus:
        device, why = "gpu", f"TensorFlow sees {len(gpus)} GPU(s)"
        why_not["cpu"] = "slower than the GPU for all but the smallest networks; choose it with --device cpu"
    else:
        device, why = "cpu", "always there"
        why_not["gpu"] = reason or _why_no_gpu(seen, nvidia)
    return {
        "versions": {"python": platform.python_version(), "nas": __version__}
        | {package: _version(package) for package in _PACKAGES},
        "machine": {
            "system": f"{platform.system()} {platform.machine()}",
            "usable_cpus": _usable_cpus(),
            "memory_bytes": _memory_bytes(),
        },
        "probe": {"ok": not reason, "reason": reason},
        "devices": devices,
        "nvidia": nvidia,
        "choice": {"device": device, "why": why, "why_not": why_not},
        "precision": _precision(gpus),
        "runs_dir": _disk(runs_dir),
    }


def _probe(command: Sequence[str], time_limit_seconds: float) -> tuple[dict[str, Any], str]:
    """What the probe printed, and why it printed nothing."""
    try:
        done = subprocess.run(list(command), capture_output=True, text=True, timeout=time_limit_seconds, check=False)
    except subprocess.TimeoutExpired:
        return {}, f"TensorFlow did not answer within {time_limit_seconds:g} seconds"
    except OSError as error:
        return {}, f"the probe could not be started: {error.strerror}"
    lines = done.stdout.splitlines()
    try:
        found = json.loads(lines[-1])
    except (IndexError, json.JSONDecodeError):
        found = None
    if done.returncode == 0 and isinstance(found, dict):
        return found, ""
    last = next((line.strip() for line in reversed(done.stderr.splitlines()) if line.strip()), "no message")
    return {}, f"TensorFlow failed to start (exit status {done.returncode}): {last[:300]}"


def _nvidia_cards() -> list[str]:
    """What the driver reports, whether or not TensorFlow can use it; [] without a driver."""
    try:
        done = subprocess.run(
            ["nvidia-smi", "--query-gpu=name,memory.total,driver_version", "--format=csv,noheader"],
            capture_output=True,
            text=True,
            timeout=10,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return []
    return done.stdout.splitlines() if done.returncode == 0 else []


def _why_no_gpu(seen: dict[str, Any], nvidia: list[str]) -> str:
    if os.environ.get("CUDA_VISIBLE_DEVICES") in ("", "-1"):
        return "CUDA_VISIBLE_DEVICES hides every GPU"
    if not nvidia:
        return "no NVIDIA driver answers (nvidia-smi)"
    if not seen.get("built_with_cuda"):
        return "this TensorFlow is built without CUDA; install the package `tensorflow` for Linux"
    return "the driver works, but TensorFlow lacks its CUDA libraries; pip install 'keras-nas[gpu]'"


def _precision(gpus: list[dict[str, Any]]) -> dict[str, str]:
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


def _usable_cpus() -> int:
    """Those this process may run on, which in a container are fewer than the machine's."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _memory_bytes() -> int | None:
    """Of the machine, or the container's limit."""
    try:
        total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError, AttributeError):
        return None
    try:
        return min(total, int(Path("/sys/fs/cgroup/memory.max").read_text()))
    except (OSError, ValueError):  # not in a container, or "max"
        return total


def _disk(runs_dir: Path) -> dict[str, Any]:
    existing = runs_dir.resolve()
    while not existing.exists():
        existing = existing.parent
    return {
        "path": str(runs_dir),
        "writable": existing.is_dir() and os.access(existing, os.W_OK),
        "free_bytes": shutil.disk_usage(existing).free,
    }
