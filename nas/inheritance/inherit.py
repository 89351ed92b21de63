"""Weights of an architecture from those of a similar one that has been trained."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from nas.architecture.graph import Node
from nas.architecture.keras_types import KerasLayer, KerasModel
from nas.devices.tensorflow_import import import_tensorflow
from nas.inheritance.alignment import align
from nas.inheritance.morphism import Morphism, Values
from nas.training.model import Weights, precision, set_weights

if TYPE_CHECKING:
    from nas.architecture import Architecture


@dataclass(frozen=True, kw_only=True)
class Inheritance:
    """What a child starts with.

    Attributes:
        weights: in the order of `keras.Model.get_weights()`.
        share: of its weights, in (0, 1]: those that are the parent's. The others are identities, zeros, and what the
            child would have started with.
        preserving: whether its outputs in inference equal the parent's.
    """

    weights: Weights
    share: float
    preserving: bool


def inherit(parent: Architecture, parent_weights: Weights, child: Architecture, *, seed: int) -> Inheritance | None:
    """The weights that a child starts with; None if it has no layer in common with its parent.

    If the child is the parent with wider layers (Net2WiderNet), more layers where an identity is possible
    (Net2DeeperNet; both Chen et al., 2016), more branches or larger kernels, its outputs equal the parent's. Otherwise
    layers that stand for each other share as many weights as both have.

    In training a new batch normalization normalizes by its batch, and is no identity any more: the outputs are equal
    before the first step. Keras' and NumPy's random seeds are set, as by `train`.

    Args:
        parent: a trained architecture.
        parent_weights: its weights, in the order of `keras.Model.get_weights()`.
        child: what is to be trained.
        seed: the child's own, as `train` gets it: what it does not inherit are the weights that `train` would start
            with.

    Raises:
        NasError: the weights are not the parent's.
    """
    import_tensorflow("tensorflow", "jax")
    import keras

    with precision("float32"):
        keras.utils.set_random_seed(seed)
        model = child.build()
        old = parent.build()
    set_weights(old, parent, parent_weights)
    mine = _layers(child, model)
    morphism = Morphism(
        _values(_layers(parent, old)),
        _values(mine),
        align(parent, child),
        (parent.input_shape, child.input_shape),
        seed=seed,
    )
    if not morphism.inherited:
        return None
    arrays = {
        id(variable): values[variable.name]
        for (_, layer), values in zip(mine, morphism.values, strict=True)
        for variable in layer.weights
    }
    weights = [np.asarray(arrays[id(variable)], np.float32) for variable in model.weights]
    return Inheritance(
        weights=weights,
        share=morphism.inherited / max(1, sum(array.size for array in weights)),
        preserving=morphism.exact,
    )


def _layers(architecture: Architecture, model: KerasModel) -> list[tuple[Node, KerasLayer]]:
    layers = {layer.name: layer for layer in model.layers}
    return [(node, layers[f"{block}_{node.name}"]) for block, node in architecture.nodes()]


def _values(layers: list[tuple[Node, KerasLayer]]) -> list[tuple[Node, Values]]:
    return [(node, {variable.name: variable.numpy() for variable in layer.weights}) for node, layer in layers]
