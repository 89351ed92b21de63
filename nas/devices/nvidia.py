"""What NVIDIA's driver says of its cards, whether or not TensorFlow can use them."""

from __future__ import annotations

import os
import subprocess


def cards() -> list[str]:
    """A line a card: name, memory, driver; [] without a driver."""
    return _ask("name,memory.total,driver_version", "csv,noheader")


def memory_bytes() -> int | None:
    """Of the smallest card; None if the driver does not say."""
    try:
        return min((int(line) << 20 for line in _ask("memory.total", "csv,noheader,nounits")), default=None)
    except ValueError:  # "[N/A]", where memory is shared with the CPU
        return None


def why_no_gpu(*, built_with_cuda: bool) -> str:
    """The likeliest reason that TensorFlow sees none."""
    if os.environ.get("CUDA_VISIBLE_DEVICES") in ("", "-1"):
        return "CUDA_VISIBLE_DEVICES hides every GPU"
    if not cards():
        return "no NVIDIA driver answers (nvidia-smi)"
    if not built_with_cuda:
        return "this TensorFlow is built without CUDA; install the package `tensorflow` for Linux"
    return "the driver works, but TensorFlow lacks its CUDA libraries; pip install 'keras-nas[gpu]'"


def _ask(fields: str, form: str) -> list[str]:
    command = ["nvidia-smi", f"--query-gpu={fields}", f"--format={form}"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return []
    return done.stdout.splitlines() if done.returncode == 0 else []
