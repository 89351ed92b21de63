"""Where trials run: one interface, from this process to worker processes."""

from __future__ import annotations

import logging
import time
import traceback
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, final

from nas.architecture import Architecture
from nas.errors import NasError
from nas.objectives import LATENCY

if TYPE_CHECKING:
    from nas.config import TrainingConfig
    from nas.datasets import DatasetSpec
    from nas.devices import Devices
    from nas.training import TrainingResult
    from nas.training.model import Weights

logger = logging.getLogger(__name__)

START_SECONDS = 300.0
"""That a process may take from its first task until it is ready; some seconds are usual."""

LOOK_SECONDS = 0.2
"""Between looks at the time limit, and at trials that may have taken too long."""

TRIES = 2
"""Of a training that crashes."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Parent:
    """A trained network: its architecture as JSON, and its weights."""

    architecture: str
    weights: Weights


@dataclass(frozen=True, kw_only=True, slots=True)
class Task:
    """One architecture to train; everything else about a trial is the executor's."""

    number: int
    architecture: str
    """As JSON."""
    seed: int
    epochs: int
    """After which to stop; fewer than the training's at a rung of early stopping."""
    checkpoint: bytes | None = None
    """Of the rung from which the trial goes on."""
    parent: Parent | None = None
    """Whose weights it starts with; None: its own."""
    test: bool = False
    """Whether to score on the test split too, as `test_accuracy`: for the final stage only."""
    measure_latency: bool = False
    """Whether to measure `latency_ms` before training."""
    max_latency_ms: float | None = None
    """What is slower is refused, untrained."""


def trial_seed(search_seed: int, number: int) -> int:
    """Of a trial's weights and order: trial 17 can be repeated without trials 0 to 16."""
    return (search_seed * 1_000_003 + number * 7_919 + 1) % 2**31


@dataclass(frozen=True, kw_only=True, slots=True)
class Epoch:
    """A trial has finished an epoch, from 1."""

    number: int
    epoch: int
    metrics: dict[str, float]


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """A trial has ended: with a result, or with a reason.

    Attributes:
        slot: which is free again.
        reason: one line; "" if there is a result.
        log: what the trial wrote about its failure.
        crashed: whether it failed for a reason that may not come again, so that another try makes sense.
        refused_latency_ms: of a network that was refused because of it.
    """

    slot: int
    number: int
    result: TrainingResult | None = None
    reason: str = ""
    log: str = ""
    crashed: bool = False
    refused_latency_ms: float | None = None

    def may_try_again(self, tries: int) -> bool:
        """One more try after a crash; an error that says what is wrong would only come again."""
        return self.crashed and tries < TRIES


class Executor(ABC):
    """Runs tasks in numbered slots, at most one in each at a time."""

    slots: int

    @abstractmethod
    def submit(self, slot: int, task: Task) -> None:
        """Run a task in a free slot."""

    @abstractmethod
    def next_outcome(self, timeout_seconds: float, on_epoch: Callable[[Epoch], None]) -> Outcome | None:
        """The next trial that ends in any slot; None if none did in that time.

        Args:
            timeout_seconds: how long to wait; a trial in this process is not cut short by it.
            on_epoch: told of the epochs that end meanwhile.
        """

    @abstractmethod
    def close(self) -> None:
        """End everything at once; what still runs is lost."""


def too_long(limit_seconds: float) -> str:
    """The reason of a trial that was ended because of it, whatever the executor."""
    return f"the trial took longer than trial_timeout ({limit_seconds:g} s)"


def not_started(limit_seconds: float) -> str:
    """The reason of a trial whose process was not ready by then, whatever the executor."""
    return f"the worker process did not start within {limit_seconds:g} s"


