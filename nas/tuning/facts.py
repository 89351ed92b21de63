"""What a search found out when it started: `facts.json`."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PositiveInt

from nas.tasks import DEFAULT_TASK


def _ascending(ends: tuple[float, float]) -> tuple[float, float]:
    if not 0 <= ends[0] <= ends[1]:
        raise ValueError("a range has the lower end first, from 0")
    return ends


_Range = Annotated[tuple[float, float], AfterValidator(_ascending)]


class SearchFacts(BaseModel):
    """What a search found out when it started, so that looking at it needs neither data nor TensorFlow.

    Attributes:
        dataset: as the data set calls itself.
        input_shape: `(height, width, channels)`.
        labels: names of the classes; none if the task has none.
        task: what the data set's targets are for; a key of `nas.tasks.TASKS`.
        interest: by name of the cost, in the order of the objectives: the range of interest.
        floor, finest: as in `nas.objectives.Objectives`.
        smallest, largest, limits: what searches before version 0.2 have in place of a range of interest.
        start: the networks to begin with, as JSON.
        command: the command line that asked for it last, or "".
        own: what a program brought to each training, by argument, as `nas.training.own.Own.identity` has it.
        machine: what it ran on, in one line.
        versions: of the packages that shape the numbers.
        data: digest of each split, by its name; none before the data were read.
        labels_digest: what searches before version 0.2 have in place of `data`: of the targets alone.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)
    dataset: str
    input_shape: tuple[PositiveInt, PositiveInt, PositiveInt]
    labels: tuple[str, ...]
    task: str = DEFAULT_TASK.name
    interest: dict[str, _Range] = {}
    floor: float = Field(0.0, ge=0, lt=1)
    finest: float = Field(0.001, gt=0, le=1)
    smallest: int = Field(0, ge=0)
    largest: int = Field(0, ge=0)
    limits: dict[str, _Range] = {}
    start: tuple[str, ...] = ()
    command: str = ""
    own: dict[str, str] = {}
    machine: str = ""
    versions: dict[str, str] = {}
    data: dict[str, str] = {}
    labels_digest: str = ""

    @property
    def ranges(self) -> dict[str, tuple[float, float]]:
        """The range of interest of each cost, whatever version wrote it."""
        return self.interest or self.limits or {"parameters": (self.smallest, self.largest)}
