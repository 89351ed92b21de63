"""What a search wants: a high score at low costs. The only place that names, spells and formats either."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeVar, final

from nas.errors import NasError
from nas.quantity import short_count
from nas.registry import Registry

_PREFIXES = r"(|val_|test_|best_val_|expected_|final_val_|taught_test_)"

_OTHERS = ("event", "loss", "reason", "seed", "seeds", "trial")
"""What else stands in the same place in files."""

Value = TypeVar("Value")


@final
@dataclass(frozen=True, kw_only=True, slots=True)
class Score:
    """A number in [0, 1] that a search maximizes, computed by a task from its evidence on the validation images.

    Inside the package such a number is called `score`: `val_score`, `test_score`, `best_val_score`. Files, MLflow and
    tables have the metric's own name in that place: `val_accuracy`.

    Attributes:
        name: of the metric in files, such as "accuracy".
        heading: of the metric in tables, charts and sentences.
        is_share: whether it is the share of images that are answered rightly: one image of n is then 1/n of it.
        trained: of a score of the int8 file, that of the trained network; None: it is the trained network's own.
    """

    name: str
    heading: str
    is_share: bool = False
    trained: Score | None = None

    def __post_init__(self) -> None:
        if self.name in _OTHERS:
            raise NasError(
                f"a score must not be called {', '.join(_OTHERS)}; received {self.name!r}; choose another name"
            )

    @property
    def objective(self) -> str:
        """As experiment files name it among the objectives."""
        return f"val_{self.name}"

    @property
    def in_training(self) -> Score:
        """What training itself sees, and its curves are of."""
        return self.trained or self

    @property
    def in_int8(self) -> Score:
        """The same metric of the int8 file, which is what a device runs."""
        return replace(self, name=f"{self.name}_int8", heading=f"int8 {self.heading}", trained=self)

    @property
    def _twins(self) -> dict[str, str]:
        """Inner names of the other network's scores, as files have them."""
        if self.trained is None:
            return {"int8_val_score": self.in_int8.objective}
        return {"score": self.trained.name, "trained_val_score": self.trained.objective}

    def spelled(self, name: str) -> str:
        """An inner name as files, MLflow and tables have it; names of anything but scores stay what they are.

        >>> accuracy = Score(name="accuracy", heading="accuracy")
        >>> [accuracy.spelled(name) for name in ("score", "val_score", "test_score_std", "val_loss")]
        ['accuracy', 'val_accuracy', 'test_accuracy_std', 'val_loss']

        Beside the score of a search may stand that of the other form of its networks:

        >>> accuracy.spelled("int8_val_score")
        'val_accuracy_int8'
        >>> [accuracy.in_int8.spelled(name) for name in ("score", "val_score", "trained_val_score")]
        ['accuracy', 'val_accuracy_int8', 'val_accuracy']
        """
        if name in (twins := self._twins):
            return twins[name]
        return re.sub(rf"^{_PREFIXES}score(|_std)$", rf"\1{self.name}\2", name)

    def inner(self, name: str) -> str:
        """The inverse of `spelled`.

        >>> Score(name="accuracy", heading="accuracy").inner("final_val_accuracy")
        'final_val_score'
        """
        for inner, spelled in self._twins.items():
            if name == spelled:
                return inner
        return re.sub(rf"^{_PREFIXES}{re.escape(self.name)}(|_std)$", r"\1score\2", name)

    def spelled_keys(self, values: Mapping[str, Value]) -> dict[str, Value]:
        """Values by their names as files have them, in the same order."""
        return {self.spelled(name): value for name, value in values.items()}

    def inner_keys(self, values: Mapping[str, Value]) -> dict[str, Value]:
        """The inverse of `spelled_keys`."""
        return {self.inner(name): value for name, value in values.items()}

    def text(self, value: float, digits: int = 2) -> str:
        """A score as tables show it.

        >>> Score(name="accuracy", heading="accuracy").text(0.98957)
        '98.96%'
        """
        return f"{value:.{digits}%}"

    def tick(self, value: float) -> str:
        """A score beside an axis: no more digits than it has.

        >>> [Score(name="accuracy", heading="accuracy").tick(value) for value in (0.9, 0.975)]
        ['90%', '97.5%']
        """
        return f"{100 * value:.4g}%"

    def points(self, difference: float) -> str:
        """A difference of scores, or a standard deviation, in hundredths."""
        return f"{100 * difference:.2f}"


