"""The experiment as typed objects: what is searched, on which data, under which budget, trained how."""

from __future__ import annotations

import os
import re
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ModelWrapValidatorHandler,
    PlainSerializer,
    PrivateAttr,
    SerializerFunctionWrapHandler,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_serializer,
    model_validator,
)
from pydantic_core import InitErrorDetails, PydanticCustomError

from nas.architecture import Budget
from nas.architecture.budget import LimitError
from nas.config.choices import copied, read, refused, replaced
from nas.errors import ECHOED, printable, shown
from nas.objectives import COSTS, DEFAULT_COSTS, SCORES, Cost, Score
from nas.quantity import parse_count, parse_duration, parse_size
from nas.recipe import Choices, Recipe
from nas.registry import did_you_mean
from nas.tasks import DEFAULT_TASK

MOST_COSTS = 2
"""Fronts in more than three dimensions hold nearly every trial, and their hypervolumes take minutes."""

Count = Annotated[int, BeforeValidator(parse_count)]
Seconds = Annotated[float, BeforeValidator(parse_duration)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True, arbitrary_types_allowed=True)

    @field_validator("*", mode="before")
    @classmethod
    def _no_switch(cls, value: object, info: ValidationInfo) -> object:
        """Pydantic would take true for the number 1, and YAML reads `on` and `yes` as true."""
        if isinstance(value, bool) and cls.model_fields[str(info.field_name)].annotation is not bool:
            raise ValueError(f"must not be true or false (on and off, yes and no); received {str(value).lower()}")
        return value


def _numbered(value: object) -> object:
    """A list of names as numbers by name."""
    if not isinstance(value, list | tuple) or len(set(map(str, value))) < len(value):
        return value
    return {str(name): number for number, name in enumerate(value)}


class DatasetConfig(_Strict):
    """Which images, and how they are split."""

    # `as` is no name of Python's.
    model_config = ConfigDict(serialize_by_alias=True)

    name: str = Field(
        min_length=1,
        description="digits, a TFDS name (cifar10, fashion_mnist:3.0.1), a folder, or an .npz file",
    )
    keys: dict[Literal["image", "target"], str] = Field(
        {}, description="names of the image and of the target in a TFDS set or .npz file that has several"
    )
    classes: Annotated[dict[str, int] | None, BeforeValidator(_numbered)] = Field(
        None,
        description="names of the values in masks: a list from 0 on, or {pet: 1, ground: 2}; others are not scored",
    )
    data_dir: str | None = Field(None, description="where TFDS keeps prepared data sets")
    manual_dir: str | None = Field(None, description="where TFDS finds files that you downloaded yourself")
    image_size: Annotated[int | str | None, BeforeValidator(parse_size)] = Field(
        None, description="pixels to which images are resized: a side such as 32, or HEIGHTxWIDTH such as 24x32"
    )
    fit: Literal["stretch", "crop", "pad"] = Field(
        "stretch", description="how images of another shape become that size: stretched, cut, or on white ground"
    )
    grayscale: bool = Field(False, description="read images with one channel")
    form: Literal["crops"] | None = Field(
        None, alias="as", description="crops: of a detection set the objects and background, to be told apart"
    )
    crop_size: Count | None = Field(None, ge=1, le=4_096, description="side of these crops in pixels; 32 if left out")
    skip_corrupt: bool = Field(False, description="leave out a folder's unreadable images instead of stopping")
    validation_fraction: float = Field(0.2, gt=0, lt=1, description="share of the training images that scores trials")
    test_fraction: float = Field(
        0.2,
        gt=0,
        lt=1,
        description="share of all images held back for the final score, for data without a test split",
    )
    train_limit: Count | None = Field(None, ge=1, description="train on at most this many images")
    split_seed: int = Field(0, ge=0, description="fixes which image is in which split")

    @property
    def size(self) -> tuple[int, int] | None:
        """`(height, width)` to which images are resized."""
        if self.image_size is None:
            return None
        height, _, width = str(self.image_size).partition("x")
        return int(height), int(width or height)

    @property
    def side_of_crops(self) -> int:
        """In pixels."""
        return self.crop_size or 32

    @model_validator(mode="after")
    def _has_crops(self) -> DatasetConfig:
        if self.crop_size is not None and self.form is None:
            raise ValueError(f"crop_size is for `as: crops`; received {self.crop_size} without it")
        return self

    @field_validator("classes")
    @classmethod
    def _are_values_of_masks(cls, classes: dict[str, int] | None) -> dict[str, int] | None:
        values = sorted((classes or {}).values())
        if len(set(values)) < len(values) or not all(0 <= value <= 255 for value in values):
            raise ValueError(f"each class has a value of its own in masks, from 0 to 255; received {shown(values)}")
        return classes

    @model_validator(mode="after")
    def _fit_has_a_size(self) -> DatasetConfig:
        if self.fit != "stretch" and self.image_size is None:
            raise ValueError(f"fit: {self.fit} needs an image_size to which images are resized; received none")
        return self

    @field_validator("name", "data_dir", "manual_dir")
    @classmethod
    def _can_be_a_path(cls, path: str | None) -> str | None:
        """What no file system takes is told here, once for all sources."""
        try:
            longest = max(len(part) for part in os.fsencode(path or "").split(b"/"))
        except UnicodeEncodeError:
            longest = len(path or "") + 256
        if path is not None and (longest > 255 or len(path) > 1_000 or "\0" in path):
            raise ValueError(f"a name or path has at most 255 bytes between slashes; received {shown(path)}")
        return path


