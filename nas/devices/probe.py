"""Run as `python -m nas.devices.probe RUNTIME`: prints the devices that a runtime sees, as JSON on the last line.

A process of its own, because a broken driver or TPU library can hang or abort the interpreter that imports it, and
because a process that has seen a TPU keeps it until it ends.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from nas.devices.selection import open_devices
from nas.devices.tensorflow_import import import_tensorflow
from nas.devices.visible import VisibleDevices


def probe() -> dict[str, Any]:
    """The devices and the build of TensorFlow in this process."""
    import_tensorflow()
    import tensorflow as tf

    devices = []
    for device in tf.config.list_physical_devices():
        details = tf.config.experimental.get_device_details(device) if device.device_type == "GPU" else {}
        capability = details.get("compute_capability")
        devices.append(
            {
                "name": device.name.removeprefix("/physical_device:"),
                "kind": device.device_type.lower(),
                "description": details.get("device_name", ""),
                "compute_capability": list(capability) if capability else None,
            }
        )
    return {"devices": devices, "built_with_cuda": bool(tf.test.is_built_with_cuda())}


def probe_tpu_of_jax() -> dict[str, Any]:
    """The TPU as JAX sees it, and its chips, of which some have two cores."""
    import jax

    devices = jax.devices("tpu")
    return {
        "devices": [
            {
                "name": f"TPU:{device.id}",
                "kind": "tpu",
                "description": device.device_kind,
                "memory_bytes": (device.memory_stats() or {}).get("bytes_limit"),
            }
            for device in devices
        ],
        "chips": len({tuple(device.coords) for device in devices}),
    }


def probe_tpu_of_tensorflow() -> dict[str, Any]:
    """The TPU as TensorFlow sees it: all of it is one process'."""
    names = open_devices(VisibleDevices(kind="tpu")).names
    return {"devices": [{"name": name, "kind": "tpu", "description": "TPUStrategy"} for name in names], "chips": 1}


PROBES = {"tensorflow": probe, "tpu-jax": probe_tpu_of_jax, "tpu-tensorflow": probe_tpu_of_tensorflow}

if __name__ == "__main__":
    sys.stdout.write(json.dumps(PROBES[sys.argv[1]]()) + "\n")
