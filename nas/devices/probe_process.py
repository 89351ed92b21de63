"""Asks a runtime for its devices in a process of its own, which may hang, abort or fail."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from typing import Any

from nas.devices.visible import Runtime, VisibleDevices

PROBE = (sys.executable, "-m", "nas.devices.probe")

LIMIT_SECONDS = 120.0
"""A TPU takes up to a minute to start, and so does TensorFlow on a busy machine."""


def ask(
    what: str,
    *,
    name: str,
    time_limit_seconds: float,
    visible: VisibleDevices | None = None,
    command: Sequence[str] = PROBE,
) -> tuple[dict[str, Any], str]:
    """What a probe printed, and why it printed nothing.

    Args:
        what: key of `nas.devices.probe.PROBES`.
        name: of the runtime, for the reason.
        time_limit_seconds: after which the process is ended.
        visible: whose environment the process has.
        command: that starts it.
    """
    environment = os.environ | (visible.environment() if visible else {"KERAS_BACKEND": "tensorflow"})
    try:
        done = subprocess.run(
            [*command, what],
            capture_output=True,
            text=True,
            timeout=time_limit_seconds,
            check=False,
            env=environment,
        )
    except subprocess.TimeoutExpired:
        return {}, f"{name} did not answer within {time_limit_seconds:g} seconds"
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
    return {}, f"{name} failed to start (exit status {done.returncode}): {last[:300]}"


def ask_tpu(
    runtime: Runtime, *, time_limit_seconds: float = LIMIT_SECONDS, command: Sequence[str] = PROBE
) -> tuple[dict[str, Any], str]:
    """The TPU of this machine as a runtime sees it: `devices` and `chips`; or {} and why it sees none."""
    if runtime == "jax" and not has_tpu_library():
        return {}, "JAX for TPUs is not installed; pip install 'keras-nas[tpu]'"
    visible = VisibleDevices(kind="tpu", runtime=runtime)
    name = "JAX" if runtime == "jax" else "TensorFlow"
    return ask(f"tpu-{runtime}", name=name, time_limit_seconds=time_limit_seconds, visible=visible, command=command)


def has_tpu_library() -> bool:
    """Whether JAX could use a TPU if there were one; no process is started to find out."""
    return find_spec("jax") is not None and find_spec("libtpu") is not None
