"""What happened in a search, as a file that only grows: durable before a trial starts and when it ends."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, final

from nas.architecture import Architecture, ArchitectureError
from nas.errors import NasError
from nas.files.durable import keeping, write_atomically
from nas.objectives import Score
from nas.results.trial import FinalTraining, TrialRecord, TrialStatus

FORMAT = 1
"""Version of the journal's lines."""

_DAMAGE = (ValueError, KeyError, TypeError, AttributeError, ArithmeticError, RecursionError, ArchitectureError)
"""What reading a damaged line raises; RecursionError if it is nested too deeply, ArithmeticError for 400 digits."""

_RESTORE = "restore the file from a backup, or start over with --fresh"


class JournalError(NasError):
    """A journal that is damaged, or from a newer version."""


@final
@dataclass(frozen=True, kw_only=True, slots=True)
class Contents:
    """What a journal says at the moment at which it is read.

    Attributes:
        trials: in the order of their start; a trial that started and did not end is RUNNING.
        exhausted: whether every architecture of the space inside the budget has been tried.
    """

    trials: tuple[TrialRecord, ...]
    exhausted: bool


@final
class Journal:
    """One JSON object a line; the first says what the file is. Numbers are read back to the last bit.

    A line counts once it ends. A process that is killed while it writes leaves at most one unfinished last line, which
    the next process removes; any other damage is an error, never a silent restart.

    Args:
        path: of the file.
        score: of the search. Its metric's name stands in the file where records say `score`, such as `val_accuracy`.
    """

    def __init__(self, path: Path, score: Score) -> None:
        self.path, self.score = path, score

    def create(self) -> None:
        """Make an empty one, unless there is one."""
        if not self.path.exists():
            write_atomically(self.path, json.dumps({"format": FORMAT, "kind": "nas trials"}) + "\n")

    def read(self) -> Contents:
        """All that is in it.

        Raises:
            JournalError: the file is missing, damaged or from a newer version.
        """
        trials: dict[int, TrialRecord] = {}
        exhausted = False
        header, *lines = _lines(self.path)
        _check_header(self.path, header)
        for number, line in enumerate(lines, start=2):
            try:
                event = json.loads(line)
                if event["event"] == "start":
                    if event["trial"] != len(trials):
                        # Keras Tuner numbers a trial by how many there are.
                        raise ValueError(f"trial {event['trial']} starts where trial {len(trials)} would")
                    architecture = Architecture.from_dict(event["architecture"])
                    trials[event["trial"]] = TrialRecord(
                        number=event["trial"],
                        architecture=architecture,
                        status=TrialStatus.RUNNING,
                        parent=event.get("parent"),
                    )
                elif event["event"] == "final":
                    trials[event["trial"]] = self._trained_again(trials[event["trial"]], event)
                elif event["event"] == "exhausted":
                    exhausted = True
                elif event["event"] == "continue":
                    trials[event["trial"]] = replace(trials[event["trial"]], status=TrialStatus.RUNNING)
                elif event["event"] == "end":
                    trials[event["trial"]] = self._ended(trials[event["trial"]], event)
                else:
                    received = repr(event["event"])[:40]
                    raise ValueError(f"an event is start, continue, end, final or exhausted; received {received}")
            except _DAMAGE as error:
                raise _damaged(self.path, number, error) from None
        return Contents(trials=tuple(trials.values()), exhausted=exhausted)

    def exhaust(self) -> None:
        """Nothing is left to propose, now and whenever the search goes on: neither its space nor its budget change."""
        self._append({"event": "exhausted"})

    def start(self, trial: int, architecture: Architecture, parent: int | None = None) -> None:
        """A trial is about to run, with the weights of an earlier one if there is a parent."""
        origin = {} if parent is None else {"parent": parent}
        self._append({"event": "start", "trial": trial, **origin, "architecture": architecture.to_dict()})

    def resume(self, trial: int) -> None:
        """A trial that stopped at a rung is about to go on."""
        self._append({"event": "continue", "trial": trial})

    def end(self, record: TrialRecord) -> None:
        """A trial has ended, or stopped at a rung."""
        self._append(
            {
                "event": "end",
                "trial": record.number,
                "status": record.status.value,
                "metrics": self.score.spelled_keys(record.metrics),
                "curves": self.score.spelled_keys(record.curves),
                "duration_seconds": record.duration_seconds,
                "reason": record.reason,
                "log": record.log,
                # Not that of its start if its parent's weights were gone.
                "parent": record.parent,
            }
        )

    def final(self, trial: int, training: FinalTraining) -> None:
        """A trial of the front was trained again in the final stage."""
        scores = {"val_score": training.val_score, "test_score": training.test_score}
        self._append({"event": "final", "trial": trial, "seed": training.seed, **self.score.spelled_keys(scores)})

    def final_failed(self, trial: int, seed: int, reason: str) -> None:
        """A training of the final stage failed, and is not tried again."""
        self._append({"event": "final", "trial": trial, "seed": seed, "reason": reason})

    def repair(self) -> None:
        """Remove an unfinished last line; call it once, holding the search's lock, before writing."""
        content = _bytes(self.path)
        whole = content.rfind(b"\n") + 1
        if whole < len(content):
            with keeping(self.path), self.path.open("rb+") as file:
                file.truncate(whole)
                os.fsync(file.fileno())

    def _append(self, event: Mapping[str, Any]) -> None:
        with keeping(self.path):
            before, rest = self.path.stat().st_size, _line(event) + b"\n"
            # Unbuffered: what a full disk refuses must not be written once more when the file is closed.
            with self.path.open("ab", buffering=0) as file:
                try:
                    while rest:
                        rest = rest[file.write(rest) :]
                    os.fsync(file.fileno())
                except OSError:
                    # It may have taken half a line.
                    file.truncate(before)
                    raise

    def _trained_again(self, record: TrialRecord, event: Mapping[str, Any]) -> TrialRecord:
        if "reason" in event:
            return record.with_failed_final(event["seed"], event["reason"])
        values = self.score.inner_keys(event)
        found = FinalTraining(
            seed=event["seed"], val_score=float(values["val_score"]), test_score=float(values["test_score"])
        )
        _check_scores("a final training", (found.val_score, found.test_score))
        return record.with_final(found)

    def _ended(self, running: TrialRecord, event: Mapping[str, Any]) -> TrialRecord:
        metrics, curves = self.score.inner_keys(event["metrics"]), self.score.inner_keys(event["curves"])
        record = TrialRecord(
            number=running.number,
            architecture=running.architecture,
            status=TrialStatus(event["status"]),
            metrics={name: float(value) for name, value in metrics.items()},
            curves={name: tuple(values) for name, values in curves.items()},
            duration_seconds=float(event["duration_seconds"]),
            reason=event["reason"],
            log=event["log"],
            parent=event.get("parent", running.parent),
        )
        if record.completed and "val_score" not in record.metrics:
            raise ValueError(f"a trial was completed without a {self.score.objective}")
        if record.completed:
            _check_scores(self.score.objective, (record.metrics["val_score"],))
            _check_scores(f"a curve of {self.score.objective}", record.curves.get("val_score", ()))
        return record


