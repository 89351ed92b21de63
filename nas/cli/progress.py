"""A search as it goes: a live line on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from collections.abc import Iterable
from types import TracebackType

from rich.console import Group
from rich.live import Live
from rich.padding import Padding
from rich.text import Text

from nas.cli.terminal import errors
from nas.objectives import DEFAULT_COSTS, Cost, Score
from nas.quantity import short_count
from nas.results.pareto import ParetoFront
from nas.results.trial import TrialRecord, TrialStatus
from nas.tuning.observer import Observer


class Progress(Observer):
    """Prints each finished trial, and on a terminal what is running now."""

    def __init__(
        self,
        *,
        trials: int,
        epochs: int,
        time_limit: float | None,
        score: Score,
        costs: tuple[Cost, ...] = DEFAULT_COSTS,
        known: Iterable[TrialRecord] = (),
    ) -> None:
        self.trials, self.epochs, self.time_limit = trials, epochs, time_limit
        self.score, self.costs = score, costs
        self.records = {record.number: record for record in known if record.status is not TrialStatus.RUNNING}
        self.front = ParetoFront.of(self.records.values(), costs)
        self.kept = self.done
        self.started = time.monotonic()
        self.first = 0.0
        self.now = ""
        self.live = Live(console=errors, refresh_per_second=4, transient=True) if errors.file.isatty() else None

    @property
    def done(self) -> int:
        """Trials that count; refused ones were not trained."""
        return sum(1 for record in self.records.values() if record.status is not TrialStatus.REFUSED)

    def __enter__(self) -> Progress:
        if self.live is not None:
            self.live.start()
            self._refresh()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.live is not None:
            self.live.stop()

    def on_stage(self, text: str) -> None:
        self.now = text
        if self.live is None:
            errors.print(f"{text[:1].upper()}{text[1:]} ...", style="dim")
            return
        self._refresh()
        self.live.refresh()  # at once: while TensorFlow starts, nothing reaches the terminal

    def on_trial_begin(self, record: TrialRecord) -> None:
        self.first = self.first or time.monotonic()
        self.now = f"trial {record.number}: {_described(record)}, building"
        self._refresh()

    def on_epoch(self, record: TrialRecord, epoch: int, metrics: dict[str, float]) -> None:
        score = self.score.text(metrics["val_score"])
        self.now = f"trial {record.number}: {_described(record)}, epoch {epoch}/{self.epochs}, {score}"
        self._refresh()

    def on_trial_end(self, record: TrialRecord) -> None:
        self.records[record.number] = record
        if record.completed:
            self.front = self.front.adding(record)
            mark, style = ("front", "green") if record in self.front.points else ("", "")
            outcome = f"{self.score.text(record.score):>7}  {mark:5}"
        elif record.status is TrialStatus.STOPPED:
            epochs = f"{len(record.curve)}/{self.epochs}"
            outcome, style = f"{self.score.text(record.score):>7}  stopped at epoch {epochs}", "dim"
        else:
            outcome, style = f"{record.status.value.lower()}: {record.reason}", "yellow"
        line = f"{self.done:>4}/{self.trials}  trial {record.number:<4} {self._costs(record)}  {outcome}"
        line += f"  {record.duration_seconds:5.1f} s"
        if len(line) + 2 + len(record.in_words) <= errors.width:
            errors.print(f"{line}  {record.in_words}", style=style, markup=False, soft_wrap=True)
        else:
            below = Padding(Text(record.in_words, overflow="fold"), (0, 0, 0, 6), expand=False)
            errors.print(Group(Text(line, no_wrap=True, overflow="ignore"), below), style=style, crop=False)
        self.now = ""
        self._refresh()

    def on_final(self, record: TrialRecord, done: int, total: int) -> None:
        # Trainings with a teacher come last.
        training = (record.taught or record.finals)[-1]
        errors.print(
            f"final {done}/{total}  trial {record.number:<4} {self._costs(record)}  "
            f"validation {self.score.text(training.val_score)}, test {self.score.text(training.test_score)}",
            markup=False,
            soft_wrap=True,
        )
        self.now = f"training the front again with other seeds: {done} of {total}"
        self._refresh()

    def _costs(self, record: TrialRecord) -> str:
        """In columns; a cost that was not measured is left out."""
        known = filter(record.has_cost, self.costs)
        return "  ".join(f"{cost.text(record.cost(cost)):>11} {cost.unit}" for cost in known)

    def _refresh(self) -> None:
        if self.live is None:
            return
        done = self.done
        parts = [f"{done}/{self.trials} trials", f"{len(self.front)} on the front"]
        if self.front.points:
            best, axis = self.front.best(), self.costs[0]
            parts.append(f"best {self.score.text(best.score)} at {axis.short(best.cost(axis))}")
        elapsed = time.monotonic() - self.started
        parts.append(f"{_clock(elapsed)} so far")
        if done > self.kept:
            left = (time.monotonic() - self.first) / (done - self.kept) * (self.trials - done)
            left = left if self.time_limit is None else min(left, self.time_limit - elapsed)
            parts.append(f"about {_clock(max(left, 0))} left")
        line = Text("  ".join(parts), style="bold", overflow="fold")
        self.live.update(Group(line, Text(self.now, style="dim", overflow="fold")))


def _described(record: TrialRecord) -> str:
    return f"{short_count(record.parameters)} parameters, {record.in_words}"


def _clock(seconds: float) -> str:
    """Time as minutes and seconds.

    >>> _clock(75), _clock(3700)
    ('1:15', '1:01:40')
    """
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
