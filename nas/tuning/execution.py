"""What runs a trial and how it can end: one interface, from this process to worker processes."""

from __future__ import annotations

import logging
import time
import traceback
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, TypeGuard, final

from nas.architecture import Architecture
from nas.config import TrainingConfig
from nas.errors import NasError
from nas.objectives import Cost, Score

if TYPE_CHECKING:
    from nas.datasets import DatasetSpec
    from nas.datasets.spec import ImageShape
    from nas.devices import Devices
    from nas.training import TrainingResult
    from nas.training.distillation import Teacher
    from nas.training.model import Weights
    from nas.training.own import Own

    Forms = Mapping[ImageShape, DatasetSpec]
    """The data of a search, by the shape of images among which it chooses."""

logger = logging.getLogger(__name__)

START_SECONDS = 300.0
"""That a process may take from its first job until it is ready; some seconds are usual."""

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
class Job:
    """One architecture to train; everything else about a trial is the executor's."""

    number: int
    architecture: str
    """As JSON."""
    training: TrainingConfig
    seed: int
    epochs: int
    """After which to stop; fewer than the training's at a rung of early stopping."""
    checkpoint: bytes | None = None
    """Of the rung from which the trial goes on."""
    parent: Parent | None = None
    """Whose weights it starts with; None: its own."""
    score: Score | None = None
    """Which of the task's is called `val_score`; its first if left out."""
    teacher: Teacher | None = None
    """Whose answers it learns, too."""
    test: bool = False
    """Whether to score on the test split too, as `test_score`: for the final stage only."""
    int8: bool = False
    """Whether the score is that of the int8 file; the trained network's is then `trained_val_score`. A training that
    stops at a rung has the latter only."""
    own: Own | bytes | None = None
    """What the user brings to each training; packed for another process."""
    name: str = ""
    """Of the training, for the user's callbacks: text that a file's name may have."""
    measure: Mapping[Cost, float | None] = field(default_factory=dict)
    """Costs to measure before training, each with its limit: a network that exceeds one is refused, untrained."""


def trial_seed(search_seed: int, number: int) -> int:
    """Of a trial's weights and order: trial 17 can be repeated without trials 0 to 16."""
    return (search_seed * 1_000_003 + number * 7_919 + 1) % 2**31


@dataclass(frozen=True, kw_only=True, slots=True)
class Epoch:
    """A trial has finished an epoch, from 1."""

    number: int
    epoch: int
    metrics: dict[str, float]


@final
@dataclass(frozen=True, kw_only=True, slots=True)
class Trained:
    """A trial has reached its last epoch, or the rung at which it stops; its slot is free again."""

    slot: int
    number: int
    result: TrainingResult


@final
@dataclass(frozen=True, kw_only=True, slots=True)
class Refused:
    """A trial exceeded a limit on a measured cost and was not trained.

    Attributes:
        reason: one line.
        measured: costs by name, the one over its limit included.
    """

    slot: int
    number: int
    reason: str
    measured: Mapping[str, float]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Unfinished:
    """A trial that has no result: the reason in one line, and what it wrote about its failure."""

    slot: int
    number: int
    reason: str
    log: str = ""


@final
class Failed(_Unfinished):
    """A trial failed for a reason that would come again."""


@final
class Crashed(_Unfinished):
    """A trial failed for a reason that may not come again, so that another try makes sense."""


Outcome = Trained | Refused | Failed | Crashed
"""How a trial has ended."""


def may_try_again(outcome: Outcome, tries: int) -> TypeGuard[Crashed]:
    """Whether a trial that has had so many tries gets another one."""
    return isinstance(outcome, Crashed) and tries < TRIES


