"""What happened to one proposed architecture: the record that strategies, fronts and trackers read."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING

from nas.objectives import PARAMETERS, Cost, Score
from nas.quantity import counted
from nas.recipe import Recipe, described

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
    """Over a limit that only a measurement shows, such as latency; it was not trained."""
    FAILED = "FAILED"


@dataclass(frozen=True, kw_only=True, slots=True)
class FinalTraining:
    """One training of the final stage: from scratch, in full. Scores are in [0, 1].

    Attributes:
        teacher: whose answers it learned, and how; "" if it had none.
    """

    seed: int
    val_score: float
    test_score: float
    teacher: str = ""


@dataclass(frozen=True, kw_only=True, slots=True, repr=False)
class TrialRecord:
    """One trial. A failed one has a `reason` and no invented number; a stopped one has its results so far.

    Attributes:
        number: position in the search, from 0.
        metrics: final values; `val_score` in [0, 1] and `val_loss` of the best epoch; `trained_val_score` beside the
            score of an int8 file; measured costs, such as `latency_ms`, if they were asked for; perhaps
            `expected_score`, which follows from all trials, and `int8_val_score`, which no journal has.
        curves: one value an epoch, by name (`score`, `loss`, `val_score`, `val_loss`).
        duration_seconds: build, training and evaluation.
        reason: why it failed or was refused, one line; "" if it was not.
        log: what it wrote about its failure, such as a traceback; "" if it did not fail.
        finals: its trainings in the final stage, which `metrics` sums up as `test_score`, `test_score_std` (of one
            training), `test_seeds` and `final_val_score`.
        failed_finals: why trainings of the final stage failed, by seed.
        taught: its trainings with a teacher, of which `metrics` has `taught_test_score` and `taught_test_score_std`.
        failed_taught: why trainings with a teacher failed, by teacher and seed.
        parent: number of the trial whose weights it started with; None if it started from random ones.
        recipe: what it was trained with, of what the search chooses; {} if that is the same for all trials.
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
    taught: tuple[FinalTraining, ...] = ()
    failed_taught: Mapping[tuple[str, int], str] = field(default_factory=dict)
    recipe: Recipe = field(default_factory=dict)

    def __repr__(self) -> str:
        known = f", score {self.score:.4f}" if "val_score" in self.metrics else ""
        size = PARAMETERS.words(self.parameters)
        return f"TrialRecord({self.number}, {self.status}, {size}{known}, {self.architecture.describe()})"

    def with_final(self, training: FinalTraining) -> TrialRecord:
        """After one more training of the final stage."""
        if training.teacher:
            return self._with_taught(training)
        finals = (*self.finals, training)
        tested = [each.test_score for each in finals]
        summary = {
            "test_score": statistics.fmean(tested),
            "test_seeds": float(len(finals)),
            "final_val_score": statistics.fmean(each.val_score for each in finals),
        }
        if len(finals) > 1:
            summary["test_score_std"] = statistics.stdev(tested)
        return replace(self, finals=finals, metrics={**self.metrics, **summary})

    def _with_taught(self, training: FinalTraining) -> TrialRecord:
        """Only trainings with the same teacher compare."""
        taught = (*(each for each in self.taught if each.teacher == training.teacher), training)
        tested = [each.test_score for each in taught]
        metrics = {k: v for k, v in self.metrics.items() if not k.startswith("taught_")}
        metrics["taught_test_score"] = statistics.fmean(tested)
        if len(taught) > 1:
            metrics["taught_test_score_std"] = statistics.stdev(tested)
        return replace(self, taught=taught, metrics=metrics)

    def with_failed_final(self, seed: int, reason: str, teacher: str = "") -> TrialRecord:
        """After a training of the final stage that failed."""
        if teacher:
            return replace(self, failed_taught={**self.failed_taught, (teacher, seed): reason})
        return replace(self, failed_finals={**self.failed_finals, seed: reason})

    @property
    def completed(self) -> bool:
        return self.status is TrialStatus.COMPLETED

    @property
    def in_words(self) -> str:
        """The network in one line, and its recipe if it has one."""
        return f"{self.architecture.describe()}{f' ({described(self.recipe)})' if self.recipe else ''}"

    @property
    def curve(self) -> tuple[float, ...]:
        """Validation score after each epoch so far."""
        return self.curves.get("val_score", ())

    @property
    def parameters(self) -> int:
        """All weights, trainable and not; known before training."""
        return self.architecture.count.parameters

    @property
    def macs(self) -> int:
        return self.architecture.count.macs

    def cost(self, cost: Cost) -> float:
        """What the network costs.

        Raises:
            KeyError: it was not measured.
        """
        return self.metrics[cost.name] if cost.measured else cost.of(self.architecture.count)

    def has_cost(self, cost: Cost) -> bool:
        """Whether that cost is known: a trial that failed early has no latency."""
        return cost.is_counted or cost.name in self.metrics

    @property
    def score(self) -> float:
        """On the validation images, in [0, 1]: what is expected of another training, or what was observed.

        Raises:
            KeyError: the trial has none.
        """
        return self.metrics.get("expected_score", self.observed)

    @property
    def observed(self) -> float:
        """The score of its training; if it stopped before there was an int8 file, that of the trained network.

        Raises:
            KeyError: the trial has none.
        """
        return self.metrics["trained_val_score" if "val_score" not in self.metrics else "val_score"]

    @property
    def is_expected(self) -> bool:
        """Whether its score is what is expected, and not what was observed."""
        return "expected_score" in self.metrics

    def score_heading(self, score: Score) -> str:
        """What its score is called: "expected accuracy", or "validation accuracy" if it was observed."""
        return f"{'expected' if self.is_expected else 'validation'} {score.heading}"

    def score_text(self, score: Score) -> str:
        """The score in words; what was observed stands beside what is expected."""
        text = f"{score.text(self.score)} validation {score.heading}"
        return f"{text} expected, {score.text(self.observed)} observed" if self.is_expected else text

    def as_observed(self) -> TrialRecord:
        """Without an expectation."""
        return replace(self, metrics={k: v for k, v in self.metrics.items() if k != "expected_score"})

    @property
    def is_tested(self) -> bool:
        """Whether the final stage has scored it on the test images."""
        return "test_score" in self.metrics

    def taught_text(self, score: Score) -> str:
        """The score on the test images with a teacher, as `test_text` says it; "" if it had none."""
        if not self.taught:
            return ""
        text = score.text(self.metrics["taught_test_score"])
        if "taught_test_score_std" in self.metrics:
            text += f" ± {score.points(self.metrics['taught_test_score_std'])}"
        failures = sum(teacher == self.taught[-1].teacher for teacher, _ in self.failed_taught)
        failed = f", {failures} failed" if failures else ""
        return f"{text} ({counted(len(self.taught), 'seed')}{failed})"

    def test_text(self, score: Score) -> str:
        """The score on the test images: mean over training runs, standard deviation, how many and how many failed.

        "" if it was not measured.
        """
        if not self.is_tested:
            return ""
        text = score.text(self.metrics["test_score"])
        if "test_score_std" in self.metrics:
            text += f" ± {score.points(self.metrics['test_score_std'])}"
        if "test_seeds" in self.metrics:
            failed = f", {len(self.failed_finals)} failed" if self.failed_finals else ""
            text += f" ({counted(round(self.metrics['test_seeds']), 'seed')}{failed})"
        return text


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
