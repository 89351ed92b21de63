"""One data set in several forms: the sizes and channels among which a search chooses, made of the largest."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from nas.datasets.images import in_shape, shape_of
from nas.datasets.spec import DatasetError, DatasetSpec, ImageShape, Split
from nas.recipe import Recipe, described

if TYPE_CHECKING:
    from nas.config import DatasetConfig, ExperimentConfig

CHUNK = 1_024
"""Images that are resized at once: as floats they take four times the memory."""


def whole(experiment: ExperimentConfig) -> DatasetConfig:
    """The data set that all forms are made of: of the largest size, and in color if one is."""
    largest = max(_sized(experiment), key=lambda each: np.prod(each.size or (1,)), default=experiment.dataset)
    grayscale = experiment.dataset.grayscale and "dataset.grayscale" not in experiment.choices
    return largest.model_copy(update={"grayscale": grayscale})


def _sized(experiment: ExperimentConfig) -> list[DatasetConfig]:
    """The data set in each size among which a search chooses; [] without such a choice."""
    sizes = experiment.choices.get("dataset.image_size", ())
    return [experiment.with_recipe({"dataset.image_size": size}).dataset for size in sizes]


def _check_sizes(experiment: ExperimentConfig) -> None:
    """Refuse sizes of which one would stretch what was cut or padded for another."""
    fit, largest = experiment.dataset.fit, whole(experiment)
    if experiment.dataset.form == "crops" and _sized(experiment):
        raise DatasetError(
            "crops have one size, dataset.crop_size; received a choice of image_size with `as: crops`; give one value"
        )
    height, width = largest.size or (1, 1)
    for each in _sized(experiment):
        high, wide = each.size or (1, 1)
        if fit != "stretch" and abs(high * width / height - wide) >= 1:
            raise DatasetError(
                f"with fit: {fit}, sizes to choose from have one shape; received image_size {each.image_size} and "
                f"{largest.image_size}; use fit: stretch, or other sizes"
            )


def forms(experiment: ExperimentConfig, shape: ImageShape) -> dict[ImageShape, Recipe]:
    """The shapes of images among which a search chooses, each with the part of the recipe that makes it.

    Args:
        experiment: what may be chosen.
        shape: of the images that all are made of.

    Raises:
        DatasetError: two choices make the same images, or one cannot be made of the largest.
    """
    _check_sizes(experiment)
    offered = {key: values for key, values in experiment.choices.items() if key.startswith("dataset.")}
    found: dict[ImageShape, Recipe] = {}
    for values in itertools.product(*offered.values()):
        recipe = dict(zip(offered, values, strict=True))
        made = shape_of(shape, experiment.with_recipe(recipe).dataset)
        if made in found:
            raise DatasetError(
                f"each choice of size and color must make other images; {described(found[made])} and "
                f"{described(recipe)} make the same, {'x'.join(map(str, made))}; leave one out"
            )
        found[made] = recipe
    return found


def in_forms(data: DatasetSpec, shapes: Iterable[ImageShape]) -> dict[ImageShape, DatasetSpec]:
    """A data set in each of these shapes."""
    return {shape: data if shape == data.info.input_shape else _made(data, shape) for shape in shapes}


def _made(data: DatasetSpec, shape: ImageShape) -> DatasetSpec:
    def split(whole: Split) -> Split:
        images = np.empty((len(whole), *shape), np.uint8)
        for start in range(0, len(whole), CHUNK):
            images[start : start + CHUNK] = in_shape(whole.images[start : start + CHUNK], shape)
        return replace(whole, images=images)

    return replace(
        data,
        info=replace(data.info, input_shape=shape),
        train=split(data.train),
        validation=split(data.validation),
        test=split(data.test),
    )
