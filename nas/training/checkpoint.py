"""A training that was left after some epochs, so that it can go on as if it had not been."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from nas.errors import NasError
from nas.files import outside
from nas.training.model import Weights

State = Sequence[npt.NDArray[Any]]
"""All that a loop needs to go on: weights, statistics, the optimizer's variables, the seeds of dropout."""


Evidence = npt.NDArray[Any]
"""Of the task, a row an image."""


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """What is kept of it.

    Attributes:
        loop: whose state it is.
        state: in the loop's own order.
        curves: as in `TrainingResult`.
        weights: of the best epoch so far.
        best_epoch: from 1.
        evidence: on the validation images, of that epoch; none in what earlier versions wrote.
    """

    loop: str
    state: State
    curves: Mapping[str, Sequence[float]]
    weights: Weights
    best_epoch: int
    evidence: Evidence = field(default_factory=lambda: np.zeros(0, np.float32))

    def to_bytes(self) -> bytes:
        """As an .npz file."""
        about = {
            "loop": self.loop,
            "best_epoch": self.best_epoch,
            "curves": {k: list(v) for k, v in self.curves.items()},
        }
        arrays = {"about": np.array(json.dumps(about)), "evidence": self.evidence}
        for kind, values in (("state", self.state), ("weights", self.weights)):
            arrays |= {f"{kind}{index:05d}": np.asarray(value) for index, value in enumerate(values)}
        file = io.BytesIO()
        np.savez(file, allow_pickle=False, **arrays)
        return file.getvalue()

    @classmethod
    def from_bytes(cls, content: bytes) -> Checkpoint:
        """What `to_bytes` gave.

        Raises:
            NasError: it is something else.
        """
        with outside.door(_damaged):
            with outside.open_arrays(io.BytesIO(content)) as file:
                about = outside.parse_json(str(file["about"]))
                evidence = file["evidence"] if "evidence" in file.files else np.zeros(0, np.float32)
                kept = {
                    kind: [file[name] for name in sorted(file.files) if name.startswith(kind)]
                    for kind in ("state", "weights")
                }
            return cls(
                evidence=evidence,
                loop=about["loop"],
                best_epoch=about["best_epoch"],
                curves={name: tuple(values) for name, values in about["curves"].items()},
                **kept,
            )


def _damaged(reason: str) -> NasError:
    return NasError(f"a checkpoint is damaged ({reason}); the trial must be trained from the start")
