"""What this machine has, who trains where, and importing TensorFlow quietly."""

from __future__ import annotations

from nas.devices.machine import inspect_machine
from nas.devices.selection import Devices, open_devices, select_devices
from nas.devices.tensorflow_import import captured, import_tensorflow, without_noise

__all__ = [
    "Devices",
    "captured",
    "import_tensorflow",
    "inspect_machine",
    "open_devices",
    "select_devices",
    "without_noise",
]
