"""Which devices a process may use: decided before it starts, since TensorFlow, JAX and Keras read it when imported."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Kind = Literal["cpu", "gpu", "tpu", "jax-cpu"]
Runtime = Literal["tensorflow", "jax"]

_BOUNDS = {1: "1,1,1", 2: "1,2,1"}
"""How chips of one process lie beside each other. With more, a process takes the whole host."""

_CACHE_BYTES = 2**30


@dataclass(frozen=True, kw_only=True)
class VisibleDevices:
    """What one process trains on.

    Attributes:
        kind: of the devices; "jax-cpu" are virtual ones, on which everything of a TPU runs but the TPU.
        visible: GPUs as CUDA_VISIBLE_DEVICES calls them, TPU chips as TPU_VISIBLE_CHIPS does, a name for each virtual
            device; () for all TPU chips.
        runtime: the Keras backend.
        memory_bytes: that the process may take of a GPU which it shares; None for a GPU of its own.
    """

    kind: Kind
    visible: tuple[str, ...] = ()
    runtime: Runtime = "tensorflow"
    memory_bytes: int | None = None

    def environment(self) -> dict[str, str]:
        """What the process needs in `os.environ` before it imports TensorFlow, JAX or Keras."""
        settings = {
            "KERAS_BACKEND": self.runtime,
            # Empty hides all GPUs: also from the TensorFlow that only reads the data.
            "CUDA_VISIBLE_DEVICES": ",".join(self.visible) if self.kind == "gpu" else "",
        }
        if self.runtime == "tensorflow":
            return settings
        cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "nas" / "jax"
        settings |= {
            # A platform that is named and does not start is an error; otherwise JAX would go on without it.
            "JAX_PLATFORMS": "tpu,cpu" if self.kind == "tpu" else "cpu",
            "JAX_COMPILATION_CACHE_DIR": os.environ.get("JAX_COMPILATION_CACHE_DIR", str(cache)),
            "JAX_COMPILATION_CACHE_MAX_SIZE": os.environ.get("JAX_COMPILATION_CACHE_MAX_SIZE", str(_CACHE_BYTES)),
        }
        if self.kind == "jax-cpu":
            count = f"--xla_force_host_platform_device_count={len(self.visible)}"
            settings["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} {count}".strip()
        elif self.visible:
            settings |= {
                "TPU_VISIBLE_CHIPS": ",".join(self.visible),
                "TPU_CHIPS_PER_PROCESS_BOUNDS": _BOUNDS[len(self.visible)],
                "TPU_PROCESS_BOUNDS": "1,1,1",
            }
        return settings
