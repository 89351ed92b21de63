"""What happened in a search, as a file that only grows: durable before a trial starts and when it ends."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, final

from nas.architecture import Architecture, ArchitectureError
from nas.errors import NasError
from nas.trial import FinalTraining, TrialRecord, TrialStatus

FORMAT = 1
"""Version of the journal's lines."""


class JournalError(NasError):
    """A journal that cannot be read or written."""


@final
class Journal:
    """One JSON object a line; the first says what the file is. Numbers are read back to the last bit.

    A line counts once it ends. A process that is killed while it writes leaves at most one unfinished last line, which
    the next one removes; any other damage is an error, never a silent restart.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> list[TrialRecord]:
        """Every trial in the order of its start; one that started and did not end is RUNNING.

        Raises:
            JournalError: the file is damaged or from a newer version.
        """
        trials: dict[int, TrialRecord] = {}
        for number, line in enumerate(self._lines(), start=1):
            try:
                event = json.loads(line)
                if number == 1:
                    self._check_header(event)
                elif event["event"] == "start":
                    architecture = Architecture.from_dict(event["architecture"])
                    trials[event["trial"]] = TrialRecord(
                        number=event["trial"],
                        architecture=architecture,
                        status=TrialStatus.RUNNING,
                        parent=event.get("parent"),
                    )
                elif event["event"] == "final":
                    training = FinalTraining(
                        seed=event["seed"],
                        val_accuracy=float(event["val_accuracy"]),
                        test_accuracy=float(event["test_accuracy"]),
                    )
                    trials[event["trial"]] = trials[event["trial"]].with_final(training)
                elif event["event"] == "continue":
                    trials[event["trial"]] = replace(trials[event["trial"]], status=TrialStatus.RUNNING)
                else:
                    trials[event["trial"]] = _ended(trials[event["trial"]], event)
            except (ValueError, KeyError, TypeError, AttributeError, ArchitectureError) as error:
                raise JournalError(
                    f"line {number} of {self.path} is damaged ({type(error).__name__}: {error}); restore the file from "
                    f"a backup, or remove that line, or start over with --fresh"
                ) from None
        return list(trials.values())

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

    def repair(self) -> None:
        """Remove an unfinished last line; call it once, holding the search's lock, before writing."""
        if not self.path.exists():
            return
        content = self._bytes()
        whole = content.rfind(b"\n") + 1
        if whole < len(content):
            with _errors(self.path), self.path.open("rb+") as file:
                file.truncate(whole)
                os.fsync(file.fileno())

    def _append(self, event: Mapping[str, Any]) -> None:
        with _errors(self.path):
            new = not self.path.exists() or self.path.stat().st_size == 0
            lines = [json.dumps(event, separators=(",", ":"), allow_nan=False)]
            if new:
                lines.insert(0, json.dumps({"format": FORMAT, "kind": "nas trials"}))
            before = 0 if new else self.path.stat().st_size
            with self.path.open("ab") as file:
                try:
                    file.write("".join(f"{line}\n" for line in lines).encode())
                    file.flush()
                    os.fsync(file.fileno())
                except OSError:
                    # A full disk may have taken half a line.
                    os.truncate(self.path, before)
                    raise
            if new:
                _sync_folder(self.path.parent)

    def _bytes(self) -> bytes:
        with _errors(self.path):
            return self.path.read_bytes()

    def _lines(self) -> Iterable[bytes]:
        return self._bytes().split(b"\n")[:-1] if self.path.exists() else ()

    def _check_header(self, event: Mapping[str, Any]) -> None:
        if event.get("kind") != "nas trials":
            raise ValueError("this is no journal of nas")
        if event["format"] > FORMAT:
            raise JournalError(
                f"{self.path} was written by a newer version (format {event['format']}, this one reads {FORMAT}); "
                f"upgrade keras-nas"
            )


def _ended(running: TrialRecord, event: Mapping[str, Any]) -> TrialRecord:
    return TrialRecord(
        number=running.number,
        architecture=running.architecture,
        status=TrialStatus(event["status"]),
        metrics={name: float(value) for name, value in event["metrics"].items()},
        curves={name: tuple(values) for name, values in event["curves"].items()},
        duration_seconds=float(event["duration_seconds"]),
        reason=event["reason"],
        log=event["log"],
        parent=running.parent,
    )


class _errors:  # noqa: N801 - used as a verb: `with _errors(path)`
    """Turn what the file system refuses into one line."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if isinstance(error, OSError):
            raise JournalError(
                f"cannot keep the search's state in {self.path}: {error.strerror or error}; everything that finished "
                f"is kept; free space or make the folder writable, then run the same command again"
            ) from None


def write_atomically(path: Path, content: str | bytes) -> None:
    """Replace a file as a whole, durably.

    Raises:
        JournalError: the file system refuses.
    """
    temporary = path.with_name(f".{path.name}.new")
    with _errors(path):
        path.parent.mkdir(exist_ok=True)
        with temporary.open("wb") as file:
            file.write(content.encode() if isinstance(content, str) else content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
