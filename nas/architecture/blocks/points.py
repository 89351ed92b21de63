"""A heat map of objects' centres, with a box at each point: what fits into small devices."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from nas.architecture.blocks.base import register
from nas.architecture.blocks.cells import BOX, RARE, DetectionHead, boxes_of, candidates, cells_of, spared
from nas.architecture.fields import Kernel
from nas.architecture.graph import Graph, SymbolicTensor
from nas.architecture.keras_types import Tensor
from nas.architecture.layers import Conv2D, Window, pair

LOCATION = 2.0
"""Weight in the loss of where a box is."""

NARROW = 6.0
"""A box's sides are so many standard deviations of the bell around its centre."""


@final
@register("points")
@dataclass(frozen=True, kw_only=True, slots=True)
class PointsHead(DetectionHead):
    """One convolution: for each cell of the map, a logit for each class that a center is there, and one box.

    The output is height x width x (classes + 4) logits. As in CenterNet (Zhou et al., 2019), classes are learned by
    focal loss, with less weight around a centre; as in FOMO, the map is that of a classifier cut where it is still
    fine, such as at an eighth of the image. Two classes may have their centres in one cell, two objects of a class not.
    Boxes are learned by their complete intersection over union (Zheng et al., 2020).

    Attributes:
        classes: of objects.
        kernel: side of the convolution.
    """

    kernel: Kernel = 1

    def wire(self, graph: Graph, x: SymbolicTensor) -> SymbolicTensor:
        window = Window(size=pair(self.kernel), stride=(1, 1), padding="same")
        prior = (RARE,) * self.classes + BOX
        return graph.add(Conv2D(filters=len(prior), window=window, prior=prior), x, name="points")

    def loss(self, targets: Tensor, outputs: Tensor, *, label_smoothing: float) -> Tensor:
        import numpy as np
        from keras import ops
        from keras.utils.bounding_boxes import compute_ciou

        height, width = outputs.shape[1:3]
        heat, boxes = self._parts(outputs)
        truths = ops.cast(targets, "float32")
        there = ops.cast(truths[..., 4] >= 0, "float32")
        kinds = ops.one_hot(ops.cast(truths[..., 4], "int32"), self.classes)
        cells = cells_of(truths[..., :4], height, width)
        centres = ops.minimum(ops.einsum("bmk,bmc->bkc", ops.one_hot(cells, height * width), kinds), 1.0)
        # Whole cells from the centre's cell, in standard deviations.
        sides = ops.maximum((truths[..., 2:4] - truths[..., :2]) * np.array([height, width], np.float32), 1e-3)
        grid = np.stack(np.divmod(np.arange(height * width), width), axis=-1).astype(np.float32)
        own = ops.cast(ops.stack([cells // width, cells % width], axis=-1), "float32")
        apart = (own[:, :, None] - grid) * NARROW / sides[:, :, None]
        bells = ops.exp(-ops.sum(ops.square(apart), axis=-1) / 2)
        near = ops.minimum(ops.einsum("bmk,bmc->bkc", bells, kinds), 1.0)
        sure, unsure = ops.square(ops.sigmoid(heat)), ops.square(ops.sigmoid(-heat))
        judged = 1 - spared(truths, cells, height * width)[..., None]
        there_not = (1 - centres) * (1 - near) ** 4 * judged + centres * (label_smoothing / 2)
        confused = centres * (1 - label_smoothing / 2) * unsure * ops.softplus(-heat)
        confused = confused + there_not * sure * ops.softplus(heat)
        fit = compute_ciou(ops.take_along_axis(boxes, cells[..., None], axis=1), truths[..., :4], "yxyx")
        return ops.sum(confused, axis=(1, 2)) + LOCATION * ops.sum(there * (1 - fit), axis=-1)

    def answers(self, outputs: Tensor) -> Tensor:
        from keras import ops

        heat, boxes = self._parts(outputs)
        return candidates(boxes, ops.sigmoid(heat))

    def _parts(self, outputs: Tensor) -> tuple[Tensor, Tensor]:
        """Logits of centres `(batch, cells, classes)`, and boxes `(batch, cells, 4)`."""
        from keras import ops

        height, width = outputs.shape[1:3]
        logits = ops.reshape(ops.cast(outputs, "float32"), (-1, height * width, self.classes + 4))
        return logits[..., : self.classes], boxes_of(logits[..., self.classes :], height, width)