class AugmentationConfig(_Strict):
    """Random changes to training images, drawn anew each epoch."""

    shift: int = Field(0, ge=0, le=64, description="pixels, in each direction")
    flip: bool = Field(False, description="left-right")
    rotation: float = Field(0.0, ge=0, le=180, description="degrees, in each direction")
    zoom: float = Field(0.0, ge=0, lt=1, description="share by which images are enlarged or made smaller")
    brightness: float = Field(0.0, ge=0, le=1, description="share of the range of levels that is added or taken away")
    contrast: float = Field(0.0, ge=0, le=1, description="share by which differences grow or shrink")
    noise: float = Field(0.0, ge=0, le=1, description="standard deviation of each level, as a share of their range")
    cutout: int = Field(0, ge=0, le=256, description="side in pixels of a square that is blanked")
    mixup: float = Field(0.0, ge=0, le=10, description="alpha of the Beta distribution of a mixture's shares")
    cutmix: float = Field(0.0, ge=0, le=10, description="the same for a rectangle of another image")


class TrainingConfig(_Strict):
    """How one architecture is trained."""

    epochs: int = Field(10, ge=1, le=100_000)
    batch_size: int = Field(64, ge=1, le=65_536)
    optimizer: Literal["adam", "adamw", "sgd"] = "adam"
    learning_rate: float = Field(3e-3, gt=0, le=10, description="at its peak: linear warm-up, then a cosine to zero")
    weight_decay: float = Field(0.0, ge=0, le=1, description="decoupled; used by adamw and sgd")
    label_smoothing: float = Field(0.0, ge=0, lt=1)
    class_weights: Literal["none", "balanced"] | dict[str, Annotated[float, Field(ge=0, le=100_000)]] = Field(
        "none", description="what an image counts in the loss, by its class: balanced, or a number by class"
    )
    precision: Literal["float32", "mixed_float16", "mixed_bfloat16"] = "float32"
    augmentation: AugmentationConfig = AugmentationConfig()


OPEN = (
    "dataset.image_size",
    "dataset.grayscale",
    *(f"training.{key}" for key in TrainingConfig.model_fields if key not in ("epochs", "precision", "augmentation")),
    *(f"training.augmentation.{key}" for key in AugmentationConfig.model_fields),
)
"""Keys at which a list is a choice. Epochs and precision say what a training costs: all trials have the same."""


