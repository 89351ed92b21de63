"""A network as a function of flat vectors: all its weights in one or two, all its moving statistics in one.

A step then reads, updates and copies a handful of tensors, however many layers there are, and its graph holds few
operations. That graph is traced and optimized anew for each architecture, which for short trainings costs more than
the training itself.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from nas.architecture.keras_types import KerasLayer, Tensor
from nas.training.model import Weights, precision, set_weights
from nas.training.schedule import decays

if TYPE_CHECKING:
    from nas.architecture import Architecture
    from nas.architecture.graph import Node


class Network:
    """An architecture's Keras model, run operation by operation on flat weights.

    The model's own variables only give the initial values: afterwards the flat ones are the network's weights.

    Attributes:
        weights: flat float32 `keras.Variable`s that an optimizer trains: those that weight decay shrinks, the others.
        statistics: the flat means and variances of every batch normalization, for inference. Training does not touch
            them: they are measured when they are needed.
    """

    def __init__(
        self,
        architecture: Architecture,
        *,
        separate: bool = False,
        weights: Weights | None = None,
    ) -> None:
        """Builds the Keras model.

        Args:
            architecture: what to build.
            separate: whether weight decay needs two groups of weights; one is faster.
            weights: initial ones; None are random ones.

        Raises:
            NasError: the weights are not those of this architecture.
        """
        import keras
        import tensorflow as tf

        self._architecture, self._separate = architecture, separate
        self._model = architecture.build()
        if weights is not None:
            set_weights(self._model, architecture, weights)
        layers = {layer.name: layer for layer in self._model.layers}
        self._nodes: list[tuple[Node, KerasLayer]] = [
            (node, layers[f"{block}_{node.name}"]) for block, node in architecture.nodes()
        ]
        trained = self._model.trainable_variables
        shrunk = [v for v in trained if decays(v.name) or not separate]
        groups = [shrunk, [v for v in trained if separate and not decays(v.name)]]
        # The names tell the optimizer which group it shrinks.
        self._groups = [(name, some) for name, some in zip(("kernels", "bias"), groups, strict=True) if some]
        self.weights = [keras.Variable(_flat(some), name=name, dtype="float32") for name, some in self._groups]
        self._moving = [variable for _, layer in self._nodes for variable in layer.non_trainable_weights]
        self.statistics = tf.Variable(_flat(self._moving), name="statistics", trainable=False)
        held = {id(variable) for variable in self._model.weights}
        self.seeds = [variable for variable in self._model.variables if id(variable) not in held]

    def __call__(self, images: Tensor, weights: Sequence[Tensor], *, training: bool) -> Tensor:
        """The network's outputs, a row an image, for `head.answers`.

        Args:
            images: float32 `(batch, height, width, channels)`.
            weights: the values of `self.weights`.
            training: whether to normalize by the batch and to drop out, or to normalize by `self.statistics`.
        """
        return self._run(images, weights, {}, training=training, by_batch=training)

    @property
    def is_normalized(self) -> bool:
        """Whether there are statistics."""
        return bool(self._moving)

    def batch_statistics(self, images: Tensor, weights: Sequence[Tensor]) -> Tensor:
        """What `self.statistics` would be if a batch were all images: without dropout, and normalized by the batch."""
        import tensorflow as tf

        seen: dict[int, Tensor] = {}
        self._run(images, weights, seen, training=False, by_batch=True)
        return tf.concat([seen[id(variable)] for variable in self._moving], 0)

    def _run(
        self, images: Tensor, weights: Sequence[Tensor], seen: dict[int, Tensor], *, training: bool, by_batch: bool
    ) -> Tensor:
        import tensorflow as tf

        values: dict[int, Tensor] = {}
        for (_, variables), flat in zip(self._groups, weights, strict=True):
            values |= _parts(flat, variables)
        if not by_batch:
            values |= _parts(self.statistics, self._moving)
        tensors = [tf.convert_to_tensor(images)]
        for node, layer in self._nodes:
            inputs = [tensors[index + 1] for index in node.inputs]
            tensors.append(node.layer.run(_Call(layer, inputs, values, seen, training=training, by_batch=by_batch)))
        return tensors[-1]

    def in_float32(self) -> Network:
        """The same weights and statistics, run in the precision in which a network is delivered."""
        with precision("float32"):
            twin = Network(self._architecture, separate=self._separate)
        twin.weights, twin.statistics = self.weights, self.statistics
        return twin

    def get_weights(self) -> Weights:
        """As `keras.Model.get_weights()`, in host memory."""
        arrays: dict[int, Tensor] = {}
        flats = [*(weights.value for weights in self.weights), self.statistics]
        for flat, variables in zip(flats, [*(some for _, some in self._groups), self._moving], strict=True):
            values, start = flat.numpy(), 0
            for variable in variables:
                size = int(np.prod(variable.shape))
                arrays[id(variable)] = values[start : start + size].reshape(variable.shape)
                start += size
        return [arrays[id(variable)] for variable in self._model.weights]


def _flat(variables: Sequence[Tensor]) -> Tensor:
    values = [np.ravel(variable.numpy()) for variable in variables]
    return np.concatenate(values) if values else np.zeros(0, np.float32)


def _parts(flat: Tensor, variables: Sequence[Tensor]) -> dict[int, Tensor]:
    """The flat vector's share of each variable, by the variable's identity."""
    import tensorflow as tf

    if not variables:
        return {}
    parts = tf.split(flat, [int(np.prod(variable.shape)) for variable in variables])
    return {
        id(variable): part if len(variable.shape) == 1 else tf.reshape(part, variable.shape)
        for variable, part in zip(variables, parts, strict=True)
    }


class _Call:
    """A layer at work on a batch, as `nas.architecture.layers.facets.Call` describes it.

    Equal to Keras up to rounding: `tests/training/test_network.py` compares them for every kind of layer.
    """

    def __init__(
        self,
        layer: KerasLayer,
        inputs: list[Tensor],
        values: Mapping[int, Tensor],
        seen: dict[int, Tensor],
        *,
        training: bool,
        by_batch: bool,
    ) -> None:
        """The call of a Keras layer.

        Args:
            layer: Keras' layer.
            inputs: of the layer.
            values: of the layer's variables, by their identity.
            seen: takes what the layer sees of a batch that it normalizes by, by the identity of its moving statistics.
            training: whether to drop out.
            by_batch: whether to normalize by the batch.
        """
        import tensorflow as tf

        self._layer, self._inputs, self._values, self._seen = layer, inputs, values, seen
        self._variables = {variable.name: variable for variable in layer.weights}
        self.inputs: Sequence[Tensor] = [tf.cast(each, layer.compute_dtype) for each in inputs]
        self.training, self.by_batch = training, by_batch

    def weight(self, name: str, dtype: str | None = None) -> Tensor:
        import tensorflow as tf

        return tf.cast(self._values[id(self._variables[name])], dtype or self._layer.compute_dtype)

    def leave(self, name: str, value: Tensor) -> None:
        self._seen[id(self._variables[name])] = value

    def by_keras(self) -> Tensor:
        import keras

        layer = self._layer
        options = {"training": self.training} if "training" in inspect.signature(layer.call).parameters else {}
        argument = self._inputs[0] if len(self._inputs) == 1 else self._inputs
        if not layer.weights:
            # Outside of the scope, so that dropout's seed moves on.
            return layer(argument, **options)
        mapping = [(variable, self._values[id(variable)]) for variable in layer.weights]
        with keras.StatelessScope(state_mapping=mapping):
            return layer(argument, **options)
