"""What happened to one proposed architecture: the record that strategies, fronts and trackers read."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING

from nas.objectives import LATENCY

if TYPE_CHECKING:
    from nas.architecture import Architecture


def seven_figures(value: float) -> float:
    """What is measured, as a trial has it: all that float32 has, and short when it is written.

    Numbers are rounded before anybody reads them. Rounded later, on their way to the disk, they would no longer be
    equal after a restart where they were before, and the search would go on as another one.
    """
    return float(f"{value:.7g}")


class TrialStatus(StrEnum):
    RUNNING = "RUNNING"
    STOPPED = "STOPPED"
    """At a rung of early stopping; it may go on later."""
    COMPLETED = "COMPLETED"
    REFUSED = "REFUSED"
    """Over a limit that only a measurement shows, which is latency; it was not trained."""
    FAILED = "FAILED"


@dataclass(frozen=True, kw_only=True, slots=True)
class FinalTraining:
    """One training of the final stage: from scratch, in full. Accuracies are in [0, 1]."""

    seed: int
    val_accuracy: float
    test_accuracy: float


@dataclass(frozen=True, kw_only=True, slots=True)
class TrialRecord:
    """One trial. A failed one has a `reason` and no invented number; a stopped one has what it came to so far.

    Attributes:
        number: position in the search, from 0.
        metrics: final values; `val_accuracy` in [0, 1] and `val_loss` of the best epoch; `latency_ms` if it was asked
            for.
        curves: one value an epoch, by name (`accuracy`, `loss`, `val_accuracy`, `val_loss`).
        duration_seconds: build, training and evaluation.
        reason: why it failed or was refused, one line; "" if it was not.
        log: what it wrote about its failure, such as a traceback; "" if it did not fail.
        finals: its trainings in the final stage, which `metrics` sums up as `test_accuracy`, `test_accuracy_std` (of
            one training), `test_seeds` and `final_val_accuracy`.
        failed_finals: why trainings of the final stage failed, by seed.
        parent: number of the trial whose weights it started with; None if it started from its own.
    """

    number: int
    architecture: Architecture
    status: TrialStatus
    metrics: Mapping[str, float] = field(default_factory=dict)
    curves: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    duration_seconds: float = 0.0
    reason: str = ""
    log: str = ""
    parent: int | None = None
    finals: tuple[FinalTraining, ...] = ()
    failed_finals: Mapping[int, str] = field(default_factory=dict)

    def with_final(self, training: FinalTraining) -> TrialRecord:
        """After one more training of the final stage."""
        finals = (*self.finals, training)
        tested = [each.test_accuracy for each in finals]
        summary = {
            "test_accuracy": statistics.fmean(tested),
            "test_seeds": float(len(finals)),
            "final_val_accuracy": statistics.fmean(each.val_accuracy for each in finals),
        }
        if len(finals) > 1:
            summary["test_accuracy_std"] = statistics.stdev(tested)
        return replace(self, finals=finals, metrics={**self.metrics, **summary})

    def with_failed_final(self, seed: int, reason: str) -> TrialRecord:
        """After a training of the final stage that failed."""
        return replace(self, failed_finals={**self.failed_finals, seed: reason})

    @property
    def completed(self) -> bool:
        return self.status is TrialStatus.COMPLETED

    @property
    def curve(self) -> tuple[float, ...]:
        """Validation accuracy after each epoch so far."""
        return self.curves.get("val_accuracy", ())

    @property
    def parameters(self) -> int:
        """All weights, trainable and not; known before training."""
        return self.architecture.count.parameters

    @property
    def macs(self) -> int:
        return self.architecture.count.macs

    def cost(self, name: str) -> float:
        """One of `nas.objectives.COSTS`.

        Raises:
            KeyError: it was not measured.
        """
        return self.metrics[name] if name == LATENCY else getattr(self.architecture.count, name)

    def has_cost(self, name: str) -> bool:
        """Whether that cost is known: a trial that failed early has no latency."""
        return name != LATENCY or LATENCY in self.metrics

    @property
    def val_accuracy(self) -> float:
        """In [0, 1].

        Raises:
            KeyError: the trial has none.
        """
        return self.metrics["val_accuracy"]


def incomplete(records: Iterable[TrialRecord]) -> str:
    """How many did not complete, in words, such as "2 failed, 1 not ended"; "" if all did."""
    statuses = [record.status for record in records]
    words = {
        TrialStatus.FAILED: "failed",
        TrialStatus.REFUSED: "refused",
        TrialStatus.STOPPED: "stopped early",
        TrialStatus.RUNNING: "not ended",
    }
    return ", ".join(f"{count:,} {text}" for status, text in words.items() if (count := statuses.count(status)))