class Executor(ABC):
    """Runs jobs in numbered slots, at most one in each at a time."""

    slots: int

    @abstractmethod
    def submit(self, slot: int, job: Job) -> None:
        """Run a job in a free slot."""

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
        data: by the shape of the images that networks take.
        devices: what it is trained on.
        should_stop: asked within each epoch whether the search shall end.
        timeout_seconds: a trial that takes longer is ended within its next steps; None for no limit.
    """

    slots = 1

    def __init__(
        self,
        *,
        data: Forms,
        devices: Devices,
        should_stop: Callable[[], bool],
        timeout_seconds: float | None = None,
    ) -> None:
        self._data, self._devices, self._should_stop = data, devices, should_stop
        self._timeout = timeout_seconds
        self._job: Job | None = None

    def submit(self, slot: int, job: Job) -> None:
        self._job = job

    def next_outcome(self, timeout_seconds: float, on_epoch: Callable[[Epoch], None]) -> Outcome | None:
        """Do the job to its end, or until `should_stop`, or for as long as it may take."""
        from nas.training import TrainingStoppedError, clear_session

        if self._job is None:
            return None
        job, self._job = self._job, None
        started = time.monotonic()

        def must_end() -> bool:
            late = self._timeout is not None and time.monotonic() - started > self._timeout
            return late or self._should_stop()

        try:
            return attempt(0, job, self._data, self._devices, on_epoch, should_stop=must_end)
        except TrainingStoppedError:
            if self._timeout is None or self._should_stop():
                return None
            return Crashed(slot=0, number=job.number, reason=too_long(self._timeout))
        finally:
            clear_session()

    def close(self) -> None:
        """Nothing runs between events."""


def attempt(
    slot: int,
    job: Job,
    data: Forms,
    devices: Devices,
    on_epoch: Callable[[Epoch], None],
    *,
    should_stop: Callable[[], bool] | None = None,
) -> Outcome:
    """Train one architecture in this process; whatever it raises is its outcome.

    Raises:
        TrainingStoppedError: `should_stop` said so. That is no outcome of the trial.
    """
    from nas.inheritance import inherit
    from nas.training import TrainingStoppedError, evaluate, train
    from nas.training.own import Own

    try:
        architecture = Architecture.from_json(job.architecture)
        images = data[architecture.input_shape]
        measured: dict[str, float] = {}
        for cost, limit in job.measure.items():
            from nas.export import measure

            measured[cost.name] = value = measure(cost, architecture)
            if limit is not None and value > limit:
                reason = f"{cost.words(value)} is over {cost.limit}, {limit:g}"
                return Refused(slot=slot, number=job.number, reason=reason, measured=measured)
        inherited = None
        if job.parent is not None:
            parent = Architecture.from_json(job.parent.architecture)
            inherited = inherit(parent, job.parent.weights, architecture, seed=job.seed)
        result = train(
            architecture,
            images,
            job.training,
            seed=job.seed,
            devices=devices,
            on_epoch=lambda epoch, metrics: on_epoch(Epoch(number=job.number, epoch=epoch, metrics=dict(metrics))),
            should_stop=should_stop,
            epochs=job.epochs,
            checkpoint=job.checkpoint,
            initial_weights=None if inherited is None else inherited.weights,
            score=job.score,
            lesson=None if job.teacher is None else job.teacher.lesson(data),
            own=Own.unpack(job.own) if isinstance(job.own, bytes) else job.own,
            name=job.name,
        )
        metrics = {**measured, **result.metrics}
        if job.int8:
            metrics["trained_val_score"] = metrics.pop("val_score")
            if result.checkpoint is None:
                from nas.export import int8_scores

                splits = {"val_score": images.validation} | ({"test_score": images.test} if job.test else {})
                metrics |= int8_scores(
                    architecture,
                    result.weights,
                    calibration=images.train.images,
                    splits={name: (split.images, split.targets) for name, split in splits.items()},
                    score=job.score,
                )
        elif job.test:
            metrics["test_score"] = evaluate(architecture, result.weights, images.test, job.score)["score"]
    except TrainingStoppedError:
        raise
    except Exception as error:  # noqa: BLE001 - whatever a trial raises is that trial's outcome
        return failure(slot, job.number, error)
    return Trained(slot=slot, number=job.number, result=replace(result, metrics=metrics))


def failure(slot: int, number: int, error: Exception) -> Failed | Crashed:
    """What an exception means for its trial: an error of ours says what is wrong, any other is a crash."""
    reason = one_line(error)
    if isinstance(error, NasError):
        return Failed(slot=slot, number=number, reason=reason)
    return Crashed(slot=slot, number=number, reason=reason, log="".join(traceback.format_exception(error)))


def one_line(error: Exception) -> str:
    """What went wrong, for a reader who does not want the traceback."""
    if isinstance(error, NasError):
        return str(error)
    text = str(error).strip().splitlines()
    return f"{type(error).__name__}: {text[0] if text else 'no message'}"
