"""What happened in a search, as a file that only grows: durable before a trial starts and when it ends."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, final

from nas.architecture import Architecture, ArchitectureError
from nas.errors import NasError
from nas.files.durable import keeping, write_atomically
from nas.results.trial import FinalTraining, TrialRecord, TrialStatus

FORMAT = 1
"""Version of the journal's lines."""

_RESTORE = "restore the file from a backup, or start over with --fresh"


class JournalError(NasError):
    """A journal that is damaged, or from a newer version."""


@final
class Journal:
    """One JSON object a line; the first says what the file is. Numbers are read back to the last bit.

    A line counts once it ends. A process that is killed while it writes leaves at most one unfinished last line, which
    the next one removes; any other damage is an error, never a silent restart.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def create(self) -> None:
        """Make an empty one, unless there is one."""
        if not self.path.exists():
            write_atomically(self.path, json.dumps({"format": FORMAT, "kind": "nas trials"}) + "\n")

    def check_version(self) -> None:
        """Of a search that is otherwise not understood, as a newer one may have more than this knows.

        Raises:
            JournalError: the journal is missing, or no journal, or from a newer version.
        """
        self._check_header(self._lines()[0])

    def read(self) -> list[TrialRecord]:
        """Every trial in the order of its start; one that started and did not end is RUNNING.

        Raises:
            JournalError: the file is missing, damaged or from a newer version.
        """
        trials: dict[int, TrialRecord] = {}
        for number, line in enumerate(self._lines(), start=1):
            if number == 1:
                self._check_header(line)
                continue
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
                    trials[event["trial"]] = _trained_again(trials[event["trial"]], event)
                elif event["event"] == "exhausted":
                    continue
                elif event["event"] == "continue":
                    trials[event["trial"]] = replace(trials[event["trial"]], status=TrialStatus.RUNNING)
                else:
                    trials[event["trial"]] = _ended(trials[event["trial"]], event)
            except (ValueError, KeyError, TypeError, AttributeError, ArchitectureError) as error:
                raise self._damaged(number, error) from None
        return list(trials.values())

    @property
    def has_trials(self) -> bool:
        """Whether more than its first line was written."""
        return self.path.is_file() and self._bytes().count(b"\n") > 1

    @property
    def exhausted(self) -> bool:
        """Whether every architecture of the space inside the budget has been tried."""
        return _line({"event": "exhausted"}) in self._lines()

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
                "metrics": record.metrics,
                "curves": record.curves,
                "duration_seconds": record.duration_seconds,
                "reason": record.reason,
                "log": record.log,
                # Not that of its start if its parent's weights were gone.
                "parent": record.parent,
            }
        )

    def final(self, trial: int, training: FinalTraining) -> None:
        """A trial of the front was trained again in the final stage."""
        self._append(
            {
                "event": "final",
                "trial": trial,
                "seed": training.seed,
                "val_accuracy": training.val_accuracy,
                "test_accuracy": training.test_accuracy,
            }
        )

    def final_failed(self, trial: int, seed: int, reason: str) -> None:
        """A training of the final stage failed, and is not tried again."""
        self._append({"event": "final", "trial": trial, "seed": seed, "reason": reason})

    def repair(self) -> None:
        """Remove an unfinished last line; call it once, holding the search's lock, before writing."""
        content = self._bytes()
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

    def _bytes(self) -> bytes:
        try:
            return self.path.read_bytes()
        except OSError as error:
            raise JournalError(f"cannot read {self.path}: {error.strerror or error}; {_RESTORE}") from None

    def _lines(self) -> list[bytes]:
        """Those that have ended, of which the first is there."""
        lines = self._bytes().split(b"\n")[:-1]
        if not lines:
            raise JournalError(f"{self.path} has not even its first line; {_RESTORE}")
        return lines

    def _check_header(self, line: bytes) -> None:
        try:
            header = json.loads(line)
            if header.get("kind") != "nas trials":
                raise ValueError("this is no journal of nas")
            newer = header["format"] > FORMAT
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise self._damaged(1, error) from None
        if newer:
            raise JournalError(
                f"{self.path} was written by a newer version (format {header['format']}, this one reads {FORMAT}); "
                f"upgrade keras-nas"
            )

    def _damaged(self, number: int, error: Exception) -> JournalError:
        return JournalError(f"line {number} of {self.path} is damaged ({type(error).__name__}: {error}); {_RESTORE}")


def _line(event: Mapping[str, Any]) -> bytes:
    return json.dumps(event, separators=(",", ":"), allow_nan=False).encode()


def _trained_again(record: TrialRecord, event: Mapping[str, Any]) -> TrialRecord:
    if "reason" in event:
        return record.with_failed_final(event["seed"], event["reason"])
    return record.with_final(
        FinalTraining(
            seed=event["seed"],
            val_accuracy=float(event["val_accuracy"]),
            test_accuracy=float(event["test_accuracy"]),
        )
    )


def _ended(running: TrialRecord, event: Mapping[str, Any]) -> TrialRecord:
    record = TrialRecord(
        number=running.number,
        architecture=running.architecture,
        status=TrialStatus(event["status"]),
        metrics={name: float(value) for name, value in event["metrics"].items()},
        curves={name: tuple(values) for name, values in event["curves"].items()},
        duration_seconds=float(event["duration_seconds"]),
        reason=event["reason"],
        log=event["log"],
        parent=event.get("parent", running.parent),
    )
    if record.completed and "val_accuracy" not in record.metrics:
        raise ValueError("a trial was completed without a val_accuracy")
    return record
