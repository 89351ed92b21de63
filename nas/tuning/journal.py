"""What happened in a search, as a file that only grows: durable before a trial starts and when it ends."""

from __future__ import annotations

import json
import math
import os
import re
import zlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, final

from nas.architecture import Architecture
from nas.errors import NasError, shown
from nas.files import outside
from nas.files.durable import keeping, write_atomically
from nas.objectives import COSTS, Score
from nas.recipe import Recipe
from nas.results.trial import FinalTraining, TrialRecord, TrialStatus
from nas.space.recipe_space import Proposal

FORMAT = 1
"""Version of the journal's lines."""

_CHECKSUM = re.compile(rb'(\{.*),"crc":"([0-9a-f]{8})"\}', re.DOTALL)

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
        unchecked: how many lines have no checksum, as versions before 0.2 wrote them.
    """

    trials: tuple[TrialRecord, ...]
    exhausted: bool
    unchecked: int = 0


@final
class Journal:
    """One JSON object a line; the first says what the file is. Numbers are read back to the last bit.

    The last field of each object is its checksum, `"crc"`: zlib's CRC-32 of the line without that field, as 8
    hexadecimal digits. What a line says must be possible after the lines above it, so that nothing is believed that no
    search can have written.

    A line counts once it ends. A process that is killed while it writes leaves at most one unfinished last line, which
    the next process removes; any other damage is an error, never a silent restart.

    Args:
        path: of the file.
        score: of the search. Its metric's name stands in the file where records say `score`, such as `val_accuracy`.
        check: raises a ValueError for a trial that this search cannot have.
    """

    def __init__(self, path: Path, score: Score, check: Callable[[TrialRecord], None] | None = None) -> None:
        self.path, self.score, self.check = path, score, check

    def create(self) -> None:
        """Make an empty one, unless there is one."""
        if not self.path.exists():
            write_atomically(self.path, _line({"format": FORMAT, "kind": "nas trials"}))

    def read(self) -> Contents:
        """All that is in it.

        Raises:
            JournalError: the file is missing, damaged or from a newer version.
        """
        trials: list[TrialRecord] = []
        ids: set[str] = set()
        exhausted, unchecked, number = False, 0, 1
        lines = _lines(self.path)
        _check_header(self.path, lines[0])
        with outside.door(lambda reason: _damaged(self.path, number, reason)):
            for number, line in enumerate(lines, start=1):
                event, is_checked = _event(line)
                unchecked += not is_checked
                if number == 1:
                    continue
                if event["event"] == "exhausted":
                    exhausted = True
                    continue
                trial = _whole("trial", event["trial"])
                if event["event"] == "start":
                    # Keras Tuner numbers a trial by how many there are.
                    if trial != len(trials):
                        raise ValueError(f"trial {trial} starts where trial {len(trials)} would")
                    record = _started(trial, event)
                    identity = Proposal(record.architecture, record.recipe).id
                    if identity in ids:
                        what = "network and recipe" if record.recipe else "network"
                        raise ValueError(f"trial {trial} has the {what} of an earlier trial")
                    ids.add(identity)
                    trials.append(record)
                elif trial >= len(trials):
                    raise ValueError(f"trial {trial} has not started")
                else:
                    record = trials[trial] = self._after(trials[trial], event)
                if self.check is not None:
                    self.check(record)
        return Contents(trials=tuple(trials), exhausted=exhausted, unchecked=unchecked)

    def exhaust(self) -> None:
        """Nothing is left to propose, now and whenever the search goes on: neither its space nor its budget change."""
        self._append({"event": "exhausted"})

    def start(
        self, trial: int, architecture: Architecture, parent: int | None = None, recipe: Recipe | None = None
    ) -> None:
        """A trial is about to run, with the weights of an earlier one if there is a parent."""
        origin: dict[str, Any] = {} if parent is None else {"parent": parent}
        if recipe:
            origin["recipe"] = recipe
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
                "curves": self.score.in_training.spelled_keys(record.curves),
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
        taught = {"teacher": training.teacher} if training.teacher else {}
        self._append(
            {"event": "final", "trial": trial, "seed": training.seed, **taught, **self.score.spelled_keys(scores)}
        )

    def final_failed(self, trial: int, seed: int, reason: str, teacher: str = "") -> None:
        """A training of the final stage failed, and is not tried again."""
        taught = {"teacher": teacher} if teacher else {}
        self._append({"event": "final", "trial": trial, "seed": seed, **taught, "reason": reason})

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
            before, rest = self.path.stat().st_size, _line(event)
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

    def _after(self, record: TrialRecord, event: Mapping[str, Any]) -> TrialRecord:
        """A trial that has started, after another event."""
        kind = event["event"]
        if kind == "continue":
            _check_order(record, "goes on", TrialStatus.STOPPED)
            return replace(record, status=TrialStatus.RUNNING)
        if kind == "end":
            _check_order(record, "ends", TrialStatus.RUNNING)
            return self._ended(record, event)
        if kind == "final":
            _check_order(record, "is trained again", TrialStatus.COMPLETED)
            return self._trained_again(record, event)
        raise ValueError(f"an event is start, continue, end, final or exhausted; received {shown(kind)}")

    def _trained_again(self, record: TrialRecord, event: Mapping[str, Any]) -> TrialRecord:
        seed = _whole("seed", event["seed"])
        teacher = _text("teacher", event.get("teacher", ""))
        before = [each for each in (*record.finals, *record.taught) if each.teacher == teacher]
        failed = (teacher, seed) in record.failed_taught if teacher else seed in record.failed_finals
        if failed or seed in (training.seed for training in before):
            raise ValueError(f"the seed {seed} is there twice")
        if "reason" in event:
            return record.with_failed_final(seed, _text("reason", event["reason"]), teacher)
        values = self.score.inner_keys(event)
        val, test = (_number(name, values[name]) for name in ("val_score", "test_score"))
        _check_scores("a final training", (val, test))
        return record.with_final(FinalTraining(seed=seed, val_score=val, test_score=test, teacher=teacher))

    def _ended(self, running: TrialRecord, event: Mapping[str, Any]) -> TrialRecord:
        metrics, curves = self.score.inner_keys(event["metrics"]), self.score.in_training.inner_keys(event["curves"])
        record = TrialRecord(
            number=running.number,
            architecture=running.architecture,
            status=TrialStatus(event["status"]),
            metrics={name: _number(name, value) for name, value in metrics.items()},
            curves={name: tuple(_number(name, each) for each in values) for name, values in curves.items()},
            duration_seconds=_number("duration_seconds", event["duration_seconds"]),
            reason=_text("reason", event["reason"]),
            log=_text("log", event["log"]),
            parent=_parent(running.number, event, running.parent),
            recipe=running.recipe,
        )
        if record.status is TrialStatus.RUNNING:
            raise ValueError("a trial that has ended does not run")
        for needed in ("val_score", "val_loss"):
            if record.completed and needed not in record.metrics:
                raise ValueError(f"a trial was completed without a {self.score.spelled(needed)}")
        if record.status is TrialStatus.STOPPED and not record.curve:
            raise ValueError(f"a trial stopped without a curve of {self.score.objective}")
        if record.duration_seconds < 0:
            raise ValueError(f"duration_seconds must be at least 0; received {record.duration_seconds:g}")
        for name, value in record.metrics.items():
            if name in COSTS and value < 0:
                raise ValueError(f"{name} must be at least 0; received {value:g}")
        # The user's own metrics may have any name and any value.
        scores = (
            value
            for name, value in record.metrics.items()
            if name.endswith("score") and self.score.spelled(name) != name
        )
        _check_scores(self.score.objective, scores)
        for name in ("score", "val_score"):
            _check_scores(f"a curve of {self.score.objective}", record.curves.get(name, ()))
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
    return outside.read_bytes(
        path, lambda reason: JournalError(f"cannot read {path}: {reason}; {_RESTORE}"), outside.JOURNAL
    )


def _lines(path: Path) -> list[bytes]:
    """The lines that have ended, of which the first is there."""
    lines = _bytes(path).split(b"\n")[:-1]
    if not lines:
        raise JournalError(f"{path} has not even its first line; {_RESTORE}")
    return lines


def _check_header(path: Path, line: bytes) -> None:
    with outside.door(lambda reason: _damaged(path, 1, reason)):
        header = outside.parse_json(line)
        if header.get("kind") != "nas trials":
            raise ValueError("this is no journal of nas")
        newer = header["format"] > FORMAT
    if newer:
        raise JournalError(
            f"{path} was written by a newer version (format {shown(header['format'])}, this one reads {FORMAT}); "
            f"upgrade keras-nas"
        )


def _event(line: bytes) -> tuple[dict[str, Any], bool]:
    """What a line says, and whether it has a checksum."""
    if found := _CHECKSUM.fullmatch(line):
        body = found[1] + b"}"
        if zlib.crc32(body) != int(found[2], 16):
            raise ValueError("it was changed: its checksum is another")
        line = body
    event = outside.parse_json(line)
    if not isinstance(event, dict):
        raise TypeError(f"a line is an object; received {shown(event)}")
    if "crc" in event:
        raise ValueError("it was changed: the checksum is its last field, of 8 digits")
    return event, found is not None


def _started(trial: int, event: Mapping[str, Any]) -> TrialRecord:
    return TrialRecord(
        number=trial,
        architecture=Architecture.from_dict(event["architecture"]),
        status=TrialStatus.RUNNING,
        parent=_parent(trial, event, None),
        recipe=_recipe(event),
    )


def _recipe(event: Mapping[str, Any]) -> Recipe:
    recipe = event.get("recipe", {})
    if not isinstance(recipe, dict) or not all(
        isinstance(value, bool | int | float | str) for value in recipe.values()
    ):
        raise TypeError(f"a recipe is values by their keys; received {shown(recipe)}")
    return recipe


def _parent(trial: int, event: Mapping[str, Any], otherwise: int | None) -> int | None:
    parent = event.get("parent", otherwise)
    if parent is None:
        return None
    if _whole("parent", parent) >= trial:
        raise ValueError(f"the parent of trial {trial} is an earlier one; received {parent}")
    return int(parent)


def _check_order(record: TrialRecord, what: str, status: TrialStatus) -> None:
    if record.status is not status:
        raise ValueError(f"trial {record.number} {what} when it is {record.status}, not {status}")


def _whole(what: str, value: object) -> int:
    if type(value) is not int or value < 0:
        raise ValueError(f"{what} must be a whole number from 0; received {shown(value)}")
    return value


def _number(what: str, value: object) -> float:
    if type(value) not in (int, float):
        raise TypeError(f"{what} must be a number; received {shown(value)}")
    return float(value)  # type: ignore[arg-type]  # looked at above


def _text(what: str, value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{what} must be text; received {shown(value)}")
    return value


def _check_scores(what: str, scores: Iterable[float]) -> None:
    """Raises a ValueError for a score that none can be: it would be believed on the front."""
    for score in scores:
        if not (math.isfinite(score) and 0 <= score <= 1):
            raise ValueError(f"{what} must be in [0, 1]; received {score:g}")


def _damaged(path: Path, number: int, reason: str) -> JournalError:
    return JournalError(f"line {number} of {path} is damaged ({reason}); {_RESTORE}")


def _line(event: Mapping[str, Any]) -> bytes:
    """A line with its checksum."""
    body = json.dumps(event, separators=(",", ":"), allow_nan=False).encode()
    return body[:-1] + b',"crc":"%08x"}\n' % zlib.crc32(body)