class FinalConfig(_Strict):
    """How the front is trained again, with other seeds, and scored on the test split."""

    teacher: str = Field(
        "none",
        min_length=1,
        description="whose answers further trainings learn, too: none, best (of the front), or a .keras file",
    )
    temperature: float = Field(2.0, ge=1, le=100, description="at which teacher and student are compared")
    weight: float = Field(0.5, gt=0, le=1, description="of the teacher in the loss")

    seeds: int = Field(0, ge=0, le=100, description="trainings of each network, from scratch; 0 for no final stage")
    top: Annotated[int, Field(ge=1)] | Literal["all-front"] = Field(
        "all-front", description="how many networks of the front: all of them, or a number"
    )

    @field_validator("teacher")
    @classmethod
    def _known_teacher(cls, teacher: str) -> str:
        if teacher not in ("none", "best") and not teacher.endswith(".keras"):
            raise ValueError(f"must be none, best, or the path of a .keras file; received {shown(teacher)}")
        return teacher


def _budget(value: object) -> object:
    """A mapping as a budget; a mistake in a limit is told at its key."""
    if not isinstance(value, dict):
        return value
    for key in value.keys() - set(Budget.limit_names()):
        raise _mistake("extra_forbidden", str(key), value[key])
    try:
        return Budget(**value)
    except LimitError as error:
        kind = PydanticCustomError("value_error", "{rule}", {"rule": error.rule})
        raise _mistake(kind, error.key, value.get(error.key)) from None


def _mistake(kind: str | PydanticCustomError, key: str, received: object) -> ValidationError:
    details = InitErrorDetails(type=kind, loc=(key,), input=received)
    return ValidationError.from_exception_data("budget", [details])


