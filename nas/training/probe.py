"""Run as `python -m nas.training.probe`: prints what TensorFlow sees, as JSON on the last line.

A process of its own, because a broken driver or TPU library can hang or abort the interpreter that imports it.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from nas.training.quiet import import_tensorflow


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


if __name__ == "__main__":
    sys.stdout.write(json.dumps(probe()) + "\n")
