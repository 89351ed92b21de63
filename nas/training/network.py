"""A network as a function of flat vectors: all its weights in one or two, all its moving statistics in one.

A step then reads, updates and copies a handful of tensors, however many layers there are, and its graph holds few
operations. That graph is traced and optimized anew for each architecture, which for short trainings costs more than
the training itself.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from nas.architecture.layers import (
    Activation,
    Add,
    BatchNormalization,
    Concatenate,
    Conv2D,
    DepthwiseConv2D,
    Pool2D,
)
from nas.training.model import Weights, set_weights
from nas.training.schedule import decays

if TYPE_CHECKING:
    from nas.architecture import Architecture
    from nas.architecture.graph import Node


class Network:
    """An architecture's Keras model, run operation by operation on flat weights.

    The model's own variables only give the initial values: afterwards the flat ones are the network's weights.

    Attributes:
        weights: flat float32 `keras.Variable`s that an optimizer trains: those that weight decay shrinks, the others.
        statistics: the flat moving means and variances of every batch normalization.
    """

    def __init__(
        self,
        architecture: Architecture,
        *,
        momentum: float,
        separate: bool = False,
        weights: Weights | None = None,
    ) -> None:
        """Builds the Keras model.

        Args:
            architecture: what to build.
            momentum: of the moving statistics.
            separate: whether weight decay needs two groups of weights; one is faster.
            weights: initial ones; None are random ones.

        Raises:
            NasError: the weights are not those of this architecture.
        """
        import keras
        import tensorflow as tf

        self._model = architecture.build(batch_norm_momentum=momentum)
        if weights is not None:
            set_weights(self._model, architecture, weights)
        self._momentum = momentum
        layers = {layer.name: layer for layer in self._model.layers}
        self._nodes: list[tuple[Node, Any]] = [
            (node, layers[f"{block}_{node.name}"]) for block, node in architecture.nodes()
        ]
        trained = self._model.trainable_variables
        shrunk = [v for v in trained if decays(v.name) or not separate]
        groups = [shrunk, [v for v in trained if separate and not decays(v.name)]]
        # The names tell the optimizer which group it shrinks.
        self._groups = [(name, some) for name, some in zip(("kernels", "bias"), groups, strict=True) if some]
        self.weights = [keras.Variable(_flat(some), name=name, dtype="float32") for name, some in self._groups]
        self._moving = [
            variable
            for node, layer in self._nodes
            if isinstance(node.layer, BatchNormalization)
            for variable in (layer.moving_mean, layer.moving_variance)
        ]
        self.statistics = tf.Variable(_flat(self._moving), name="statistics", trainable=False)
        held = {id(variable) for variable in self._model.weights}
        self.seeds = [variable for variable in self._model.variables if id(variable) not in held]

    def __call__(self, images: Any, weights: Sequence[Any], *, training: bool) -> tuple[Any, Any]:
        """Class probabilities `(batch, classes)`, and the statistics that this batch leaves behind.

        Args:
            images: float32 `(batch, height, width, channels)`.
            weights: the values of `self.weights`.
            training: as in Keras: whether to normalize by the batch and to drop out.
        """
        import tensorflow as tf

        values: dict[int, Any] = {}
        for (_, variables), flat in zip(self._groups, weights, strict=True):
            values |= _parts(flat, variables)
        if not training:
            values |= _parts(self.statistics, self._moving)
        seen: dict[int, Any] = {}
        tensors = [images]
        for node, layer in self._nodes:
            inputs = [tensors[index + 1] for index in node.inputs]
            tensors.append(_apply(node, layer, inputs, values, training=training, seen=seen))
        if not seen:
            return tensors[-1], self.statistics.read_value()
        new = tf.concat([seen[id(variable)] for variable in self._moving], 0)
        return tensors[-1], self.statistics * self._momentum + new * (1.0 - self._momentum)

    def get_weights(self) -> Weights:
        """As `keras.Model.get_weights()`, in host memory."""
        arrays: dict[int, Any] = {}
        flats = [*(weights.value for weights in self.weights), self.statistics]
        for flat, variables in zip(flats, [*(some for _, some in self._groups), self._moving], strict=True):
            values, start = flat.numpy(), 0
            for variable in variables:
                size = int(np.prod(variable.shape))
                arrays[id(variable)] = values[start : start + size].reshape(variable.shape)
                start += size
        return [arrays[id(variable)] for variable in self._model.weights]


def _flat(variables: Sequence[Any]) -> Any:
    values = [np.ravel(variable.numpy()) for variable in variables]
    return np.concatenate(values) if values else np.zeros(0, np.float32)


def _parts(flat: Any, variables: Sequence[Any]) -> dict[int, Any]:
    """The flat vector's share of each variable, by the variable's identity."""
    import tensorflow as tf

    if not variables:
        return {}
    parts = tf.split(flat, [int(np.prod(variable.shape)) for variable in variables])
    return {
        id(variable): part if len(variable.shape) == 1 else tf.reshape(part, variable.shape)
        for variable, part in zip(variables, parts, strict=True)
    }


def _apply(
    node: Node, layer: Any, inputs: list[Any], values: Mapping[int, Any], *, training: bool, seen: dict[int, Any]
) -> Any:
    """One layer. The frequent ones are single operations; Keras' own layer does the others.

    Equal to Keras up to rounding: `tests/training/test_network.py` compares them for every kind of layer.

    Args:
        node: what the layer is.
        layer: Keras' layer.
        inputs: of the layer.
        values: of the layer's variables.
        training: as in Keras.
        seen: takes what batch normalization sees in training, by the identity of its moving statistics.
    """
    import tensorflow as tf

    x, dtype = tf.cast(inputs[0], layer.compute_dtype), layer.compute_dtype

    def value(variable: Any) -> Any:
        return tf.cast(values[id(variable)], dtype)

    match node.layer:
        case Conv2D(groups=1, window=window, bias=bias):
            x = tf.nn.conv2d(x, value(layer.kernel), window.stride, window.padding.upper())
            return tf.nn.bias_add(x, value(layer.bias)) if bias else x
        case DepthwiseConv2D(window=window, bias=bias) if window.stride[0] == window.stride[1]:
            strides = (1, *window.stride, 1)
            x = tf.nn.depthwise_conv2d(x, value(layer.kernel), strides, window.padding.upper())
            return tf.nn.bias_add(x, value(layer.bias)) if bias else x
        case Pool2D(pool=kind, window=window):
            pool = tf.nn.max_pool2d if kind == "max" else tf.nn.avg_pool2d
            return pool(x, window.size, window.stride, window.padding.upper())
        case Activation(function="relu"):
            return tf.nn.relu(x)
        case Add():
            return functools.reduce(tf.add, [tf.cast(each, dtype) for each in inputs])
        case Concatenate():
            return tf.concat([tf.cast(each, dtype) for each in inputs], -1)
        case BatchNormalization():
            return tf.cast(_normalize(layer, tf.cast(x, tf.float32), values, training=training, seen=seen), dtype)
    return _call_keras(layer, inputs, values, training=training)


def _normalize(layer: Any, x: Any, values: Mapping[int, Any], *, training: bool, seen: dict[int, Any]) -> Any:
    """Batch normalization as one operation; Keras takes a dozen, and twice that for the gradient."""
    import tensorflow as tf

    shape = x.shape
    maps = x if len(shape) == 4 else tf.reshape(x, (shape[0], 1, 1, shape[-1]))
    unused = tf.zeros(0)
    y, mean, variance, *_ = tf.raw_ops.FusedBatchNormV3(
        x=maps,
        scale=values[id(layer.gamma)],
        offset=values[id(layer.beta)],
        mean=unused if training else values[id(layer.moving_mean)],
        variance=unused if training else values[id(layer.moving_variance)],
        epsilon=layer.epsilon,
        is_training=training,
    )
    if training:
        # The operation reports the variance of a sample, with n - 1 in the denominator; Keras keeps the batch's own.
        count = int(np.prod(maps.shape[:3]))
        seen[id(layer.moving_mean)] = mean
        seen[id(layer.moving_variance)] = variance * ((count - 1) / count) if count > 1 else variance
    return y if len(shape) == 4 else tf.reshape(y, shape)


def _call_keras(layer: Any, inputs: list[Any], values: Mapping[int, Any], *, training: bool) -> Any:
    import keras

    options = {"training": training} if "training" in inspect.signature(layer.call).parameters else {}
    argument = inputs[0] if len(inputs) == 1 else inputs
    if not layer.weights:
        # Outside of the scope, so that dropout's seed moves on.
        return layer(argument, **options)
    mapping = [(variable, values[id(variable)]) for variable in layer.weights]
    with keras.StatelessScope(state_mapping=mapping):
        return layer(argument, **options)