class ExperimentConfig(_Strict):
    """A whole experiment file, and the command line's overrides, resolved.

    A list at a key of `OPEN` is a choice: the key has its first value, `choices` has all.
    """

    name: str = Field(min_length=1, max_length=100, pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")
    description: str = ""
    space: str = Field(description="a shipped space (mixed, plain, ...) or a path to a .yaml file")
    dataset: DatasetConfig
    objectives: tuple[str, ...] = Field(
        (DEFAULT_TASK.score.objective, *(cost.name for cost in DEFAULT_COSTS)),
        description=f"the task's score, and what shall be low: {', '.join(COSTS)}",
    )
    budget: Annotated[Budget, BeforeValidator(_budget), PlainSerializer(Budget.to_dict, return_type=dict[str, Any])] = (
        Budget()
    )
    board: str | None = Field(None, description="limits RAM and flash to what this board has left: nas list boards")
    floor: float | None = Field(
        None, ge=0, lt=1, description="score that is worth nothing; that of guessing if left out"
    )
    strategy: str = "ehvi"
    early_stopping: str = Field("none", description="which trials are not trained in full: none, pareto-asha, ...")
    start: tuple[str, ...] = Field((), description="networks to begin with: reference/lenet5, path.json")
    start_from: tuple[str, ...] = Field(
        (), description="earlier searches of the same space that choose the first trials"
    )
    patience: Count | None = Field(None, ge=1, description="end when so many trials in a row have gained nothing")
    inherit: bool = Field(False, description="trials start with the weights of the most similar network on the front")
    trials: Count = Field(20, ge=1)
    time_limit: Seconds | None = Field(None, gt=0, description="seconds, or 30m, 2h")
    training: TrainingConfig = TrainingConfig()
    final: FinalConfig = FinalConfig()
    trial_timeout: Seconds | None = Field(None, gt=0, description="a trial that takes longer is ended and has failed")
    engine: Literal["local", "ray"] = Field("local", description="processes on this machine, or a Ray cluster")
    ray_address: str | None = Field(None, description="HOST:PORT of a running cluster; none starts one on this machine")
    workers: Annotated[int, Field(ge=0, le=1000)] | Literal["auto"] = Field(
        "auto", description="processes that train at the same time; 0 trains in the search's own process"
    )
    device: Literal["auto", "cpu", "gpu", "tpu", "jax-cpu"] = Field(
        "auto", description="what trains; jax-cpu rehearses a TPU on virtual devices"
    )
    gpus_per_trial: int = Field(1, ge=1, le=64, description="GPUs, or TPU chips, that share each batch of a trial")
    trials_per_gpu: int = Field(1, ge=1, le=64, description="trials that share a GPU and its memory")
    tpu_runtime: Literal["jax", "tensorflow"] = Field(
        "jax", description="tensorflow needs an installation with a TensorFlow that works on the TPU"
    )
    seed: int = Field(0, ge=0)
    _choices: Choices = PrivateAttr(default_factory=dict)

    @property
    def choices(self) -> Choices:
        """What each trial has one of, by dotted key."""
        return self._choices

    def with_recipe(self, recipe: Recipe) -> ExperimentConfig:
        """With what one trial is trained with, and nothing left to choose."""
        changed = self.model_copy()
        changed._choices = {}
        for key, value in recipe.items():
            changed = copied(changed, key, value)
        return changed

    @model_validator(mode="wrap")
    @classmethod
    def _lists_are_choices(cls, data: Any, handler: ModelWrapValidatorHandler[ExperimentConfig]) -> ExperimentConfig:
        if not isinstance(data, dict):
            return handler(data)
        experiment, choices = read(data, OPEN, handler)
        decays = "training.weight_decay" in choices
        if decays and experiment.training.optimizer == "adam" and "training.optimizer" not in choices:
            raise refused(
                "training.weight_decay",
                "the choice changes nothing, as adam shrinks no weights; use optimizer: adamw or sgd, or no list",
            )
        experiment._choices = choices
        return experiment

    @model_serializer(mode="wrap")
    def _choices_are_lists(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        document: dict[str, Any] = handler(self)
        for key, values in self._choices.items():
            document = replaced(document, key, list(values))
        return document

    @property
    def score(self) -> Score:
        """Of the objectives, the one that shall be high."""
        return SCORES[self.objectives[0]]

    @property
    def costs(self) -> tuple[Cost, ...]:
        """Of the objectives, those that shall be low."""
        return tuple(COSTS[name] for name in self.objectives[1:])

    @property
    def measured(self) -> tuple[Cost, ...]:
        """The costs that each network is measured for before it is trained: they are objectives, or have a limit."""
        return tuple(dict.fromkeys([*(cost for cost in self.costs if cost.measured), *self.budget.measured]))

    @field_validator("name")
    @classmethod
    def _not_mlflows(cls, name: str) -> str:
        if name == "mlartifacts" or name.startswith("mlflow.db"):
            raise ValueError(f"{name!r} is reserved for MLflow's files, beside the searches; give another name")
        return name

    @field_validator("objectives")
    @classmethod
    def _known_objectives(cls, objectives: tuple[str, ...]) -> tuple[str, ...]:
        scores = [name for name in objectives if name in SCORES]
        costs = [name for name in objectives if name not in SCORES]
        if len(scores) != 1 or not 1 <= len(costs) <= MOST_COSTS or len({*costs} & {*COSTS}) < len(costs):
            raise ValueError(
                f"objectives are one of {', '.join(SCORES)} and one or two of {', '.join(COSTS)}; received "
                f"{printable(', '.join(objectives), most=ECHOED) or 'none'}"
                + "".join(did_you_mean(name, (*SCORES, *COSTS)) for name in objectives if name not in (*SCORES, *COSTS))
            )
        return *scores, *costs

    @model_validator(mode="after")
    def _engine_fits(self) -> ExperimentConfig:
        if self.ray_address is not None and not re.fullmatch(r"[^:/\s]+:\d+", self.ray_address):
            raise ValueError(
                f"ray_address must be HOST:PORT, such as 10.0.0.1:6379; received {shown(self.ray_address)}"
            )
        if self.ray_address is not None and self.engine != "ray":
            raise ValueError(f"ray_address is for engine: ray; received engine {self.engine!r}")
        if self.workers == 0 and self.engine == "ray":
            raise ValueError("workers must be at least 1 with engine: ray, which trains in other processes; received 0")
        return self

    @model_validator(mode="after")
    def _shared_one_way(self) -> ExperimentConfig:
        if self.gpus_per_trial > 1 and self.trials_per_gpu > 1:
            raise ValueError(
                "a trial has several GPUs or a GPU has several trials, so gpus_per_trial or trials_per_gpu must be 1; "
                f"received {self.gpus_per_trial} and {self.trials_per_gpu}"
            )
        return self
