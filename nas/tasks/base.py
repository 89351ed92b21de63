"""What a task is: everything about targets and answers that its heads share."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, final

from nas.architecture.keras_types import KerasMetric, Tensor
from nas.errors import NasError
from nas.objectives import Score, add_score
from nas.registry import Registry

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Array = npt.NDArray[Any]


class TargetError(NasError):
    """Targets, or the names of classes, that a task cannot use."""


@final
@dataclass(frozen=True, kw_only=True)
class Movement:
    """How augmentation has moved each image of a batch, so that targets can be moved with it.

    First each image is flipped, then turned and enlarged around its middle, then shifted, then mixed with another.

    Attributes:
        flipped: bool `(batch,)`, left to right; None: none is.
        angle: in radians, counterclockwise, `(batch,)`; None: not at all.
        scale: factor by which it is enlarged, `(batch,)`; None: not at all.
        down, right: whole numbers of pixels `(batch,)`; None: not at all.
        partner: int32 `(batch,)`: position in the batch of the image that is mixed in; None: none is.
        share: float32 `(batch,)`: of the image itself in the mixture, a half or more but for the pixels at an edge.
        height, width: of the images, in pixels.
    """

    height: int
    width: int
    flipped: Tensor | None = None
    angle: Tensor | None = None
    scale: Tensor | None = None
    down: Tensor | None = None
    right: Tensor | None = None
    partner: Tensor | None = None
    share: Tensor | None = None


@final
@dataclass(frozen=True, kw_only=True)
class Framing:
    """The part of a picture that a resized one shows, so that targets can follow.

    Attributes:
        top, left, bottom, right: of that part, in pixels of the picture; beyond its borders where it was padded.
        height, width: in pixels that the part is resized to.
    """

    top: float
    left: float
    bottom: float
    right: float
    height: int
    width: int


@final
@dataclass(frozen=True, kw_only=True)
class Agreement:
    """How an export's answers compare to the trained network's.

    Attributes:
        largest_difference: of two numbers in the same place.
        problem: what is wrong with them, in words; "" if the export passes.
    """

    largest_difference: float
    problem: str = ""


@final
@dataclass(frozen=True, kw_only=True)
class Breakdown:
    """What lies behind a network's score.

    Attributes:
        name: of files that hold it.
        headings: of a table.
        rows: of it, as many cells each as there are headings.
        drawing: as SVG.
        title: of the drawing.
        predictions: some validation images with the truth and what the network answers, as SVG; "" if it was not drawn.
    """

    name: str
    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    drawing: str
    title: str
    predictions: str = ""


class Task(ABC):
    """One kind of question about images. One file a task, registered with `TASKS.add`.

    A batch has `targets`, an array with a row an example and a static shape. A head decodes its outputs into `answers`,
    which have a row an example too, and change without jumps where outputs do, so that exports are compared on them.
    What is decided from them, such as which boxes stay, an export returns as `served`. `evidence` is what a batch says
    about the score: it is concatenated over a split, then scored once, so that a metric that is no mean needs no way of
    its own.

    Attributes:
        name: in the registry; a head names its task.
        score: what a search maximizes if its experiment names no other.
        others: further scores of the same evidence.
        follows: keys of augmentation that move or mix images and that `move` knows; the others are refused.
        answer: name of the answers in files that hold nothing else.
        is_sized: whether targets have the images' size: scores of networks on other sizes then do not compare.
        is_pictured: whether answers are best seen on images, so that a search draws some for its front.
    """

    name: ClassVar[str]
    score: ClassVar[Score]
    others: ClassVar[tuple[Score, ...]] = ()
    follows: ClassVar[frozenset[str]] = frozenset({"flip", "shift"})
    answer: ClassVar[str]
    is_sized: ClassVar[bool] = False
    is_pictured: ClassVar[bool] = False

    @abstractmethod
    def check_labels(self, labels: Sequence[str], data: str) -> None:
        """Refuse names of classes that a data set, called `data`, cannot have.

        Raises:
            TargetError: with the reason.
        """

    @abstractmethod
    def check_targets(
        self, targets: Array, labels: Sequence[str], data: str, *, input_shape: tuple[int, int, int]
    ) -> None:
        """Refuse targets of another type or shape, or outside the classes.

        Args:
            targets: a row an example.
            labels: names of the classes.
            data: what they belong to, for the message, such as "the train split of 'digits'".
            input_shape: (height, width, channels) of the images.

        Raises:
            TargetError: with the reason.
        """

    @abstractmethod
    def chance(self, labels: Sequence[str], score: Score | None = None) -> float:
        """One of `scores`, by default the first, of guessing: in [0, 1). It is worth nothing."""

    @abstractmethod
    def described(self, labels: Sequence[str]) -> str:
        """What is told apart, such as "10 classes"."""

    @abstractmethod
    def strata(self, targets: Array) -> npt.NDArray[np.int64]:
        """A number an example, `(n,)`: splits have their share of each."""

    @abstractmethod
    def lacking(self, targets: Array, labels: Sequence[str]) -> str:
        """What a split has no example of, in words; "" if it has all."""

    @abstractmethod
    def move(self, targets: Tensor, movement: Movement) -> Tensor:
        """The targets of images that were moved, which the head's loss takes where none was mixed.

        Of mixed images, which only a task that `follows` mixup or cutmix is given: float32 `(batch, 3)`, the target of
        the image itself, that of the one mixed in, and the share of the first.
        """

    @abstractmethod
    def resize(self, targets: Array, shape: tuple[int, int], framing: Framing) -> Array:
        """The targets of pictures that were cut or padded, and resized.

        Args:
            targets: a row an example.
            shape: (height, width) of the pictures before.
            framing: what became of each.
        """

    @abstractmethod
    def evidence(self, targets: Tensor, answers: Tensor) -> Tensor:
        """What a batch says about the score, by `keras.ops`: float32, a row an example."""

    @abstractmethod
    def score_of(self, evidence: Array, score: Score | None = None) -> float:
        """One of `scores`, by default the first, in [0, 1], of the evidence of a whole split."""

    @property
    def scores(self) -> tuple[Score, ...]:
        """All that an experiment may name."""
        return self.score, *self.others

    def breakdown(self, evidence: Array, labels: Sequence[str]) -> Breakdown | None:
        """What lies behind a score; None: the task has no more to tell."""
        del evidence, labels
        return None

    @abstractmethod
    def keras_metric(self, answers: Callable[[Tensor], Tensor]) -> KerasMetric:
        """The score as a `keras.metrics.Metric` of (targets, outputs), for training loops that are not ours.

        Args:
            answers: of a head: decodes outputs.
        """

    @abstractmethod
    def check_answers(self, shape: tuple[int | None, ...], labels: Sequence[str]) -> str:
        """Why a model that returns this shape, without the batch axis, cannot be scored; "" if it can."""

    @abstractmethod
    def served(self, answers: Tensor) -> dict[str, Tensor]:
        """What a SavedModel returns, by name, by `keras.ops` that a saved Keras model can hold."""

    @abstractmethod
    def compare(self, expected: Array, received: Array, *, tolerance: float) -> Agreement:
        """Two networks' answers to the same images, of one shape.

        Args:
            expected: of the trained network.
            received: of its export.
            tolerance: largest difference that passes, relative to the size of the numbers.
        """

    def marked(
        self, images: npt.NDArray[np.uint8], targets: Array, labels: Sequence[str]
    ) -> tuple[npt.NDArray[np.uint8], list[str]]:
        """Images with their targets, where those have places: what to draw, and SVG elements to lie over each."""
        del targets, labels
        return images, [""] * len(images)

    def caption(self, target: Array, labels: Sequence[str]) -> str:
        """What to write below an image that is drawn with its target."""
        del target, labels
        return "as it is"

    @abstractmethod
    def picture(self, images: npt.NDArray[np.uint8], targets: Array, answers: Array, labels: Sequence[str]) -> str:
        """Some images with their targets and answers, as SVG."""


TASKS: Registry[Task] = Registry("task")
"""Every task by name."""


def register(cls: type[Task]) -> type[Task]:
    """Class decorator: makes a task known by its name, and its scores among the objectives."""
    task = cls()
    TASKS.add(cls.name, task)
    for score in task.scores:
        add_score(score)
    return cls