@final
class InProcess(Executor):
    """One slot in this process: for debugging, and for a trial over several devices.

    Args:
        data: on which every trial is trained.
        training: how every trial is trained.
        devices: what it is trained on.
        should_stop: asked within each epoch whether the search shall end.
        timeout_seconds: a trial that takes longer is ended within its next steps; None for no limit.
    """

    slots = 1

    def __init__(
        self,
        *,
        data: DatasetSpec,
        training: TrainingConfig,
        devices: Devices,
        should_stop: Callable[[], bool],
        timeout_seconds: float | None = None,
    ) -> None:
        self._data, self._training, self._devices, self._should_stop = data, training, devices, should_stop
        self._timeout = timeout_seconds
        self._task: Task | None = None

    def submit(self, slot: int, task: Task) -> None:
        self._task = task

    def next_outcome(self, timeout_seconds: float, on_epoch: Callable[[Epoch], None]) -> Outcome | None:
        """Train the task to its end, or until `should_stop`, or for as long as it may take."""
        from nas.training import TrainingStoppedError, clear_session

        if self._task is None:
            return None
        task, self._task = self._task, None
        started = time.monotonic()

        def must_end() -> bool:
            late = self._timeout is not None and time.monotonic() - started > self._timeout
            return late or self._should_stop()

        try:
            return attempt(0, task, self._data, self._training, self._devices, on_epoch, should_stop=must_end)
        except TrainingStoppedError:
            if self._timeout is None or self._should_stop():
                return None
            return Outcome(slot=0, number=task.number, reason=too_long(self._timeout), crashed=True)
        finally:
            clear_session()

    def close(self) -> None:
        """Nothing runs between events."""


def attempt(
    slot: int,
    task: Task,
    data: DatasetSpec,
    training: TrainingConfig,
    devices: Devices,
    on_epoch: Callable[[Epoch], None],
    *,
    should_stop: Callable[[], bool] | None = None,
) -> Outcome:
    """Train one architecture in this process; whatever it raises is its outcome.

    Raises:
        TrainingStoppedError: `should_stop` said so; that is nobody's outcome.
    """
    from nas.inheritance import inherit
    from nas.training import TrainingStoppedError, evaluate, train

    try:
        architecture = Architecture.from_json(task.architecture)
        measured: dict[str, float] = {}
        if task.measure_latency:
            from nas.export import latency_ms

            measured[LATENCY] = latency = latency_ms(architecture)
            if task.max_latency_ms is not None and latency > task.max_latency_ms:
                reason = f"{latency:.3g} ms an image is over max_latency_ms, {task.max_latency_ms:g}"
                return Outcome(slot=slot, number=task.number, reason=reason, refused_latency_ms=latency)
        inherited = None
        if task.parent is not None:
            parent = Architecture.from_json(task.parent.architecture)
            inherited = inherit(parent, task.parent.weights, architecture, seed=task.seed)
        result = train(
            architecture,
            data,
            training,
            seed=task.seed,
            devices=devices,
            on_epoch=lambda epoch, metrics: on_epoch(Epoch(number=task.number, epoch=epoch, metrics=dict(metrics))),
            should_stop=should_stop,
            epochs=task.epochs,
            checkpoint=task.checkpoint,
            initial_weights=None if inherited is None else inherited.weights,
        )
        result = replace(result, metrics={**measured, **result.metrics})
        if task.test:
            score = evaluate(architecture, result.weights, data.test)
            result = replace(result, metrics={**result.metrics, "test_accuracy": score["accuracy"]})
    except TrainingStoppedError:
        raise
    except Exception as error:  # noqa: BLE001 - whatever a trial raises is that trial's outcome
        return failure(slot, task.number, error)
    return Outcome(slot=slot, number=task.number, result=result)


def failure(slot: int, number: int, error: Exception) -> Outcome:
    """What an exception means for its trial: a sentence of ours is an outcome, anything else a crash."""
    ours = isinstance(error, NasError)
    log = "" if ours else "".join(traceback.format_exception(error))
    return Outcome(slot=slot, number=number, reason=one_line(error), log=log, crashed=not ours)


def one_line(error: Exception) -> str:
    """What went wrong, for a reader who does not want the traceback."""
    if isinstance(error, NasError):
        return str(error)
    text = str(error).strip().splitlines()
    return f"{type(error).__name__}: {text[0] if text else 'no message'}"
