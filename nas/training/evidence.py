"""Evidence of a whole split, collected by Keras' own loops as a metric."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from nas.architecture.keras_types import KerasMetric, KerasModel, Tensor
from nas.tasks import TASKS

if TYPE_CHECKING:
    from nas.architecture.blocks import Head


def make_evidence_metric(
    model: KerasModel,
    head: Head,
    targets: npt.NDArray[Any],
    *,
    rows: int,
    replicas: int,
    own: Callable[[Tensor], Tensor] = lambda targets: targets,
) -> KerasMetric:
    """A `keras.metrics.Metric` that keeps the evidence of each batch; `seen()` is that of the whole split.

    The score is computed from it once, outside of the graph. What the metric reports to Keras is always 0.

    Args:
        model: whose outputs it is given.
        head: of the model.
        targets: some, for their type and shape.
        rows: the most images of a split, padding included.
        own: the targets of what the model is given, of which some may be mixed.
        replicas: of a `tf.distribute` strategy, each of which is given its part of a batch; 1 without one.
    """
    import keras
    from keras import ops

    task = TASKS[head.task]
    symbols = (
        keras.KerasTensor((1, *targets.shape[1:]), str(targets.dtype)),
        head.answers(keras.KerasTensor((1, *model.output_shape[1:]), "float32")),
    )
    shape = task.evidence(*symbols).shape[1:]

    class Evidence(keras.metrics.Metric):  # type: ignore[misc]
        """Replicas write into rows of their own: what is read is the sum over all of them."""

        def __init__(self) -> None:
            super().__init__(name="evidence")
            self.evidence = self.add_variable((rows, *shape), "zeros", name="rows")
            self.weights_of = self.add_variable((rows,), "zeros", name="weights")
            self.filled = self.add_variable((), "zeros", dtype="int32", name="filled")

        def update_state(self, y_true: Tensor, y_pred: Tensor, sample_weight: Tensor | None = None) -> None:
            found = task.evidence(own(y_true), head.answers(y_pred))
            count = ops.shape(found)[0]
            first = self.filled * replicas + _replica(replicas) * count
            places = (first + ops.arange(count, dtype="int32"))[:, None]
            weights = ops.ones((count,)) if sample_weight is None else ops.cast(sample_weight, "float32")
            self.evidence.assign(ops.scatter_update(self.evidence, places, found))
            self.weights_of.assign(ops.scatter_update(self.weights_of, places, weights))
            self.filled.assign(self.filled + count)

        def result(self) -> Tensor:
            return ops.zeros(())

        def seen(self) -> npt.NDArray[Any]:
            """Without padding, which has no weight."""
            found, weights = (np.asarray(each.numpy()) for each in (self.evidence, self.weights_of))
            return found[weights > 0]

    return Evidence()


def _replica(replicas: int) -> Tensor:
    """The number of the replica in which this runs."""
    if replicas == 1:
        return 0
    import tensorflow as tf

    context = tf.distribute.get_replica_context()
    # Keras first runs a step on symbols, in no replica.
    return 0 if context is None else context.replica_id_in_sync_group