SCORES: Registry[Score] = Registry("score")
"""Every score by its name among objectives, such as `val_accuracy`; tasks add theirs."""


def add_score(score: Score) -> None:
    """Makes a score known, and the same of the int8 file."""
    for each in (score, score.in_int8):
        SCORES.add(each.objective, each)


@final
@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Cost:
    """A number of which a network should have little. There is one object of each: it is equal to itself only.

    Attributes:
        name: in files and in Python. A counted cost is the property of this name of `nas.architecture.Count`.
        heading: in tables and charts.
        unit: what stands behind the number in a sentence.
        measured: how it is measured before a network is trained; "" for a cost that is counted from the architecture.
        span: over which hypervolume is taken. None for the three that a space knows the extremes of: parameters,
            multiply-adds and activation bytes.
        is_time: no whole number, and another one on another machine.
    """

    name: str
    heading: str
    unit: str
    measured: str = ""
    span: tuple[float, float] | None = None
    is_time: bool = False

    def __reduce__(self) -> tuple[Any, ...]:
        """In another process it is that process' own object."""
        return _cost_named, (self.name,)

    @property
    def is_counted(self) -> bool:
        """Whether it is known without running the network."""
        return not self.measured

    @property
    def limit(self) -> str:
        """Its key in a budget."""
        return f"max_{self.name}"

    def of(self, count: object) -> int:
        """A counted cost, of a network's `nas.architecture.Count`."""
        found: int = getattr(count, self.name)
        return found

    def text(self, value: float) -> str:
        """As tables show it.

        >>> MACS.text(12_345), LATENCY.text(0.61234), RAM_BYTES.text(7_360)
        ('12,345', '0.612', '7,360')
        """
        return f"{value:.3g}" if self.is_time and value < 100 else f"{value:,.0f}"

    def words(self, value: float) -> str:
        """In a sentence.

        >>> PARAMETERS.words(7_466), LATENCY.words(0.61234)
        ('7,466 parameters', '0.612 ms')
        """
        return f"{self.text(value)} {self.unit}"

    def short(self, value: float) -> str:
        """Where there is little room.

        >>> PARAMETERS.short(8_412), LATENCY.short(0.61234)
        ('8.41k', '0.612 ms')
        """
        return self.words(value) if self.is_time else short_count(value)


PARAMETERS = Cost(name="parameters", heading="parameters", unit="parameters")
MACS = Cost(name="macs", heading="MACs", unit="MACs")
ACTIVATION_BYTES = Cost(name="activation_bytes", heading="activation bytes", unit="activation bytes")
LATENCY = Cost(
    name="latency_ms",
    heading="latency (ms)",
    unit="ms",
    measured="latency measured on this machine's CPU, one image at a time",
    # Fixed, because a latency is unknown until it is measured.
    span=(0.001, 1_000.0),
    is_time=True,
)
RAM_BYTES = Cost(
    name="ram_bytes",
    heading="RAM (bytes)",
    unit="bytes of RAM",
    measured="RAM that the int8 network takes in LiteRT for Microcontrollers, measured there",
    span=(1e3, 1e8),
)
FLASH_BYTES = Cost(
    name="flash_bytes",
    heading="flash (bytes)",
    unit="bytes of flash",
    measured="flash that the int8 network takes, the size of its LiteRT file",
    span=(1e3, 1e8),
)

COSTS: Registry[Cost] = Registry("cost")
"""Every cost by its name in experiment files."""

for _each in (PARAMETERS, MACS, ACTIVATION_BYTES, LATENCY, RAM_BYTES, FLASH_BYTES):
    COSTS.add(_each.name, _each)


def _cost_named(name: str) -> Cost:
    return COSTS[name]


DEVICE_COSTS = (FLASH_BYTES, RAM_BYTES)
"""What a board has a limited amount of."""

DEFAULT_COSTS = (PARAMETERS,)
"""What a search keeps low if nothing else is said."""


