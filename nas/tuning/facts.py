"""What a search found out when it started: `facts.json`."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from nas.tasks import DEFAULT_TASK


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
        machine: what it ran on, in one line.
        versions: of the packages that shape the numbers.
        data: digest of each split, by its name; none before the data were read.
        labels_digest: what searches before version 0.2 have in place of `data`: of the targets alone.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    dataset: str
    input_shape: tuple[int, int, int]
    labels: tuple[str, ...]
    task: str = DEFAULT_TASK.name
    interest: dict[str, tuple[float, float]] = {}
    floor: float = 0.0
    finest: float = 0.001
    smallest: int = 0
    largest: int = 0
    limits: dict[str, tuple[float, float]] = {}
    start: tuple[str, ...] = ()
    command: str = ""
    machine: str = ""
    versions: dict[str, str] = {}
    data: dict[str, str] = {}
    labels_digest: str = ""

    @property
    def ranges(self) -> dict[str, tuple[float, float]]:
        """The range of interest of each cost, whatever version wrote it."""
        return self.interest or self.limits or {"parameters": (self.smallest, self.largest)}
