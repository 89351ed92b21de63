"""What a search may propose: the networks of its space, on the images and with the trainings among which it chooses."""

from __future__ import annotations

from nas.config import ExperimentConfig
from nas.datasets import forms
from nas.space import Definition, SearchSpace
from nas.space.recipe_space import Form, RecipeSpace


def recipe_space(
    definition: Definition, experiment: ExperimentConfig, shape: tuple[int, int, int], *, classes: int | None
) -> RecipeSpace:
    """What an experiment may propose.

    Args:
        definition: of its networks.
        experiment: what else may be chosen.
        shape: of the images that all forms of the data are made of.
        classes: the definition's own number if left out.
    """
    made = [
        Form(recipe, SearchSpace(definition, input_shape=of_images, classes=classes))
        for of_images, recipe in forms(experiment, shape).items()
    ]
    return RecipeSpace(made, experiment.choices)