def has_trials(path: Path) -> bool:
    """Whether there is a journal with more than its first line."""
    return path.is_file() and _bytes(path).count(b"\n") > 1


def check_version(path: Path) -> None:
    """Called for a search that is otherwise not understood: a newer version's files may have more than is known here.

    Raises:
        JournalError: the journal is missing, or no journal, or from a newer version.
    """
    _check_header(path, _lines(path)[0])


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise JournalError(f"cannot read {path}: {error.strerror or error}; {_RESTORE}") from None


def _lines(path: Path) -> list[bytes]:
    """The lines that have ended, of which the first is there."""
    lines = _bytes(path).split(b"\n")[:-1]
    if not lines:
        raise JournalError(f"{path} has not even its first line; {_RESTORE}")
    return lines


def _check_header(path: Path, line: bytes) -> None:
    try:
        header = json.loads(line)
        if header.get("kind") != "nas trials":
            raise ValueError("this is no journal of nas")
        newer = header["format"] > FORMAT
    except _DAMAGE as error:
        raise _damaged(path, 1, error) from None
    if newer:
        raise JournalError(
            f"{path} was written by a newer version (format {header['format']}, this one reads {FORMAT}); "
            f"upgrade keras-nas"
        )


def _check_scores(what: str, scores: Iterable[float]) -> None:
    """Raises a ValueError for a score that none can be: it would be believed on the front."""
    for score in scores:
        if not (math.isfinite(score) and 0 <= score <= 1):
            raise ValueError(f"{what} must be in [0, 1]; received {score:g}")


def _damaged(path: Path, number: int, error: Exception) -> JournalError:
    return JournalError(f"line {number} of {path} is damaged ({type(error).__name__}: {error}); {_RESTORE}")


def _line(event: Mapping[str, Any]) -> bytes:
    return json.dumps(event, separators=(",", ":"), allow_nan=False).encode()
