"""The head of YOLO: boxes, confidences and classes of a grid of cells in one look."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from nas.architecture.blocks.base import register
from nas.architecture.blocks.cells import BOX, RARE, DetectionHead, boxes_of, candidates, cells_of, spared
from nas.architecture.fields import ActivationName, BoxesPerCell, DenseUnits, Grid, Kernel, Rate
from nas.architecture.graph import Graph, SymbolicTensor
from nas.architecture.keras_types import Tensor
from nas.architecture.layers import Activation, Conv2D, Dense, Dropout, Flatten, Window, pair

LOCATION, EMPTY = 5.0, 0.5
"""Weights in the loss of where a box is, and of a confidence where no object is; as in the paper."""


@final
@register("yolo")
@dataclass(frozen=True, kw_only=True, slots=True)
class YoloHead(DetectionHead):
    """For each cell of the map `boxes` boxes with a confidence each, and one distribution over classes.

    The output is height x width x (boxes * 5 + classes) logits: y, x, height, width and confidence of each box, then
    the classes (Redmon et al., 2016). For an object the cell of its centre is responsible, and of its boxes the one
    that fits best; of several objects that fall to one box, the first. What a cell says of an object that is to be
    ignored is not judged. Unlike there, boxes are learned by their complete intersection over union (Zheng et al.,
    2020) instead of square roots of sides, and what is between 0 and 1 by cross entropy.

    Attributes:
        classes: of objects.
        boxes: of each cell.
        kernel: side of the last convolution.
        units: widths of dense layers in place of the convolution, before one that makes the whole output, as in the
            paper; [] for none.
        grid: cells along each side with such layers; the convolution has one for each of the map.
        dropout: before the last layer.
        activation: after each of these dense layers.
    """

    boxes: BoxesPerCell = 1
    kernel: Kernel = 1
    units: DenseUnits = ()
    grid: Grid = 7
    dropout: Rate = 0.0
    activation: ActivationName = "leaky_relu"

    def wire(self, graph: Graph, x: SymbolicTensor) -> SymbolicTensor:
        prior = (*BOX, RARE) * self.boxes + (0.0,) * self.classes
        if not self.units:
            window = Window(size=pair(self.kernel), stride=(1, 1), padding="same")
            x = graph.add(Dropout(rate=self.dropout), x, name="dropout")
            return graph.add(Conv2D(filters=len(prior), window=window, prior=prior), x, name="cells")
        x = graph.add(Flatten(), x, name="vector")
        for number, units in enumerate(self.units, start=1):
            x = graph.add(Dense(units=units), x, name=f"dense_{number}")
            x = graph.add(Activation(function=self.activation), x, name=f"dense_{number}_{self.activation}")
        x = graph.add(Dropout(rate=self.dropout), x, name="dropout")
        prior *= self.grid**2
        return graph.add(Dense(units=len(prior), prior=prior), x, name="cells")

    def loss(self, targets: Tensor, outputs: Tensor, *, label_smoothing: float) -> Tensor:
        import keras
        from keras import ops
        from keras.utils.bounding_boxes import compute_ciou

        height, width = self._sides(outputs)
        boxes, confidences, classes = self._parts(outputs)
        truths = ops.cast(targets, "float32")
        cells = cells_of(truths[..., :4], height, width)
        most = truths.shape[1]

        def at(values: Tensor, *shape: int) -> Tensor:
            """What the cells of the truths say: `(batch, most, ...)`."""
            flat = ops.reshape(values, (-1, height * width, values.shape[1] * values.shape[2] // (height * width)))
            return ops.reshape(ops.take_along_axis(flat, cells[..., None], axis=1), (-1, most, *shape))

        fits = compute_ciou(at(boxes, self.boxes, 4), truths[:, :, None, :4], "yxyx")
        fit = ops.max(fits, axis=-1)
        slots = ops.where(truths[..., 4] >= 0, cells * self.boxes + ops.cast(ops.argmax(fits, axis=-1), "int32"), -1)
        taken = ops.one_hot(slots, height * width * self.boxes)
        first = taken * ops.cast(ops.cumsum(taken, axis=1) <= 1, "float32")
        counts = ops.sum(first, axis=-1)
        wanted = ops.sum(first * ops.stop_gradient(ops.clip(fit, 0.0, 1.0))[..., None], axis=1)
        responsible = ops.sum(first, axis=1)
        judged = ops.repeat(1 - spared(truths, cells, height * width), self.boxes, axis=1)
        weights = responsible + EMPTY * (1 - responsible) * judged
        uncertain = ops.binary_crossentropy(wanted, confidences, from_logits=True)
        kinds = ops.one_hot(ops.cast(truths[..., 4], "int32"), self.classes)
        confused = keras.losses.categorical_crossentropy(
            kinds, at(classes, self.classes), from_logits=True, label_smoothing=label_smoothing
        )
        return ops.sum(weights * uncertain, axis=-1) + ops.sum(counts * (LOCATION * (1 - fit) + confused), axis=-1)

    def answers(self, outputs: Tensor) -> Tensor:
        from keras import ops

        boxes, confidences, classes = self._parts(outputs)
        kinds = ops.softmax(classes)
        if self.boxes > 1:
            kinds = ops.repeat(kinds, self.boxes, axis=1)
        return candidates(boxes, ops.sigmoid(confidences)[..., None] * kinds)

    def _sides(self, outputs: Tensor) -> tuple[int, int]:
        """Height and width of the grid; dense layers make a vector, row after row."""
        height, width = (self.grid, self.grid) if self.units else outputs.shape[1:3]
        return height, width

    def _parts(self, outputs: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Boxes `(batch, cells * boxes, 4)`, the logits of their confidences `(batch, cells * boxes)`, and those of the
        cells' classes `(batch, cells, classes)`.
        """
        from keras import ops

        height, width = self._sides(outputs)
        logits = ops.reshape(ops.cast(outputs, "float32"), (-1, height * width, self.boxes * 5 + self.classes))
        each = ops.reshape(logits[..., : self.boxes * 5], (-1, height * width * self.boxes, 5))
        return boxes_of(each[..., :4], height, width), each[..., 4], logits[..., self.boxes * 5 :]
