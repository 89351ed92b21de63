"""Names for what Keras and TensorFlow do not type."""

from __future__ import annotations

from typing import Any, TypeAlias

Tensor: TypeAlias = Any
"""Of Keras' backend or symbolic, or a NumPy array: what `keras.ops` takes."""

KerasLayer: TypeAlias = Any
"""What is called with a Keras tensor, or several, and returns one."""

KerasModel: TypeAlias = Any

KerasMetric: TypeAlias = Any

KerasLoss: TypeAlias = Any

KerasOptimizer: TypeAlias = Any