@final
@dataclass(frozen=True, kw_only=True, slots=True)
class Objectives:
    """The score and the costs of a search, and what they are measured against.

    Attributes:
        score: to be high.
        interest: of each cost, the lowest and the highest budget of interest. A cheaper network counts as if it were at
            the lower end, a dearer one not at all. The first cost is the horizontal axis of charts.
        floor: a score that is worth nothing, such as that of guessing; in [0, 1).
        finest: the least error that can be told, such as one image of the validation split; it is added to errors.
        budget: the most that a network may have of the first cost; None for no limit.
    """

    score: Score
    interest: Mapping[Cost, tuple[float, float]]
    floor: float = 0.0
    finest: float = 0.001
    budget: float | None = None

    def __post_init__(self) -> None:
        for cost, (least, most) in self.interest.items():
            if least > most:
                raise NasError(
                    f"the lower limit of {cost.heading} must not exceed the upper one; received {least:,} > {most:,}; "
                    "swap them"
                )
        if not 0 <= self.floor < 1:
            raise NasError(f"floor must be at least 0 and less than 1; received {self.floor}")
        if not 0 < self.finest < 1:
            raise NasError(f"finest must be greater than 0 and less than 1; received {self.finest}")

    @property
    def costs(self) -> tuple[Cost, ...]:
        return tuple(self.interest)

    @property
    def axis(self) -> Cost:
        """The first cost."""
        return next(iter(self.interest))

    @property
    def in_words(self) -> str:
        """Between which costs and which scores differences count.

        >>> accuracy = Score(name="accuracy", heading="accuracy", is_share=True)
        >>> objectives = Objectives(score=accuracy, interest={PARAMETERS: (100, 2_000)}, floor=0.1, finest=1 / 50)
        >>> objectives.in_words
        '100 to 2,000 parameters, accuracy from 10.00% to all but one of 50'
        >>> replace(objectives, score=Score(name="miou", heading="mean IoU")).in_words
        '100 to 2,000 parameters, mean IoU from 10.00% to 98.00%'
        """
        between = ", ".join(f"{cost.text(low)} to {cost.words(high)}" for cost, (low, high) in self.interest.items())
        best = f"all but one of {round(1 / self.finest):,}" if self.score.is_share else self.score.text(1 - self.finest)
        return f"{between}, {self.score.heading} from {self.score.text(self.floor)} to {best}"

    def worth(self, score: float) -> float:
        """How far a score is from the floor to perfect, in factors of error: 0 up to the floor, 1 without an error.

        What people weigh is the error: from 95 to 98 % takes away 60 % of it, from 45 to 60 % a quarter.

        >>> accuracy = Score(name="accuracy", heading="accuracy")
        >>> objectives = Objectives(score=accuracy, interest={PARAMETERS: (100, 2_000)}, floor=0.0, finest=0.001)
        >>> [round(objectives.worth(score), 3) for score in (0.0, 0.9, 0.99, 0.999, 1.0)]
        [0.0, 0.332, 0.653, 0.9, 1.0]
        """
        most = 1 - self.floor + self.finest
        return max(0.0, math.log(most / (1 - score + self.finest)) / math.log(most / self.finest))

    def score_worth(self, worth: float) -> float:
        """The score, from the floor to 1, that is worth so much: the inverse of `worth`."""
        most = 1 - self.floor + self.finest
        return min(1.0, max(self.floor, 1 + self.finest - most * math.pow(self.finest / most, worth)))

    def worth_deviation(self, score: float, deviation: float) -> float:
        """Standard deviation of what an uncertain score is worth, given that of the score."""
        low, high = max(self.floor, score - deviation), min(1.0, score + deviation)
        return (self.worth(high) - self.worth(low)) / 2

    def directions(self) -> dict[str, str]:
        """All objectives as other programs read them."""
        return {cost.name: "minimize" for cost in self.interest} | {self.score.objective: "maximize"}


def shown_costs(costs: Iterable[Cost]) -> tuple[Cost, ...]:
    """The costs that tables have a column for: two that everybody asks for, then those that the search is after."""
    return tuple(dict.fromkeys((PARAMETERS, MACS, *costs)))


def log_cost(cost: float) -> float:
    """The natural logarithm; what is next to nothing costs a thousandth."""
    return math.log(max(cost, 1e-3))
